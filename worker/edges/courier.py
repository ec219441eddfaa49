"""HTTP out: each post is one attempt on a thread of its own connection, judged, and handed back.

Under v2 it goes to the data set of its subscription, and what is taken there is followed to its end (contract §8).
"""

from __future__ import annotations

import http
import ssl
import threading
import time
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import quote

from worker.edges.connection import Connection
from worker.edges.following import Follower, Pace
from worker.flow.jobs import Post, Posted
from worker.flow.requests import judge_post
from worker.flow.verdict import Answer, Verdict, judge, no_answer
from worker.mart.client import USER_AGENT, base
from worker.mart.token import TokenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.config import Mart
    from worker.mart.token import TokenSource

_HEADERS = {
    "User-Agent": USER_AGENT,
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Prefer": "return=minimal",
}
_RECORDS = "/records?split_to_multi_req=false"
"""One post, one request to follow."""


@dataclass(frozen=True, slots=True)
class DataSets:
    """What v2 needs: the data set of a subscription (`KeyError` where it has none), and when to look at requests."""

    of: Callable[[str], str]
    pace: Pace


COMPRESSION_REFUSED = "compression-refused"
"""Why nothing goes on where the endpoint takes no gzip: `delivery.compression` is to be "none"."""

_GZIP = zlib.MAX_WBITS | 16


class Courier:
    """A pool of threads that post batches, each over a connection of its own; they are started as they are needed.

    The threads are daemons: a post that hangs does not keep a stopped worker alive; its records are not committed.
    """

    def __init__(
        self,
        mart: Mart,
        tokens: TokenSource,
        threads: int,
        *,
        compress: bool = False,
        data_sets: DataSets | None = None,
    ) -> None:
        self._base = base(mart)
        self._url = mart.url
        self._timeout = mart.timeout_seconds
        self._tls = cache(ssl.create_default_context)
        self._tokens = tokens
        self._threads = threads
        self._compress = compress
        self._refused = False  # by 415, the last compressed post that came to something
        self._data_sets = data_sets
        self._judge = judge if data_sets is None else judge_post
        self._under_way: set[Post] = set()
        self._jobs: SimpleQueue[Post | None] = SimpleQueue()
        self._outcomes: SimpleQueue[Posted] = SimpleQueue()
        self._connections: list[Connection] = []
        self._follower = None if data_sets is None else Follower(mart, tokens, data_sets.pace, self._end, self._tls)

    def send(self, post: Post) -> None:
        """Begin an attempt; its outcome will come out of `collect`."""
        self._jobs.put(post)
        self._under_way.add(post)
        if len(self._connections) < min(len(self._under_way), self._threads):
            connection = Connection(self._url, self._timeout, self._tls)
            name = f"post-{len(self._connections)}"
            self._connections.append(connection)
            threading.Thread(target=self._work, args=(connection,), name=name, daemon=True).start()

    def collect(self, timeout: float) -> list[Posted]:
        """The outcomes that are there; waits up to `timeout` seconds for the first. Ends posts that are overdue."""
        now = time.monotonic()
        for connection in self._connections:
            connection.cut(now)
        if self._follower is not None:
            self._follower.cut(now)
        outcomes: list[Posted] = []
        try:
            outcomes.append(self._outcomes.get(timeout=timeout) if timeout > 0 else self._outcomes.get_nowait())
            while True:
                outcomes.append(self._outcomes.get_nowait())
        except Empty:
            self._under_way.difference_update(outcome.post for outcome in outcomes)
            return outcomes

    def close(self) -> None:
        """Let idle threads end."""
        for _ in self._connections:
            self._jobs.put(None)
        if self._follower is not None:
            self._follower.close()

    def _work(self, connection: Connection) -> None:
        while self._take_turn(connection):
            pass
        connection.close()

    def _take_turn(self, connection: Connection) -> bool:
        """Make one post; False at the end. A function of its own: who waits for the next holds nothing of the last."""
        post = self._jobs.get()
        if post is None:
            return False
        place = ""
        try:
            place = self._place(post)
            answer = self._attempt(connection, post, place)
        except Exception:  # noqa: BLE001 - a thread that dies would lose its batch
            answer = no_answer("internal-error", sent=True)
        self._end(post, answer)
        if self._follower is not None:
            self._follow(self._follower, post, answer, place)
        return True

    def _end(self, post: Post, answer: Answer) -> None:
        self._outcomes.put(Posted(post, answer))

    def _follow(self, follower: Follower, post: Post, answer: Answer, place: str) -> None:
        if answer.request is not None:
            follower.follow(post, answer.request, f"{place}/requests/{answer.request}")
        elif answer.retry_after:
            follower.hold(answer.retry_after)

    def _place(self, post: Post) -> str:
        """The path below which a post's records go."""
        if self._data_sets is None:
            return self._base
        data_set = self._data_sets.of(post.batch.rows[0].subscription_id)
        return f"{self._base}/data_sets/{quote(data_set, safe='')}"

    def _attempt(self, connection: Connection, post: Post, place: str) -> Answer:
        try:
            token = self._tokens.current()
        except TokenError as error:
            return Answer(Verdict.HALT, "credentials-refused") if error.refused else no_answer("no-token", sent=False)
        path = place + ("/scoring_payloads" if self._data_sets is None else _RECORDS)
        headers = {**_HEADERS, "Authorization": f"Bearer {token}"}
        compressed = self._compresses(post)
        if compressed:
            headers["Content-Encoding"] = "gzip"
        reply = connection.post(path, lambda: _content(post, compressed=compressed), headers)
        if isinstance(reply, Answer):
            return reply
        answer = self._judge(reply.status, reply.headers, reply.body, datetime.now(UTC))
        if answer.verdict is Verdict.REFRESH:
            self._tokens.refused(token)
        if compressed and answer.status == http.HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
            self._refused = True
            return replace(answer, reason=COMPRESSION_REFUSED)
        if compressed and answer.verdict in (Verdict.ACCEPTED, Verdict.FOLLOW):
            self._refused = False
        return answer

    def _compresses(self, post: Post) -> bool:
        """What was refused, and a record alone, go plain: none is blamed because an endpoint cannot read gzip.

        After a 415 everything is compressed again, so that no record that happens to be alone seems to end the halt.
        """
        if not self._compress or post.batch.reason == "rejected":
            return False
        return len(post.batch.rows) > 1 or self._refused


def _content(post: Post, *, compressed: bool) -> bytes:
    """The rows as one JSON array."""
    parts = [row.payload for row in post.batch.rows]
    parts[0] = b"[" + parts[0]
    parts[-1] += b"]"
    content = b",".join(parts)
    return zlib.compress(content, 1, _GZIP) if compressed else content
