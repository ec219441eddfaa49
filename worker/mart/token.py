"""Bearer tokens: fetched once for all threads, renewed before they expire, dropped when refused (contract §1)."""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

MARGIN = 300.0
"""Seconds before its expiry at which a token is renewed; at most a tenth of its life."""

_TOKEN = re.compile(r"[\x21-\x7e]+")

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
    """Tokens fetched with `fetch`, one fetch at a time however many threads ask; `clock` is seconds since 1970."""

    def __init__(self, fetch: Callable[[], str], clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self.fetches = 0
        """Fetches begun so far."""

    def current(self) -> str:
        """The token; an old one that still lives if the token service does not answer."""
        token = self._token
        if token is not None and self._clock() < token.renew_at:
            return token.text
        with self._lock:
            if self._token is None or self._clock() >= self._token.renew_at:
                self._token = self._renewed(self._token)
            return self._token.text

    def refused(self, token: str) -> None:
        """Drop `token`, unless another thread has replaced it already."""
        with self._lock:
            if self._token is not None and self._token.text == token:
                self._token = None

    def _renewed(self, old: Token | None) -> Token:
        self.fetches += 1
        try:
            return read_token(self._fetch(), self._clock())
        except TokenError:
            if old is not None and self._clock() < old.expires_at:
                return replace(old, renew_at=min(old.expires_at, self._clock() + LEAST))
            raise


def read_token(text: str, now: float) -> Token:
    """A token with the expiry that its JWT claims name (`exp`, contract §1.4); an opaque one never expires."""
    try:
        claims = text.split(".")[1]
        expires = float(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"])
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError, binascii.Error):
        return Token(text)
    if expires <= now:
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
