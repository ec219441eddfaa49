"""One HTTP client of the data mart: base URL, bearer token, errors that name what was asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx

from worker import __version__
from worker.mart.token import FetchedToken, ReadyToken, TokenError, TokenSource, iam_fetcher, icp_fetcher

if TYPE_CHECKING:
    from worker.config import Mart

USER_AGENT = f"payload-worker/{__version__}"


class MartError(Exception):
    """The data mart did not give what was asked; the message names the request, never a body."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def token_source(mart: Mart) -> TokenSource:
    """The way to tokens that the settings name."""
    if mart.token is not None:
        return ReadyToken(mart.token.get_secret_value())
    client = httpx.Client(timeout=mart.timeout_seconds, headers={"User-Agent": USER_AGENT})
    if mart.api_key is not None:
        return FetchedToken(iam_fetcher(client, mart.url, mart.api_key.get_secret_value()))
    password = mart.password.get_secret_value() if mart.password else ""
    return FetchedToken(icp_fetcher(client, mart.url, mart.username or "", password))


class MartClient:
    """Requests to one data mart. Not thread-safe; the token source is, and may be shared."""

    def __init__(self, mart: Mart, tokens: TokenSource) -> None:
        self._mart = mart
        self._tokens = tokens
        self._client = httpx.Client(base_url=mart.url, timeout=mart.timeout_seconds, headers={"User-Agent": USER_AGENT})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def bindings(self) -> list[dict[str, Any]]:
        """The service bindings (contract §3)."""
        return self._listing("/service_bindings", "service_bindings")

    def subscriptions(self, binding_id: str) -> list[dict[str, Any]]:
        """The subscriptions of a binding (contract §4.3)."""
        return self._listing(f"/service_bindings/{binding_id}/subscriptions", "subscriptions")

    def show(self) -> dict[str, Any]:
        """The data mart itself (contract §2)."""
        return self._get("")

    def _listing(self, path: str, key: str) -> list[dict[str, Any]]:
        found = self._get(path).get(key)
        if not isinstance(found, list):
            raise MartError(f"GET {self._path(path)}: the answer holds no list {key}")
        return found

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._send("GET", self._path(path))
        if answer.status_code == 401:
            answer = self._send("GET", self._path(path))
        if answer.status_code != 200:
            raise MartError(self._complaint("GET", path, answer), answer.status_code)
        try:
            found = answer.json()
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise MartError(f"GET {self._path(path)}: the answer is no JSON object: is mart.url the data mart's?")
        return found

    def _path(self, path: str) -> str:
        return f"/v1/data_marts/{self._mart.data_mart_id}{path}"

    def _send(self, method: str, path: str) -> httpx.Response:
        token = self._tokens.current()
        try:
            answer = self._client.request(method, path, headers={"Authorization": f"Bearer {token}"})
        except httpx.HTTPError as error:
            raise MartError(f"{method} {self._mart.url}{path}: no answer ({type(error).__name__})") from None
        if answer.status_code == 401:
            self._tokens.refused(token)
        return answer

    def _complaint(self, method: str, path: str, answer: httpx.Response) -> str:
        codes = " ".join(re.findall(r'"code"\s*:\s*"(\w{1,20})"', answer.text[:4096]))
        return f"{method} {self._mart.url}{self._path(path)}: answered {answer.status_code} {codes}".rstrip()


__all__ = ["MartClient", "MartError", "TokenError", "token_source"]
