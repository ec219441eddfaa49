"""HTTP out: each post is one attempt on a thread of its own connection, judged, and handed back.

Under v2 it goes to the data set of its subscription, and what is taken there is followed to its end (contract §8).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
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


class Courier:
    """A pool of threads that post batches, each over a connection of its own.

    The threads are daemons: a post that hangs does not keep a stopped worker alive; its records are not committed.
    """

    def __init__(self, mart: Mart, tokens: TokenSource, threads: int, data_sets: DataSets | None = None) -> None:
        self._base = base(mart)
        self._tokens = tokens
        self._data_sets = data_sets
        self._judge = judge if data_sets is None else judge_post
        self._jobs: SimpleQueue[Post | None] = SimpleQueue()
        self._outcomes: SimpleQueue[Posted] = SimpleQueue()
        self._connections = [Connection(mart.url, mart.timeout_seconds) for _ in range(threads)]
        self._follower = None if data_sets is None else Follower(mart, tokens, threads, data_sets.pace, self._end)
        for number, connection in enumerate(self._connections):
            threading.Thread(target=self._work, args=(connection,), name=f"post-{number}", daemon=True).start()

    def send(self, post: Post) -> None:
        """Begin an attempt; its outcome will come out of `collect`."""
        self._jobs.put(post)

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
            return outcomes

    def close(self) -> None:
        """Let idle threads end."""
        for _ in self._connections:
            self._jobs.put(None)
        if self._follower is not None:
            self._follower.close()

    def _work(self, connection: Connection) -> None:
        while (post := self._jobs.get()) is not None:
            place = ""
            try:
                place = self._place(post)
                answer = self._attempt(connection, post, place)
            except Exception:  # noqa: BLE001 - a thread that dies would lose its batch
                answer = no_answer("internal-error", sent=True)
            self._end(post, answer)
            if self._follower is not None:
                self._follow(self._follower, post, answer, place)
        connection.close()

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
        content = b"[" + b",".join([row.payload for row in post.batch.rows]) + b"]"
        path = place + ("/scoring_payloads" if self._data_sets is None else _RECORDS)
        reply = connection.post(path, content, {**_HEADERS, "Authorization": f"Bearer {token}"})
        if isinstance(reply, Answer):
            return reply
        answer = self._judge(reply.status, reply.headers, reply.body, datetime.now(UTC))
        if answer.verdict is Verdict.REFRESH:
            self._tokens.refused(token)
        return answer
