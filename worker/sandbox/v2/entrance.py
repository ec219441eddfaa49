"""How v2's clients are let in, beside the tokens of v1 (contract §8): CP4D's two ways, and what IAM's ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.seed import DATA_MART_ID
from worker.sandbox.tokens import unauthorized
from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.catalogue import Catalogue
    from worker.sandbox.tokens import TokenRoutes

AUTHORIZE_PATH: Final = "/icp4d-api/v1/authorize"
IDENTITY_PATH: Final = "/idprovider/v1/auth/identitytoken"
ENTITLEMENTS_PATH: Final = "/v1/entitlements"


class EntranceRoutes:
    """Tokens for CP4D; and which instances one is entitled to."""

    def __init__(self, tokens: TokenRoutes, catalogue: Catalogue) -> None:
        self._tokens = tokens
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [
            Route(AUTHORIZE_PATH, self.authorize, methods=["POST"]),
            Route(IDENTITY_PATH, self.identity, methods=["POST"]),
            Route(ENTITLEMENTS_PATH, self.entitlements, methods=["GET"]),
        ]

    async def authorize(self, request: Request) -> Response:
        """200 with `token`, for a user and a password or an API key; 401 sends the SDK to the other way."""
        body = await intake.read_object(request)
        intake.optional_texts(body, ("username", "password", "api_key"))
        token = self._tokens.token_for(body.get("username") or "", body.get("api_key") or body.get("password") or "")
        return reply(200, {"token": token, "_messageCode_": "success", "message": "success"})

    async def identity(self, request: Request) -> Response:
        """200 with `access_token`, for the form of a user and a password: good for a token, and for nothing else."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if form.get("grant_type") != "password":
            raise unauthorized("The grant_type must be password.")
        token = self._tokens.token_for(form.get("username", ""), form.get("password", ""))
        answer = {"access_token": token, "token_type": "Bearer", "scope": "openid"}
        return reply(200, answer | {"expires_in": self._tokens.lifetime})

    async def entitlements(self, _: Request) -> Response:
        """200 with every instance that has a data mart, and with the sandbox's own."""
        known = dict.fromkeys([*self._catalogue.marts, DATA_MART_ID])
        plans = [{"id": instance, "plan_name": "Sandbox"} for instance in known]
        return reply(200, {"entitlements": {"ai_openscale": plans}})
