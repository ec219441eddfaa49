"""HTTP out: each post is one attempt on a thread of its own connection, judged, and handed back."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import httpx

from worker.flow.flow import Post, Posted
from worker.flow.verdict import Answer, Verdict, judge, no_answer
from worker.mart.client import USER_AGENT
from worker.mart.token import TokenError

if TYPE_CHECKING:
    from worker.config import Mart
    from worker.mart.token import TokenSource

BODY_LIMIT = 64 * 1024
"""Bytes of an answer that are read: more than any error of the data mart has, less than a memory problem."""


class Courier:
    """A pool of threads that post batches. One connection a thread: a shared httpx client slows with its pool.

    The threads are daemons: a post that hangs does not keep a stopped worker alive; its records are not committed.
    """

    def __init__(self, mart: Mart, tokens: TokenSource, threads: int) -> None:
        self._mart = mart
        self._tokens = tokens
        self._url = f"{mart.url}/v1/data_marts/{mart.data_mart_id}/scoring_payloads"
        self._jobs: SimpleQueue[Post | None] = SimpleQueue()
        self._outcomes: SimpleQueue[Posted] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"post-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def send(self, post: Post) -> None:
        """Begin an attempt; its outcome will come out of `collect`."""
        self._jobs.put(post)

    def collect(self, timeout: float) -> list[Posted]:
        """The outcomes that are there; waits up to `timeout` seconds for the first."""
        outcomes: list[Posted] = []
        try:
            outcomes.append(self._outcomes.get(timeout=timeout) if timeout > 0 else self._outcomes.get_nowait())
            while True:
                outcomes.append(self._outcomes.get_nowait())
        except Empty:
            return outcomes

    def close(self) -> None:
        """Let idle threads end."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        with httpx.Client(timeout=self._mart.timeout_seconds, headers={"User-Agent": USER_AGENT}) as client:
            while (post := self._jobs.get()) is not None:
                self._outcomes.put(Posted(post, self._attempt(client, post)))

    def _attempt(self, client: httpx.Client, post: Post) -> Answer:
        try:
            token = self._tokens.current()
        except TokenError as error:
            return Answer(Verdict.HALT, "credentials-refused") if error.refused else no_answer("no-token", sent=False)
        try:
            answer = self._post(client, post, token)
        except httpx.HTTPError as error:
            return no_answer(_reason(error), sent=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout))
        except Exception:  # noqa: BLE001 - a thread that dies would lose its batch
            return no_answer("internal-error", sent=True)
        if answer.verdict is Verdict.REFRESH:
            self._tokens.refused(token)
        return answer

    def _post(self, client: httpx.Client, post: Post, token: str) -> Answer:
        content = b"[" + b",".join([row.payload for row in post.batch.rows]) + b"]"
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Prefer": "return=minimal",
        }
        with client.stream("POST", self._url, content=content, headers=headers) as response:
            body = _read(response, time.monotonic() + self._mart.timeout_seconds)
        return judge(response.status_code, response.headers, body, datetime.now(UTC))


def _read(response: httpx.Response, deadline: float) -> str:
    """The answer's text, up to `BODY_LIMIT` bytes; with a deadline for the whole, where httpx has one for each read."""
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) >= BODY_LIMIT:
            break
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the whole answer took too long")
    return body.decode(errors="replace")


def _reason(error: httpx.HTTPError) -> str:
    """A stable word for metrics: httpx's classes are the vocabulary of what can go wrong on the way."""
    if isinstance(error, httpx.ConnectError):
        return "tls-failed" if "SSL" in str(error) or "certificate" in str(error) else "connect-failed"
    if isinstance(error, httpx.TimeoutException):
        return "connect-timeout" if isinstance(error, httpx.ConnectTimeout) else "timeout"
    return "connection-lost" if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError) else "http-error"
