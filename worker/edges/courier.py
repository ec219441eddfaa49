"""HTTP out: each post is one attempt on a thread of its own connection, judged, and handed back."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from worker.edges.connection import Connection
from worker.flow.jobs import Post, Posted
from worker.flow.verdict import Answer, Verdict, judge, no_answer
from worker.mart.client import USER_AGENT
from worker.mart.token import TokenError

if TYPE_CHECKING:
    from worker.config import Mart
    from worker.mart.token import TokenSource

_HEADERS = {
    "User-Agent": USER_AGENT,
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Prefer": "return=minimal",
}


class Courier:
    """A pool of threads that post batches, each over a connection of its own.

    The threads are daemons: a post that hangs does not keep a stopped worker alive; its records are not committed.
    """

    def __init__(self, mart: Mart, tokens: TokenSource, threads: int) -> None:
        url = f"{mart.url}/v1/data_marts/{mart.data_mart_id}/scoring_payloads"
        self._tokens = tokens
        self._jobs: SimpleQueue[Post | None] = SimpleQueue()
        self._outcomes: SimpleQueue[Posted] = SimpleQueue()
        self._connections = [Connection(url, mart.timeout_seconds) for _ in range(threads)]
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

    def _work(self, connection: Connection) -> None:
        while (post := self._jobs.get()) is not None:
            try:
                answer = self._attempt(connection, post)
            except Exception:  # noqa: BLE001 - a thread that dies would lose its batch
                answer = no_answer("internal-error", sent=True)
            self._outcomes.put(Posted(post, answer))
        connection.close()

    def _attempt(self, connection: Connection, post: Post) -> Answer:
        try:
            token = self._tokens.current()
        except TokenError as error:
            return Answer(Verdict.HALT, "credentials-refused") if error.refused else no_answer("no-token", sent=False)
        content = b"[" + b",".join([row.payload for row in post.batch.rows]) + b"]"
        reply = connection.post(content, {**_HEADERS, "Authorization": f"Bearer {token}"})
        if isinstance(reply, Answer):
            return reply
        answer = judge(reply.status, reply.headers, reply.body, datetime.now(UTC))
        if answer.verdict is Verdict.REFRESH:
            self._tokens.refused(token)
        return answer
