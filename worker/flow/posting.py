"""Rows on their way to the data mart: which post starts when, and what an answer changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from worker.flow.breaker import Breaker, Passage
from worker.flow.jobs import Post
from worker.flow.lanes import MART, Lanes
from worker.flow.verdict import Answer, Verdict
from worker.model import Disposition, Refusal, Rejection

if TYPE_CHECKING:
    from collections.abc import Collection

    from worker.flow.account import Account
    from worker.flow.batch import Batch, Lane
    from worker.flow.letters import Letters
    from worker.flow.offsets import Ledgers
    from worker.flow.policy import FlowPolicy
    from worker.model import Claim, Row


class Posting:
    """Rows wait in lanes, are posted in batches, and are settled, tried again, split or rejected by the verdict.

    Two kinds of breaker stand before a post: the host's, for halts and `Retry-After`, and the lane's, for failures.
    """

    def __init__(self, policy: FlowPolicy, ledgers: Ledgers, letters: Letters, account: Account) -> None:
        self._policy = policy
        self._batches = policy.batch
        self._ledgers = ledgers
        self._letters = letters
        self._account = account
        self._host = Breaker(replace(policy.breaker, failures=1))
        self._lanes = Lanes(policy, ledgers)
        self._largest = 0
        self._throttles = 0
        self.in_flight = 0

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

    def add(self, row: Row, now: float) -> None:
        """Let a row wait to be posted."""
        self._lanes.of(row.subscription_id).add(row, now)

    def drop(self, claims: Collection[Claim]) -> None:
        """Forget what waits for claims that are gone."""
        self._lanes.drop(claims)

    # --- posts out ----------------------------------------------------------------------------------------------

    def due(self, now: float, *, pressed: bool) -> list[Post]:
        """The posts to start now; `pressed`: nothing more can come, so lanes close at once."""
        posts: list[Post] = []
        while self.in_flight < self._policy.in_flight:
            # one at a time, so that no lane, however full, takes the turn of another
            started = (self._next(lane, now, pressed=pressed) for lane in self._lanes)
            post = next((post for post in started if post is not None), None)
            if post is None:
                break
            posts.append(post)
        return posts

    def _next(self, lane: Lane, now: float, *, pressed: bool) -> Post | None:
        host, own = self._host.passage(now), lane.breaker.passage(now)
        if Passage.NONE in (host, own) or lane.in_flight >= self._limit(lane):
            return None
        batch = lane.next_ready(now) or self._close(lane, now, pressed=pressed)
        if batch is None:
            return None
        if own is Passage.ONE and batch.attempts and len(batch.rows) > 1:
            batch, rest = batch.halves(now)
            lane.ready.append(rest)
        lane.in_flight += 1
        self.in_flight += 1
        return Post(lane, batch, now, self._host.started(), lane.breaker.started())

    def _limit(self, lane: Lane) -> int:
        """Posts of a lane that may be in flight: an isolated lane leaves half of them to the others."""
        return max(1, self._policy.in_flight // 2) if self._lanes.isolated(lane) else self._policy.in_flight

    def _close(self, lane: Lane, now: float, *, pressed: bool) -> Batch | None:
        closes = lane.closes_at(self._batches)
        if closes is None or (closes > now and not pressed):
            return None
        return lane.take(self._batches)

    # --- answers in ---------------------------------------------------------------------------------------------

    def settle(self, post: Post, answer: Answer, now: float) -> None:
        """Take a post's answer."""
        post.lane.in_flight -= 1
        self.in_flight -= 1
        self._account.tally.posts[answer.reason] += 1
        batch = replace(post.batch, attempts=post.batch.attempts + 1, unseen=post.batch.unseen or answer.unseen)
        post = replace(post, batch=batch)
        if answer.retry_after and answer.verdict is not Verdict.ACCEPTED:
            self._hold(answer.retry_after, now)
        match answer.verdict:
            case Verdict.ACCEPTED:
                self._accepted(post, now)
            case Verdict.RETRY:
                self._failed(post, answer, now)
            case Verdict.THROTTLE:
                self._throttled(post, answer, now)
            case Verdict.REFRESH:
                self._unauthorised(post, answer, now)
            case Verdict.SPLIT:
                self._passed(post)
                self._split(post, answer, now)
            case Verdict.SPLIT_EDGE:
                self._refused_at_edge(post, answer, now)
            case Verdict.TOO_LARGE:
                self._end_probe(post)
                self._learn_size(batch)
                self._split(post, answer, now)
            case Verdict.HALT:
                self._halted(post, answer, now)
            case _:
                assert_never(answer.verdict)

    def _accepted(self, post: Post, now: float) -> None:
        lane = post.lane
        self._throttles = 0
        self._largest = max(self._largest, post.batch.size)
        lane.accept_started = max(lane.accept_started, post.started)
        self._passed(post)
        for row in post.batch.rows:
            self._ledgers.finish(row.envelope)
        self._account.tally.delivered += len(post.batch.rows)
        self._lanes.rejoin(lane, now)

    def _passed(self, post: Post) -> None:
        """The data mart itself has answered to the records: endpoint and credentials are well."""
        if self._host.passed():
            self._account.notice("halt.ended")
        if post.lane.breaker.passed():
            self._account.notice("circuit.closed", lane=post.lane.key)

    def _failed(self, post: Post, answer: Answer, now: float) -> None:
        """A failure is the batch's own only where others passed since it failed before; else it is an outage."""
        batch, lane = post.batch, post.lane
        self._account.tally.retries[answer.reason] += 1
        self._host.ended(probe=post.host_probe)
        if lane.breaker.failed(answer.reason, now, probe=post.lane_probe):
            self._account.notice("circuit.opened", lane=lane.key, reason=answer.reason)
        own = _contradicted(post)
        batch = replace(
            batch,
            contradicted=batch.contradicted + own,
            last_failed=now,
            due=now + self._policy.wait(batch.attempts),
        )
        post = replace(post, batch=batch)
        if own and batch.contradicted >= self._patience(batch):
            self._blame(post, answer, now)
        else:
            self._lanes.again(lane, batch)

    def _patience(self, batch: Batch) -> int:
        return self._policy.attempts if len(batch.rows) == 1 else max(1, self._policy.attempts // 2)

    def _blame(self, post: Post, answer: Answer, now: float) -> None:
        """A batch fails while others pass: find the subscription, and in its own lane the record."""
        batch, lane = post.batch, post.lane
        if lane.key == MART and not batch.mixed:
            subscription = batch.rows[0].subscription_id
            if self._lanes.isolate(subscription, now):
                self._account.notice("subscription.isolated", subscription=subscription, reason=answer.reason)
            self._lanes.again(lane, batch)
        else:
            self._split(post, replace(answer, disposition=Disposition.SERVER_ERROR), now)

    def _throttled(self, post: Post, answer: Answer, now: float) -> None:
        self._account.tally.retries[answer.reason] += 1
        self._end_probe(post)
        self._throttles += 1
        if not answer.retry_after:
            self._hold(self._policy.wait(self._throttles), now)
        self._lanes.again(post.lane, replace(post.batch, due=now))

    def _unauthorised(self, post: Post, answer: Answer, now: float) -> None:
        """The courier has dropped the refused token: one more try with a new one, then it is the credentials."""
        if post.batch.refreshed:
            self._halted(post, answer, now)
            return
        self._account.tally.retries[answer.reason] += 1
        self._end_probe(post)
        self._lanes.again(post.lane, replace(post.batch, refreshed=True, due=now))

    def _halted(self, post: Post, answer: Answer, now: float) -> None:
        post.lane.breaker.ended(probe=post.lane_probe)
        if self._host.trip(answer.reason, now, probe=post.host_probe):
            self._account.notice("halt.began", reason=answer.reason, status=answer.status)
        self._lanes.again(post.lane, replace(post.batch, refreshed=False, due=now))

    def _split(self, post: Post, answer: Answer, now: float) -> None:
        """Look for the refused record by halves; a batch of one has found it."""
        batch = post.batch
        if len(batch.rows) > 1:
            for half in reversed(batch.halves(now)):
                self._lanes.again(post.lane, half, front=True)
        elif answer.reason == "conflict" and batch.unseen:
            self._account.tally.duplicates += 1
            self._ledgers.finish(batch.rows[0].envelope)
        else:
            rejection = _rejection(batch, answer)
            self._account.refused.append(rejection)
            self._letters.add(rejection)

    def _refused_at_edge(self, post: Post, answer: Answer, now: float) -> None:
        """A firewall refuses a record's text only where it lets others pass; else it refuses us."""
        batch = post.batch
        own = _contradicted(post)
        post = replace(post, batch=replace(batch, last_failed=now))
        if own or len(batch.rows) > 1:
            self._end_probe(post)
            self._split(post, answer, now)
        else:
            self._halted(post, answer, now)

    def _learn_size(self, batch: Batch) -> None:
        """A post was too large: batches shrink to half of it, but not below what was taken before."""
        limit = max(self._largest, batch.size // 2, 1)
        if len(batch.rows) > 1 and limit < self._batches.size:
            self._batches = replace(self._batches, size=limit)
            self._account.notice("batch.size_learned", bytes=limit)

    def _end_probe(self, post: Post) -> None:
        """Something has answered, maybe not the data mart: neither a breaker's failure nor its success."""
        self._host.ended(probe=post.host_probe)
        post.lane.breaker.ended(probe=post.lane_probe)

    def _hold(self, seconds: float, now: float) -> None:
        self._host.hold(now + min(seconds, self._policy.retry_after))


def _contradicted(post: Post) -> bool:
    """Whether others have passed since the batch failed before, so that its failure is its own."""
    failed = post.batch.last_failed
    return failed is not None and post.lane.accept_started > failed


def _rejection(batch: Batch, answer: Answer) -> Rejection:
    detail = f"the data mart answered {answer.status or answer.reason} to this record alone"
    return Rejection(
        batch.rows[0].envelope,
        Refusal(answer.disposition, answer.reason, detail),
        batch.attempts,
        answer.status,
        answer.body,
    )
