"""One HTTP client of the data mart: base URL, bearer token, errors that name what was asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from worker import __version__
from worker.mart.token import (
    LONGEST,
    FetchedToken,
    ReadyToken,
    TokenError,
    TokenSource,
    cp4d_fetcher,
    iam_fetcher,
    icp_fetcher,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.config import Mart

USER_AGENT = f"payload-worker/{__version__}"


class MartError(Exception):
    """The data mart did not give what was asked; the message names the request, never a body.

    `status` is the answer's, None where there was none. `answer` is its body's beginning, which may repeat what was
    sent, secrets too: for those who can take them out.
    """

    def __init__(self, message: str, status: int | None = None, answer: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.answer = answer


def token_source(mart: Mart, client: httpx.Client | None = None) -> TokenSource:
    """The way to tokens that the settings name; `client` asks for them, else one that is kept for good."""
    if mart.token is not None:
        return ReadyToken(mart.token.get_secret_value())
    client = client or httpx.Client(timeout=mart.timeout_seconds, headers={"User-Agent": USER_AGENT})
    if mart.api_key is not None:
        return FetchedToken(iam_fetcher(client, mart.url, mart.api_key.get_secret_value()))
    password = mart.password.get_secret_value() if mart.password else ""
    if mart.api == "v2":
        return FetchedToken(cp4d_fetcher(client, mart.url, mart.username or "", password), longest=LONGEST)
    return FetchedToken(icp_fetcher(client, mart.url, mart.username or "", password))


def base(mart: Mart) -> str:
    """The path below which everything of the data mart is; under v2 its id is also the instance's (contract §8)."""
    place = quote(mart.data_mart_id, safe=":")
    return f"/openscale/{place}/v2" if mart.api == "v2" else f"/v1/data_marts/{place}"


class MartClient:
    """Requests to one data mart. Not thread-safe; the token source is, and may be shared."""

    def __init__(self, mart: Mart, tokens: TokenSource) -> None:
        self._mart = mart
        self._tokens = tokens
        self._client = httpx.Client(base_url=mart.url, timeout=mart.timeout_seconds, headers={"User-Agent": USER_AGENT})

    @property
    def data_mart_id(self) -> str:
        """Which data mart this is of."""
        return self._mart.data_mart_id

    @property
    def api(self) -> str:
        """Which interface is spoken: v1 or v2."""
        return self._mart.api

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def bindings(self) -> list[dict[str, Any]]:
        """The service bindings (contract §3)."""
        return self.listing(self.at("service_bindings"), "service_bindings")

    def subscriptions(self, binding_id: str) -> list[dict[str, Any]]:
        """The subscriptions of a binding (contract §4.3)."""
        return self.listing(self.at("service_bindings", binding_id, "subscriptions"), "subscriptions")

    def show(self) -> dict[str, Any]:
        """The data mart itself (contract §2); under v2 the one of this instance (contract §8)."""
        if self.api == "v1":
            return self.get(self.at())
        found = self.listing(self.at("data_marts"), "data_marts")
        if not found:
            raise MartError(f"GET {self._mart.url}{self.at('data_marts')}: the instance has no data mart")
        return found[0]

    def at(self, *steps: str) -> str:
        """A path within the data mart; each step is an id or a name."""
        return "/".join((base(self._mart), *(quote(step, safe=":") for step in steps)))

    def listing(self, path: str, key: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """The list of objects that the answer to a GET holds under `key`; raises `MartError`, or `TokenError`."""
        found = self.get(path, query).get(key)
        if not isinstance(found, list):
            raise MartError(f"GET {path}: the answer holds no list {key}")
        return found

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The object that a GET is answered with, 200; raises `MartError`, or `TokenError`."""
        return _object("GET", path, self.send("GET", path, 200, query=query))

    def write(self, method: str, path: str, expected: int, body: object, query: Mapping[str, str]) -> dict[str, Any]:
        """The object that a request with a JSON body is answered with; raises `MartError`, or `TokenError`."""
        return _object(method, path, self.send(method, path, expected, body, query))

    def send(
        self, method: str, path: str, expected: int, body: object = None, query: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """The answer of exactly this status, a refused token renewed once; raises `MartError`, or `TokenError`."""
        answer = self._attempt(method, path, body, query)
        if answer.status_code == 401:
            answer = self._attempt(method, path, body, query)
        if answer.status_code != expected:
            raise MartError(self._complaint(method, path, answer), answer.status_code, answer.text[:4096])
        return answer

    def _attempt(self, method: str, path: str, body: object, query: Mapping[str, str] | None) -> httpx.Response:
        token = self._tokens.current()
        headers = {"Authorization": f"Bearer {token}"}
        try:
            answer = self._client.request(method, path, headers=headers, json=body, params=query)
        except httpx.HTTPError as error:
            raise MartError(f"{method} {self._mart.url}{path}: no answer ({type(error).__name__})") from None
        if answer.status_code == 401:
            self._tokens.refused(token)
        return answer

    def _complaint(self, method: str, path: str, answer: httpx.Response) -> str:
        codes = " ".join(re.findall(r'"code"\s*:\s*"([\w-]{1,40})"', answer.text[:4096]))
        return f"{method} {self._mart.url}{path}: answered {answer.status_code} {codes}".rstrip()


def _object(method: str, path: str, answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MartError(f"{method} {path}: the answer is no JSON object: is mart.url the data mart's?")
    return found


__all__ = ["MartClient", "MartError", "TokenError", "token_source"]
