"""Looks at requests until they have ended (contract §8): each after growing waits, on a few threads of their own."""

from __future__ import annotations

import heapq
import ssl
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

from worker.edges.connection import Connection
from worker.flow.requests import PATIENCE, Sight, look, lost
from worker.flow.verdict import Answer, no_answer, retry_after
from worker.mart.client import USER_AGENT
from worker.mart.token import TokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.config import Mart
    from worker.flow.jobs import Post
    from worker.mart.token import TokenSource

GAP = 60.0
"""Seconds without a telling look after which patience begins anew: the data mart was down, and may go on from there."""

THREADS = 4
"""Looks at once: each is short, and asks for a few bytes."""

_HEADERS = {"User-Agent": USER_AGENT, "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Followed:
    """A request at `path`, the end of which is awaited for `post`.

    `looks` counts those so far; `sight` is what they have shown from the time `since` to `seen`, on
    `time.monotonic`'s clock.
    """

    post: Post
    request: str
    path: str
    since: float
    seen: float
    looks: int = 0
    sight: Sight = Sight.PREPARING


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look: `wait(n)` is the time in seconds before the n-th look, n from 1; `retry_after` caps a hold."""

    wait: Callable[[int], float]
    retry_after: float = 300.0
    patience: Mapping[Sight, float] = field(default_factory=lambda: PATIENCE)


class Follower:
    """Threads that look at what is due first, each over a connection of its own.

    `ended` is called on them, once for each request that is followed. The threads are daemons, as those that
    post are: what they follow when the worker ends is not committed. `tls`: as of those that post.
    """

    def __init__(
        self,
        mart: Mart,
        tokens: TokenSource,
        pace: Pace,
        ended: Callable[[Post, Answer], None],
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._tokens = tokens
        self._pace = pace
        self._ended = ended
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Followed]] = []
        self._order = count()
        self._hold = 0.0
        self._closed = False
        tls = tls or cache(ssl.create_default_context)
        self._connections = [Connection(mart.url, mart.timeout_seconds, tls) for _ in range(THREADS)]
        for number, connection in enumerate(self._connections):
            threading.Thread(target=self._work, args=(connection,), name=f"follow-{number}", daemon=True).start()

    def follow(self, post: Post, request: str, path: str) -> None:
        """Look at a request until it has ended."""
        now = time.monotonic()
        self._later(Followed(post, request, path, now, now))

    def hold(self, seconds: float) -> None:
        """Look at nothing for so long: the data mart has asked for it."""
        with self._changed:
            self._hold = max(self._hold, time.monotonic() + min(seconds, self._pace.retry_after))

    def cut(self, now: float) -> None:
        """End looks that are overdue."""
        for connection in self._connections:
            connection.cut(now)

    def close(self) -> None:
        """Let the threads end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self, connection: Connection) -> None:
        while (followed := self._next()) is not None:
            try:
                found: Answer | Sight = self._look(connection, followed)
            except Exception:  # noqa: BLE001 - a thread that dies would hold its requests for ever
                found = no_answer("internal-error", sent=True)
            self._take(followed, found)
        connection.close()

    def _next(self) -> Followed | None:
        """Wait for the request that is due first; None once it is closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                at = max(self._due[0][0], self._hold) if self._due else None
                if at is not None and at <= now:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(None if at is None else at - now)
            return None

    def _later(self, followed: Followed) -> None:
        due = time.monotonic() + self._pace.wait(followed.looks + 1)
        with self._changed:
            heapq.heappush(self._due, (due, next(self._order), followed))
            self._changed.notify()

    def _look(self, connection: Connection, followed: Followed) -> Answer | Sight:
        try:
            token = self._tokens.current()
        except TokenError:
            return Sight.UNSEEN
        reply = connection.get(followed.path, {**_HEADERS, "Authorization": f"Bearer {token}"})
        if isinstance(reply, Answer):
            return Sight.UNSEEN
        asked = retry_after(reply.headers.get("retry-after"), datetime.now(UTC))
        found = look(followed.request, reply.status, reply.body)
        if found is Sight.REFUSED:
            self._tokens.refused(token)
        if asked and found is Sight.UNSEEN:
            self.hold(asked)
        return found

    def _take(self, followed: Followed, found: Answer | Sight) -> None:
        if isinstance(found, Answer):
            self._ended(followed.post, found)
            return
        patience = self._pace.patience.get(found)
        if patience is not None:
            followed = _seen(followed, found, time.monotonic())
            if followed.seen - followed.since >= patience:
                self._ended(followed.post, lost(followed.request))
                return
        self._later(replace(followed, looks=followed.looks + 1))


def _seen(followed: Followed, found: Sight, now: float) -> Followed:
    """What is seen for the first time, or again after a gap, is seen from now on."""
    if found is followed.sight and now - followed.seen < GAP:
        return replace(followed, seen=now)
    return replace(followed, sight=found, since=now, seen=now)
