"""Batches that the data mart has taken and not stored yet: held until their requests have ended (v2 only)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from worker.model import apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.flow.jobs import Post
    from worker.flow.offsets import Ledgers
    from worker.model import Claim, Envelope

SLOW = 30.0
"""Seconds after which a request is slow: what it holds must not crowd out what others read."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A post that was taken as `request`, followed since then."""

    post: Post
    request: str
    since: float


class Following:
    """What is followed. It needs no posting thread, takes nothing of the posts in flight, and counts as open."""

    def __init__(self, ledgers: Ledgers) -> None:
        self._ledgers = ledgers
        self._taken: dict[Post, Taken] = {}
        self._slow: Counter[Claim] = Counter()

    def __len__(self) -> int:
        return len(self._taken)

    def hold(self, post: Post, request: str, now: float) -> None:
        """Hold a post that was taken. Of its probes only the lane's goes on: the host has answered well."""
        post.lane.followed += 1
        self._taken[post] = Taken(replace(post, host_probe=False), request, now)

    def end(self, post: Post) -> Post | None:
        """Take out a post whose request has ended; None: it was forgotten meanwhile."""
        taken = self._taken.pop(post, None)
        if taken is None:
            return None
        post.lane.followed -= 1
        return taken.post

    def drop(self) -> None:
        """Forget what holds only records of claims that are gone: nobody waits for its end."""
        for post in list(self._taken):
            if not any(row.envelope.claim in self._ledgers for row in post.batch.rows):
                self.end(post)
                post.lane.breaker.ended(probe=post.lane_probe)

    def held(self) -> Iterator[Envelope]:
        """The records that are followed, in no order."""
        for post in self._taken:
            for row in post.batch.rows:
                yield row.envelope

    def look(self, now: float) -> None:
        """Find the slow ones; once a second is often enough."""
        slow = (post for post, taken in self._taken.items() if now - taken.since >= SLOW)
        self._slow = Counter(each.claim for post in slow for each in apart(row.envelope for row in post.batch.rows))

    @property
    def slow(self) -> Counter[Claim]:
        """Records of each claim whose requests are slow, as last looked."""
        return self._slow

    def why(self, claim: Claim, offset: int) -> str | None:
        """Why a record that is followed is not settled yet, in a few words; None if it is not followed."""
        for post, taken in self._taken.items():
            if any(row.envelope.offset == offset and row.envelope.claim is claim for row in post.batch.rows):
                return f"the data mart has taken it and not stored it yet: request {taken.request}"
        return None
