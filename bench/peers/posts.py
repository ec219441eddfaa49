"""Posting from peers that have threads: one `httpx.Client` for all of them, which may share it."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

import httpx

from bench.peers.work import IN_FLIGHT, TIMEOUT

if TYPE_CHECKING:
    from bench.peers.work import Work

T = TypeVar("T")


class Poster:
    """Posts bodies, one after another; any thread may."""

    def __init__(self, work: Work) -> None:
        self._payloads = work.payloads
        self._client = httpx.Client(timeout=TIMEOUT, headers=work.headers)

    def post(self, body: bytes) -> None:
        """Raises unless the body was accepted, which ends the peer before its commit."""
        self._client.post(self._payloads, content=body).raise_for_status()


class Posts(Generic[T]):
    """Posts bodies in threads, at most `IN_FLIGHT` of them at once; each with a mark, given back in order."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster
        self._pool = ThreadPoolExecutor(IN_FLIGHT)
        self._open: deque[tuple[Future[None], T]] = deque()

    def send(self, body: bytes, mark: T) -> list[T]:
        """Post, once that is one of `IN_FLIGHT` at most; the marks that are done, as `done` gives them."""
        marks = self.done(leave=IN_FLIGHT - 1)
        self._open.append((self._pool.submit(self._poster.post, body), mark))
        return marks

    def done(self, leave: int = IN_FLIGHT) -> list[T]:
        """The marks of what was accepted, as far as all before it was, once at most `leave` posts are open."""
        marks: list[T] = []
        while self._open and (len(self._open) > leave or self._open[0][0].done()):
            future, mark = self._open.popleft()
            future.result()
            marks.append(mark)
        return marks
