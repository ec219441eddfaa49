"""Tokens: issued by IAM or in the way of ICP, and wanted by every call to the data mart (contract §1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson
from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox.errors import ApiError, Code
from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

IAM_PATH = "/identity/token"
PREAUTH_PATH = "/v1/preauth/validateAuth"
GRANT = "urn:ibm:params:oauth:grant-type:apikey"
GUARDED = ("/v1/data_marts", "/v1/ml_instances", "/v1/entitlements", "/openscale")
_HEADER = b'{"alg":"HS256","typ":"JWT"}'


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Tokens:
    """Issues JWTs signed with a secret of its own: the token of another sandbox, or an old one, is unknown."""

    def __init__(self, lifetime: float, clock: Callable[[], float] = time.time) -> None:
        self.lifetime = lifetime
        self._clock = clock
        self._secret = secrets.token_bytes(32)

    def issue(self, subject: str) -> tuple[str, float]:
        """A token and its `exp`, in seconds since 1970."""
        issued = int(self._clock())
        expires = issued + self.lifetime
        claims = {
            "sub": subject,
            "iss": "sandbox",
            "iat": issued,
            "exp": expires,
            "jti": secrets.token_hex(8),
        }
        signed = f"{_base64url(_HEADER)}.{_base64url(orjson.dumps(claims))}"
        return f"{signed}.{self._sign(signed)}", expires

    def check(self, authorization: str) -> None:
        """Raise `ApiError` 401 unless this is `Bearer` with a token of this sandbox that has not expired."""
        scheme, _, token = authorization.partition(" ")
        signed, _, signature = token.strip().rpartition(".")
        if scheme.lower() != "bearer" or not signed:
            raise unauthorized("The Authorization header must be Bearer with a token.")
        if not hmac.compare_digest(signature.encode(), self._sign(signed).encode()):
            raise unauthorized("The token is unknown.")
        claims = orjson.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        if claims["exp"] <= self._clock():
            raise unauthorized("The token has expired.")

    def revoke(self) -> None:
        """From now on every token issued so far is unknown."""
        self._secret = secrets.token_bytes(32)

    def _sign(self, signed: str) -> str:
        return _base64url(hmac.digest(self._secret, signed.encode(), hashlib.sha256))


def unauthorized(message: str) -> ApiError:
    """The 401 for a token or a password that is not taken."""
    return ApiError(401, Code.UNAUTHORIZED, message)


class Authorised:
    """ASGI middleware: the data mart's paths want a token, all others do not."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's one entry."""
        if scope["type"] == "http" and _guarded(scope["path"]):
            try:
                self._tokens.check(authorization(scope))
            except ApiError as exc:
                await exc.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _guarded(path: str) -> bool:
    return any(path == prefix or path.startswith(prefix + "/") for prefix in GUARDED)


def authorization(scope: Scope) -> str:
    """The request's Authorization header, or an empty text."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next((value.decode("latin-1") for name, value in headers if name == b"authorization"), "")


class TokenRoutes:
    """`POST` with IAM's form and `GET` with basic auth; `DELETE /sandbox/tokens` makes all tokens unknown.

    The preauth path answers both, since the cloud client posts its form there too when it does not know the
    URL (§1.1).
    """

    def __init__(self, tokens: Tokens, api_key: str | None) -> None:
        self._tokens = tokens
        self._api_key = api_key

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [
            Route(IAM_PATH, self.iam, methods=["POST"]),
            Route(PREAUTH_PATH, self.iam, methods=["POST"]),
            Route(PREAUTH_PATH, self.icp, methods=["GET"]),
            Route("/sandbox/tokens", self.revoke, methods=["DELETE"]),
        ]

    async def iam(self, request: Request) -> Response:
        """A token for an API key (§1.2); the two fields may also stand in the query."""
        form = dict(request.query_params) | _form(await request.body())
        if form.get("grant_type") != GRANT:
            return _iam_error("BXNIM0109E", "Property missing or empty, or not supported: grant_type.")
        if not self._accepts(form.get("apikey", "")):
            return _iam_error("BXNIM0415E", "Provided API key could not be found.")
        token, expires = self._tokens.issue("iam")
        answer = {
            "access_token": token,
            "refresh_token": "not_supported",
            "token_type": "Bearer",
            "expires_in": self._tokens.lifetime,
            "expiration": expires,
            "scope": "ibm openid",
        }
        return reply(200, answer)

    async def icp(self, request: Request) -> Response:
        """A token for a user and password (§1.3), or for a user and the token that CP4D's IAM gave it (§8)."""
        iam = request.headers.get("iam-token")
        if iam is None:
            user, password = _basic(authorization(request.scope))
            token = self.token_for(user, password)
        else:
            self._tokens.check(f"Bearer {iam}")
            user = request.headers.get("username") or "iam"
            token, _ = self._tokens.issue(user)
        answer = {"username": user, "role": "Admin", "accessToken": token, "_messageCode_": "200"}
        return reply(200, answer | {"message": "success"})

    def token_for(self, user: str, password: str) -> str:
        """A token for a user and a password or key, or `ApiError` 401."""
        if not user or not self._accepts(password):
            raise unauthorized("The user or the password is unknown.")
        return self._tokens.issue(user)[0]

    @property
    def lifetime(self) -> float:
        """How many seconds a token lives."""
        return self._tokens.lifetime

    async def revoke(self, _: Request) -> Response:
        """Make every token issued so far unknown: a 401 in the middle of a session."""
        self._tokens.revoke()
        return Response(status_code=204)

    def _accepts(self, key: str) -> bool:
        if self._api_key is None:
            return bool(key)
        return hmac.compare_digest(key.encode(), self._api_key.encode())


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _basic(header: str) -> tuple[str, str]:
    """The user and the password of a basic Authorization header; empty where it is none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def _iam_error(code: str, message: str) -> Response:
    """IAM's own error body, which is not the data mart's."""
    return reply(400, {"errorCode": code, "errorMessage": message, "context": {}})
