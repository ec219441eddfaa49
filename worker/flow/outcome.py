"""What an answer changes: records are settled, tried again, split or rejected, and breakers open and close."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from worker.flow.blame import Suspects, alone, first_try, patience
from worker.flow.lanes import MART
from worker.flow.verdict import FOLLOWED, UNEXPECTED, Answer, Verdict
from worker.model import Disposition, Refusal, Rejection

if TYPE_CHECKING:
    from collections.abc import Collection

    from worker.flow.account import Account
    from worker.flow.batch import Batch, Lane
    from worker.flow.breaker import Breaker
    from worker.flow.jobs import Post
    from worker.flow.lanes import Lanes
    from worker.flow.letters import Letters
    from worker.flow.offsets import Ledgers
    from worker.flow.policy import FlowPolicy
    from worker.model import Claim, Envelope


class Outcomes:
    """Takes answers. `batches` is when lanes close: as the policy has it, or less once a post was too large."""

    def __init__(
        self,
        policy: FlowPolicy,
        host: Breaker,
        lanes: Lanes,
        *,
        ledgers: Ledgers,
        letters: Letters,
        account: Account,
    ) -> None:
        self._policy = policy
        self._host = host
        self._lanes = lanes
        self._ledgers = ledgers
        self._letters = letters
        self._account = account
        self.batches = policy.batch
        self._largest = 0
        self._throttles = 0
        self._accept_started = -1.0
        self._suspects = Suspects()
        self._not_found: set[tuple[Claim, int]] = set()
        self._asks: list[Rejection] = []

    def drop(self, claims: Collection[Claim]) -> None:
        """Forget what was noted of claims that are gone."""
        self._not_found = {place for place in self._not_found if place[0] not in claims}

    def forget(self, envelope: Envelope) -> None:
        """Forget that a record's subscription was not found."""
        if self._not_found:
            self._not_found.discard((envelope.claim, envelope.offset))

    def take(self, post: Post, answer: Answer, now: float) -> list[Rejection]:
        """Take a post's answer; returns records that wait for a newer directory: their subscription was not found."""
        self._account.tally.posts[answer.reason] += 1
        found = post.batch
        batch = replace(found, attempts=found.attempts + 1, reason=answer.reason, unseen=found.unseen or answer.unseen)
        if answer.retry_after and answer.verdict is not Verdict.ACCEPTED:
            self._hold(answer.retry_after, now)
        if not found.attempts and answer.verdict in (Verdict.RETRY, Verdict.ACCEPTED):
            first_try(post.lane, failed=answer.verdict is Verdict.RETRY)
        self._judge(replace(post, batch=batch), answer, now)
        asks, self._asks = self._asks, []
        return asks

    def follow(self) -> None:
        """A post was taken, and what becomes of it is to come: endpoint and credentials are well, no more is known."""
        self._account.tally.posts[FOLLOWED] += 1
        self._throttles = 0
        self._host_passed()

    def _judge(self, post: Post, answer: Answer, now: float) -> None:
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
                self._learn_size(post.batch)
                self._split(post, answer, now)
            case Verdict.HALT | Verdict.FOLLOW:  # one to follow is held before it comes here
                self._halted(post, answer, now)
            case _:
                assert_never(answer.verdict)

    # --- the endpoint is well -----------------------------------------------------------------------------------

    def _accepted(self, post: Post, now: float) -> None:
        lane = post.lane
        self._throttles = 0
        self._largest = max(self._largest, post.batch.size)
        lane.accept_started = max(lane.accept_started, post.started)
        self._accept_started = max(self._accept_started, post.started)
        self._passed(post)
        self._ledgers.finish(*[row.envelope for row in post.batch.rows])
        self._suspects.passed(post.batch.rows)
        if self._not_found:
            self._not_found.difference_update((row.envelope.claim, row.envelope.offset) for row in post.batch.rows)
        self._account.tally.delivered += len(post.batch.rows)
        self._lanes.rejoin(lane, now)

    def _passed(self, post: Post) -> None:
        """The data mart itself has answered to the records: endpoint and credentials are well."""
        self._host_passed()
        if post.lane.breaker.passed():
            self._account.notice("circuit.closed", lane=post.lane.key)

    def _host_passed(self) -> None:
        if self._host.passed():
            self._account.notice("halt.ended")

    # --- it fails, for everybody or for one ---------------------------------------------------------------------

    def _failed(self, post: Post, answer: Answer, now: float) -> None:
        """A failure is the batch's own only where others passed since it failed before; else it is an outage."""
        batch, lane = post.batch, post.lane
        self._account.tally.retries[answer.reason] += 1
        self._host.ended(probe=post.host_probe)
        if lane.breaker.failed(answer.reason, now, probe=post.lane_probe):
            self._account.notice("circuit.opened", lane=lane.key, reason=answer.reason)
        own = _passed_since(batch, lane.accept_started)
        batch = replace(
            batch,
            contradicted=batch.contradicted + own,
            elsewhere=batch.elsewhere + _passed_since(batch, self._accept_started),
            last_failed=now,
            due=now + self._policy.wait(batch.attempts),
        )
        post = replace(post, batch=batch)
        attempts = self._policy.attempts
        if self._suspected(batch, lane, now):
            self._isolate(post, answer, now)
        elif (own and batch.contradicted >= patience(batch, lane, attempts)) or alone(batch, lane, attempts):
            self._blame(post, answer, now)
        else:
            self._lanes.again(lane, batch)

    def _suspected(self, batch: Batch, lane: Lane, now: float) -> bool:
        """Whether it is one subscription that fails while others of the common lane pass."""
        if lane.key != MART or batch.mixed:
            return False
        return self._suspects.failed(batch.rows[0].subscription_id, lane.accept_started, now)

    def _isolate(self, post: Post, answer: Answer, now: float) -> None:
        subscription = post.batch.rows[0].subscription_id
        if self._lanes.isolate(subscription, now):
            self._account.notice("subscription.isolated", subscription=subscription, reason=answer.reason)
        self._lanes.again(post.lane, post.batch)

    def _blame(self, post: Post, answer: Answer, now: float) -> None:
        """A batch fails while others pass: find the subscription, and in its own lane the record."""
        batch, lane = post.batch, post.lane
        if lane.key == MART and not batch.mixed:
            self._isolate(post, answer, now)
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
        """The endpoint's fault; but what is not about credentials may be the batch's own, where others pass."""
        if answer.reason.startswith(UNEXPECTED) and _passed_since(post.batch, self._accept_started):
            self._failed(post, answer, now)
            return
        post = replace(post, batch=_first_failed(post.batch, now))
        post.lane.breaker.ended(probe=post.lane_probe)
        if self._host.trip(answer.reason, now, probe=post.host_probe):
            self._account.notice("halt.began", reason=answer.reason, status=answer.status)
        self._lanes.again(post.lane, replace(post.batch, refreshed=False, due=now))

    # --- it refuses records -------------------------------------------------------------------------------------

    def _split(self, post: Post, answer: Answer, now: float) -> None:
        """Look for the refused record by halves; a batch of one has found it."""
        batch = post.batch
        if len(batch.rows) > 1:
            for half in reversed(batch.halves(now)):
                self._lanes.again(post.lane, half, front=True)
        elif answer.reason == "conflict" and batch.unseen:
            self._account.tally.duplicates += 1
            self._ledgers.finish(batch.rows[0].envelope)
            self.forget(batch.rows[0].envelope)
        else:
            self._refuse(_rejection(batch, answer))

    def _refuse(self, rejection: Rejection) -> None:
        """Dead-letter a record; one whose subscription was not found only after a newer directory was asked."""
        place = rejection.envelope.claim, rejection.envelope.offset
        gone = rejection.refusal.disposition is Disposition.UNKNOWN_SUBSCRIPTION
        if gone and place not in self._not_found and rejection.envelope.claim in self._ledgers:
            self._not_found.add(place)
            self._asks.append(rejection)
        else:
            self._not_found.discard(place)
            self._account.refused.append(rejection)
            self._letters.add(rejection)

    def _refused_at_edge(self, post: Post, answer: Answer, now: float) -> None:
        """A firewall refuses a record's text only where it lets others pass; else it refuses us."""
        batch = post.batch
        own = _passed_since(batch, self._accept_started)
        post = replace(post, batch=_first_failed(batch, now))
        if own or len(batch.rows) > 1:
            self._end_probe(post)
            self._split(post, answer, now)
        else:
            self._halted(post, answer, now)

    def _learn_size(self, batch: Batch) -> None:
        """A post was too large: batches shrink to half of it, but not below what was taken before."""
        limit = max(self._largest, batch.size // 2, 1)
        if len(batch.rows) > 1 and limit < self.batches.size:
            self.batches = replace(self.batches, size=limit)
            self._account.notice("batch.size_learned", bytes=limit)

    # --- breakers -----------------------------------------------------------------------------------------------

    def _end_probe(self, post: Post) -> None:
        """Something has answered, maybe not the data mart: neither a breaker's failure nor its success."""
        self._host.ended(probe=post.host_probe)
        post.lane.breaker.ended(probe=post.lane_probe)

    def _hold(self, seconds: float, now: float) -> None:
        self._host.hold(now + min(seconds, self._policy.retry_after))


def _passed_since(batch: Batch, accept_started: float) -> bool:
    """Whether a post has passed that started after the batch failed before, so that its failure is its own."""
    return batch.last_failed is not None and accept_started > batch.last_failed


def _first_failed(batch: Batch, now: float) -> Batch:
    """Keeps when it failed first: it may be tried again so soon that nobody passes between two of its failures."""
    return batch if batch.last_failed is not None else replace(batch, last_failed=now)


def _rejection(batch: Batch, answer: Answer) -> Rejection:
    detail = f"the data mart answered {answer.status or answer.reason} to this record alone"
    if answer.request is not None:
        detail = "the data mart took this record alone, and could not store it"
    return Rejection(
        batch.rows[0].envelope,
        Refusal(answer.disposition, answer.reason, detail),
        batch.attempts,
        answer.status,
        answer.body,
    )
