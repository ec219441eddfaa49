"""Rows on their way to the data mart: which lane they wait in, and which post starts when."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from worker.flow.breaker import Breaker, Passage
from worker.flow.concurrency import Limiter, load
from worker.flow.following import Following
from worker.flow.jobs import Post
from worker.flow.lanes import MART, Lanes
from worker.flow.outcome import Outcomes
from worker.flow.verdict import Verdict
from worker.model import apart

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from worker.flow.account import Account
    from worker.flow.batch import Batch, Lane
    from worker.flow.letters import Letters
    from worker.flow.offsets import Ledgers
    from worker.flow.policy import FlowPolicy
    from worker.flow.verdict import Answer
    from worker.model import Claim, Envelope, Rejection, Row


MARGIN = 2_000
"""Rows that may wait at least beside what posts can take now: some reads' worth, or each would be for a few only."""


class Posting:
    """Rows wait in lanes and are posted in batches; what an answer changes is `Outcomes`' to say.

    Two kinds of breaker stand before a post: the host's, for halts and `Retry-After`, and the lane's, for failures.
    """

    def __init__(self, policy: FlowPolicy, ledgers: Ledgers, letters: Letters, account: Account) -> None:
        self._policy = policy
        self._host = Breaker(replace(policy.breaker, failures=1))
        self._lanes = Lanes(policy, ledgers)
        self._outcomes = Outcomes(policy, self._host, self._lanes, ledgers=ledgers, letters=letters, account=account)
        self._limiter = Limiter(policy.in_flight)
        self._started: set[Post] = set()
        self._following = Following(ledgers)
        self._apart = 0  # of those started, posts of isolated lanes

    @property
    def limit(self) -> int:
        """Posts that may be in flight now."""
        return self._limiter.limit

    @property
    def in_flight(self) -> int:
        """Posts whose outcome is awaited."""
        return len(self._started)

    @property
    def waits(self) -> bool:
        """Whether posts could start but for the number that may be in flight."""
        return self._limiter.wanted

    @property
    def room(self) -> int | None:
        """How many more rows the posts that may be in flight can use soon; None where that is no bound.

        Rows beyond that would wait for nothing but each other, and take memory. Where each subscription has batches of
        its own they are small because rows are few, so there as many may wait as there is room for.
        """
        if self._policy.by_subscription:
            return None
        batch = self._policy.batch.records
        places = max(0, self._limiter.limit - self.in_flight)
        return max(0, places * batch + max(2 * batch, MARGIN) - self._lanes.fresh)

    @property
    def followed(self) -> int:
        """Posts that were taken and are not stored yet."""
        return len(self._following)

    @property
    def stuck(self) -> bool:
        """Whether what is in flight will hardly end well: a halt, or an outage in every lane."""
        breakers = [lane.breaker for lane in self._lanes]
        return not self._host.closed or (bool(breakers) and not any(breaker.closed for breaker in breakers))

    def blocked(self, now: float, *, full: bool) -> str | None:
        """Why nothing is delivered at the moment, in a word: the halt, the hold, the outage; None where it flows.

        `full`: no more can be read, so that the outage of one lane is everybody's.
        """
        if self._host.reason:
            return self._host.reason
        if self._host.held(now) > 0:
            return "retry-after"
        reasons = [lane.breaker.reason for lane in self._lanes]
        shut = [reason for reason in reasons if reason is not None]
        return shut[0] if shut and (full or len(shut) == len(reasons)) else None

    # --- rows in, and what is held ------------------------------------------------------------------------------

    def add(self, rows: Collection[Row], now: float) -> int:
        """Let rows wait to be posted; how many they were."""
        return self._lanes.add(rows, now)

    def drop(self, claims: Collection[Claim]) -> None:
        """Forget what waits for claims that are gone."""
        self._lanes.drop(claims)
        self._outcomes.drop(claims)
        self._following.drop()

    def forget(self, envelope: Envelope) -> None:
        """Forget what was noted of a record that is settled elsewhere."""
        self._outcomes.forget(envelope)

    def held(self) -> Iterator[Envelope]:
        """The records that wait here or are in flight, in no order."""
        for lane in self._lanes:
            for row in lane.waiting():
                yield row.envelope
        for post in self._started:
            for row in post.batch.rows:
                yield row.envelope
        yield from self._following.held()

    def look(self, now: float) -> None:
        """Find what is slow; once a second is often enough."""
        self._following.look(now)

    def shut_in(self) -> Counter[Claim]:
        """Records of each claim that are held up in one subscription; the lane of all is everybody's outage.

        They wait in a shut lane, or were taken long ago and are not stored yet.
        """
        shut = (lane for lane in self._lanes if lane.key != MART and not lane.breaker.closed)
        return self._following.slow + Counter(
            each.claim for lane in shut for each in apart(row.envelope for row in lane.waiting())
        )

    def why(self, claim: Claim, offset: int) -> str | None:
        """Why a record that is held here is not settled yet, in a few words; None if it is not held here."""
        for post in self._started:
            if _has(post.batch.rows, claim, offset):
                return _tried(post.batch, "in flight")
        for lane in self._lanes:
            for batch in lane.ready:
                if _has(batch.rows, claim, offset):
                    return _tried(batch, self._host.reason or lane.breaker.reason or "waits for its next try")
            if _has(lane.rows, claim, offset):
                return self._host.reason or lane.breaker.reason or "waits for its batch"
        return self._following.why(claim, offset)

    # --- posts out, answers in ----------------------------------------------------------------------------------

    def due(self, now: float, *, pressed: bool) -> list[Post]:
        """The posts to start now; `pressed`: nothing more can come, so lanes close at once."""
        if pressed:
            self._press(now)
        posts: list[Post] = []
        shut: list[tuple[Lane, float]] = []
        turns = self._lanes.turns
        while self._may_start(now) and (turn := turns.next(now)) is not None:
            # one at a time, so that no lane, however full, takes the turn of another
            lane, _ = turn
            post = self._next(lane, now, pressed=pressed)
            due = now if pressed and lane.rows else lane.due_at(self._outcomes.batches, now)
            if post is not None:
                posts.append(post)
            if post is None and due <= now:
                shut.append(turn)
            else:
                turns.wake(lane, max(due, now))
        self._limiter.wanted = self.in_flight >= self._limiter.limit and turns.waits(now)
        for lane, since in shut:
            turns.enter(lane, since)
        return posts

    def _may_start(self, now: float) -> bool:
        return self.in_flight < self._limiter.limit and self._host.passage(now) is not Passage.NONE

    def _press(self, now: float) -> None:
        for lane in self._lanes:
            if lane.rows and lane.turn is None:
                self._lanes.turns.enter(lane, now)

    def _next(self, lane: Lane, now: float, *, pressed: bool) -> Post | None:
        host, own = self._host.passage(now), lane.breaker.passage(now)
        if Passage.NONE in (host, own) or lane.in_flight >= self._limit(lane):
            return None
        if Passage.ONE in (host, own):
            batch = self._probe(lane, now, pressed=pressed)
        else:
            batch = lane.next_ready(now) or self._close(lane, now, pressed=pressed)
        if batch is None:
            return None
        post = Post(lane, batch, now, self._host.started(), lane.breaker.started())
        self._started.add(post)
        lane.in_flight += 1
        self._apart += self._lanes.isolated(lane)
        return post

    def _probe(self, lane: Lane, now: float, *, pressed: bool) -> Batch | None:
        """Test an open lane, or the host, in turn with what has failed before and with new rows: either may pass.

        Halves are enough for it: one of them is without the bad record, or without the sick subscription.
        """
        batch = None if lane.probed_again else lane.next_ready(now)
        batch = batch or self._close(lane, now, pressed=pressed) or lane.next_ready(now)
        if batch is None:
            return None
        lane.probed_again = batch.attempts > 0
        if len(batch.rows) > 1 and (batch.attempts or batch.mixed):
            batch, rest = batch.halves(now)
            lane.ready.appendleft(rest)
        return batch

    def _limit(self, lane: Lane) -> int:
        """Posts of a lane that may be in flight: isolated lanes together leave half of them to the others."""
        if not self._lanes.isolated(lane):
            return self._limiter.limit
        return max(1, self._limiter.limit // 2) - (self._apart - lane.in_flight)

    def _close(self, lane: Lane, now: float, *, pressed: bool) -> Batch | None:
        closes = lane.closes_at(self._outcomes.batches)
        if closes is None or (closes > now and not pressed):
            return None
        return lane.take(self._outcomes.batches)

    def settle(self, post: Post, answer: Answer, now: float) -> list[Rejection]:
        """Take a post's answer, or the end of its request if it was followed.

        Returns records whose subscription has gone: a newer directory has to be asked.
        """
        if post in self._started:
            self._ended(post, answer, now)
        else:
            taken = self._following.end(post)
            if taken is None:
                return []
            post = taken
        if answer.verdict is Verdict.FOLLOW and answer.request is not None:
            self._following.hold(post, answer.request, now)
            self._outcomes.follow()
            return []
        return self._outcomes.take(post, answer, now)

    def _ended(self, post: Post, answer: Answer, now: float) -> None:
        """A post is no longer in flight, and its place is free for another."""
        batch, lane = post.batch, post.lane
        self._limiter.settle(load(answer), started=post.started, size=batch.size, in_flight=self.in_flight, now=now)
        self._started.discard(post)
        self._apart -= self._lanes.isolated(lane)
        lane.in_flight -= 1
        self._lanes.turns.move(lane)


def _has(rows: Collection[Row], claim: Claim, offset: int) -> bool:
    return any(row.envelope.offset == offset and row.envelope.claim is claim for row in rows)


def _tried(batch: Batch, state: str) -> str:
    return f"{state}; {batch.attempts} posts failed, last: {batch.reason}" if batch.attempts else state
