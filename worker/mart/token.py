"""Bearer tokens: fetched once for all threads, renewed before they expire, dropped when refused (contract §1)."""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

MARGIN = 300.0
"""Seconds before its expiry at which a token is renewed; at most a tenth of its life."""

_TOKEN = re.compile(r"[\x21-\x7e]+")

LONGEST = 1800.0
"""Seconds after which a token of Cloud Pak for Data is renewed, whatever it says of itself (contract §8)."""

LEAST = 30.0
"""Seconds until the next try: for a token that was expired when it came (our clock may be wrong), or not renewed."""

_IAM = "https://iam.cloud.ibm.com/identity/token"
_IAM_TEST = "https://iam.test.cloud.ibm.com/identity/token"
TOKEN_URLS = {
    "https://api.aiopenscale.cloud.ibm.com": _IAM,
    "https://eu-de.api.aiopenscale.cloud.ibm.com": _IAM,
    "https://api.aiopenscale.test.cloud.ibm.com": _IAM,
    "https://eu-de.api.aiopenscale.test.cloud.ibm.com": _IAM,
    "https://aios-yp-cr.us-south.containers.appdomain.cloud": _IAM,
    "https://aios-yp-cr.eu-de.containers.appdomain.cloud": _IAM,
    "https://aiopenscale-dev.us-south.containers.appdomain.cloud": _IAM_TEST,
    "https://aiopenscale-dev.eu-de.containers.appdomain.cloud": _IAM_TEST,
}
"""The token URL of each service URL that is known, compared as a whole string (contract §1.1)."""


class TokenError(Exception):
    """No token was to be had. `refused`: the credentials are wrong; else the token service did not answer."""

    def __init__(self, message: str, *, refused: bool) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A bearer token and when to renew and stop using it, in seconds since 1970 (infinite for an opaque token)."""

    text: str
    renew_at: float = float("inf")
    expires_at: float = float("inf")


class TokenSource(Protocol):
    """What the couriers ask for tokens."""

    def current(self) -> str:
        """A token that should be accepted; raises `TokenError`."""

    def refused(self, token: str) -> None:
        """The data mart answered 401 to `token`: do not give it out again if there can be another."""


class ReadyToken:
    """A token that somebody else renews."""

    def __init__(self, token: str) -> None:
        self._token = token

    def current(self) -> str:
        """The token as it was given."""
        return self._token

    def refused(self, token: str) -> None:
        """There is no other."""


class FetchedToken:
    """Tokens fetched with `fetch`, one fetch at a time however many threads ask; `clock` is seconds since 1970.

    A token that still lives is renewed beside the posts, on a thread of the fetch's own: however slowly the token
    service answers, nobody waits for it who has a token. It is renewed after `longest` seconds at the latest.
    """

    def __init__(
        self, fetch: Callable[[], str], clock: Callable[[], float] = time.time, longest: float = float("inf")
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._longest = longest
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._fetching: Future[str] | None = None
        self.fetches = 0
        """Fetches begun so far."""

    def current(self) -> str:
        """The token: the old one while it lives and no new one has come, else what the fetch under way will bring.

        Raises `TokenError`, the same for all who waited for one fetch.
        """
        with self._lock:
            now, token = self._clock(), self._token
            if token is not None and now < token.renew_at:
                return token.text
            fetching = self._fetching or self._begin()
            if token is not None and now < token.expires_at:
                return token.text
        try:
            return fetching.result()
        except TokenError as error:
            raise TokenError(str(error), refused=error.refused) from None

    def refused(self, token: str) -> None:
        """Drop `token`, unless another thread has replaced it already."""
        with self._lock:
            if self._token is not None and self._token.text == token:
                self._token = None

    def _begin(self) -> Future[str]:
        """Begin a fetch; the lock is held."""
        fetching = Future[str]()
        threading.Thread(target=self._renew, args=(fetching,), name="token", daemon=True).start()
        self.fetches += 1
        self._fetching = fetching
        return fetching

    def _renew(self, fetching: Future[str]) -> None:
        try:
            token = read_token(self._fetch(), self._clock())
            token = replace(token, renew_at=min(token.renew_at, self._clock() + self._longest))
        except TokenError as error:
            self._failed(fetching, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may wait for this fetch for ever
            self._failed(fetching, TokenError(f"no token could be fetched ({type(error).__name__})", refused=False))
        else:
            with self._lock:
                self._token, self._fetching = token, None
            fetching.set_result(token.text)

    def _failed(self, fetching: Future[str], error: TokenError) -> None:
        """Leave the token that is there, if there is one, and let the next fetch wait a little."""
        with self._lock:
            if self._token is not None:
                renew_at = min(self._token.expires_at, self._clock() + LEAST)
                self._token = replace(self._token, renew_at=renew_at)
            self._fetching = None
        fetching.set_exception(error)


def read_token(text: str, now: float) -> Token:
    """A token with the expiry that its JWT claims name (`exp`, contract §1.4); an opaque one never expires."""
    try:
        claims = text.split(".")[1]
        expires = float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError, binascii.Error):
        return Token(text)
    if not expires > now:  # nor is it where `exp` is NaN
        return Token(text, now + LEAST, now + LEAST)
    return Token(text, expires - min(MARGIN, (expires - now) / 10), expires)


def iam_fetcher(client: httpx.Client, mart_url: str, api_key: str) -> Callable[[], str]:
    """Fetch IBM Cloud IAM tokens for an API key (contract §1.2)."""
    url = TOKEN_URLS.get(mart_url, f"{mart_url}/v1/preauth/validateAuth")
    form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": api_key}
    headers = {"Accept": "application/json"}
    return lambda: _ask(lambda: client.post(url, data=form, headers=headers), url, "access_token")


def icp_fetcher(client: httpx.Client, mart_url: str, username: str, password: str) -> Callable[[], str]:
    """Fetch ICP / CP4D tokens with basic authentication (contract §1.3)."""
    url = f"{mart_url}/v1/preauth/validateAuth"
    return lambda: _ask(lambda: client.get(url, auth=(username, password)), url, "accessToken")


def cp4d_fetcher(client: httpx.Client, mart_url: str, username: str, password: str) -> Callable[[], str]:
    """Fetch Cloud Pak for Data tokens as the v2 API has them (contract §8)."""
    url = f"{mart_url}/icp4d-api/v1/authorize"
    body = {"username": username, "password": password}
    return lambda: _ask(lambda: client.post(url, json=body), url, "token")


def _ask(send: Callable[[], httpx.Response], url: str, key: str) -> str:
    try:
        answer = send()
    except httpx.HTTPError as error:
        raise TokenError(f"{url}: no answer ({type(error).__name__})", refused=False) from None
    if answer.status_code in (400, 401, 403):
        raise TokenError(f"{url}: the credentials are refused ({answer.status_code})", refused=True)
    if answer.status_code != 200:
        raise TokenError(f"{url}: answered {answer.status_code}", refused=False)
    try:
        token = answer.json()[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        token = None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise TokenError(f"{url}: the answer holds no {key} that a header can hold", refused=False)
    return token
