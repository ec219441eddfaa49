"""Everything in flight between reading and committing: which job is next, and what an outcome changes."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, assert_never

from worker.flow.batch import Batch, BatchPolicy, Lane
from worker.flow.breaker import Breaker, BreakerPolicy, Passage
from worker.flow.offsets import Ledger
from worker.flow.verdict import Answer, Verdict
from worker.model import Claim, Envelope, Refusal, Rejection, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

MART = "mart"
"""The lane of all subscriptions together; the others are named by their subscription's id."""


@dataclass(frozen=True, slots=True)
class FlowPolicy:
    """How much may be open, and how long to insist.

    `records` and `size` (bytes as read) bound what is read and not settled, `parked` how many of those may wait for
    the directory; `in_flight` bounds the posts. `attempts` is how often one record may fail while others pass before
    it is dead-lettered; half as often, and a batch is split. `wait(n)` is the time in seconds before the n-th retry;
    `retry_after` caps what an endpoint may ask for.
    """

    batch: BatchPolicy
    breaker: BreakerPolicy
    wait: Callable[[int], float]
    records: int
    size: int
    parked: int
    in_flight: int
    attempts: int
    retry_after: float
    by_subscription: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Post:
    """A job: one HTTP attempt for `batch`. `host_probe`, `lane_probe`: this post tests a breaker that is open."""

    lane: Lane
    batch: Batch
    started: float
    host_probe: bool = False
    lane_probe: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A job: one attempt to write a rejection to the dead-letter topic."""

    rejection: Rejection
    attempts: int = 0
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class Posted:
    """The outcome of a post."""

    post: Post
    answer: Answer


@dataclass(frozen=True, slots=True)
class Lettered:
    """The outcome of a letter: `error` is None if the broker has acknowledged it."""

    letter: Letter
    error: str | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people should read in the log."""

    event: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class Tally:
    """What the flow has counted since it began; metrics are read from here."""

    consumed: int = 0
    delivered: int = 0
    duplicates: int = 0
    posts: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    lettered: Counter[str] = field(default_factory=Counter)
    letter_failures: int = 0


@dataclass(frozen=True, slots=True)
class _Parked:
    rejection: Rejection
    since: float


class Flow:
    """The one owner of everything that is open. Not thread-safe: one thread calls it, with its own clock.

    The life of an offset: `begin` opens it; `admit` gives it a row or a rejection, or `park` lets it wait for the
    directory; `due` hands out jobs, `settle` takes their outcomes and closes it; `committable` says how far each
    partition is settled without a gap.
    """

    def __init__(self, policy: FlowPolicy) -> None:
        self._policy = policy
        self._batches = policy.batch
        self._host = Breaker(replace(policy.breaker, failures=1))
        self._lanes: dict[str, Lane] = {}
        self._ledgers: dict[Claim, Ledger] = {}
        self._letters: deque[Letter] = deque()
        self._parked: deque[_Parked] = deque()
        self._largest = 0
        self._throttles = 0
        self._stopping = False
        self.posts_in_flight = 0
        self.letters_in_flight = 0
        self.letter_error: str | None = None
        """Why the dead-letter topic last refused a letter; None once it takes them."""
        self.tally = Tally()
        self.notices: list[Notice] = []
        self.refused: list[Rejection] = []
        """What the data mart has refused since this was last emptied, to be logged."""

    # --- what is open -------------------------------------------------------------------------------------------

    @property
    def open_records(self) -> int:
        """Records read and not settled."""
        return sum(len(ledger) for ledger in self._ledgers.values())

    @property
    def open_bytes(self) -> int:
        """Bytes of the records read and not settled."""
        return sum(ledger.size for ledger in self._ledgers.values())

    @property
    def room(self) -> int:
        """How many more records may be read now; 0: none, wait for outcomes."""
        policy = self._policy
        if len(self._parked) >= policy.parked or self.open_bytes >= policy.size:
            return 0
        return max(0, policy.records - self.open_records)

    @property
    def idle(self) -> bool:
        """Whether every record that was read is settled."""
        return not any(len(ledger) for ledger in self._ledgers.values())

    @property
    def in_flight(self) -> int:
        """Posts and letters whose outcome is awaited."""
        return self.posts_in_flight + self.letters_in_flight

    @property
    def stuck(self) -> bool:
        """Whether what is in flight will hardly end well: a halt, or an outage in every lane."""
        breakers = [lane.breaker for lane in self._lanes.values()]
        return not self._host.closed or (bool(breakers) and not any(breaker.closed for breaker in breakers))

    def blocked(self, now: float) -> str | None:
        """Why nothing is delivered at the moment, in a word: the halt, the outage, the hold; None where it flows."""
        if self._host.reason:
            return self._host.reason
        if self._host.held(now) > 0:
            return "retry-after"
        reasons = [lane.breaker.reason for lane in self._lanes.values()]
        return reasons[0] if reasons and all(reasons) else None

    # --- partitions ---------------------------------------------------------------------------------------------

    def assign(self, claims: Iterable[Claim]) -> None:
        """Take charge of new claims."""
        self._ledgers.update((claim, Ledger()) for claim in claims)

    def release(self, claims: Collection[Claim]) -> None:
        """Forget claims and all that is open for them; outcomes that come later for them change nothing."""
        for claim in claims:
            self._ledgers.pop(claim, None)
        for lane in self._lanes.values():
            lane.drop(claims)
        self._letters = deque(letter for letter in self._letters if letter.rejection.envelope.claim not in claims)
        self._parked = deque(parked for parked in self._parked if parked.rejection.envelope.claim not in claims)

    def committable(self, *, again: bool = False) -> dict[Claim, int]:
        """The position to commit for each claim that has settled more than was committed.

        `again`: for each that has settled anything, as a last commit must not trust earlier ones still under way.
        """
        ledgers = self._ledgers.items()
        marks = ((claim, ledger.settled() if again else ledger.committable()) for claim, ledger in ledgers)
        return {claim: mark for claim, mark in marks if mark is not None}

    def committed(self, marks: Mapping[Claim, int | None]) -> None:
        """Remember what was committed; a mark of None: the commit failed, offer it again."""
        for claim, mark in marks.items():
            if ledger := self._ledgers.get(claim):
                ledger.committed(mark)

    def positions(self) -> dict[Claim, int | None]:
        """The offset that each claim should be read from next; None before its first record."""
        return {claim: ledger.next for claim, ledger in self._ledgers.items()}

    # --- records in ---------------------------------------------------------------------------------------------

    def begin(self, envelopes: Iterable[Envelope]) -> list[Envelope]:
        """Open the offsets of records just read, in the order they were read.

        Returns those that count: a record whose claim has gone since it was read is the next owner's.
        """
        begun: list[Envelope] = []
        for envelope in envelopes:
            ledger = self._ledgers.get(envelope.claim)
            if ledger is not None:
                ledger.begin(envelope.offset, len(envelope.value or b""))
                begun.append(envelope)
        self.tally.consumed += len(begun)
        return begun

    def admit(self, rows: Iterable[Row], rejections: Iterable[Rejection], now: float) -> None:
        """Take what the rooms made of records that were begun."""
        for row in rows:
            self._lane_of(row.subscription_id).add(row, now)
        for rejection in rejections:
            self._reject(rejection)

    def park(self, rejections: Iterable[Rejection], now: float) -> None:
        """Let records wait whose target the directory does not know yet."""
        self._parked.extend(_Parked(rejection, now) for rejection in rejections)

    @property
    def wants_directory(self) -> bool:
        """Whether records wait for the directory to be fetched anew."""
        return bool(self._parked)

    def unpark(self, begun: float) -> list[Rejection]:
        """Remove and return what has waited since before `begun`, when the fetch that has now ended began."""
        ready = [parked.rejection for parked in self._parked if parked.since <= begun]
        self._parked = deque(parked for parked in self._parked if parked.since > begun)
        return ready

    def stop(self) -> None:
        """Nothing more will be read: lanes close at once."""
        self._stopping = True

    # --- jobs out -----------------------------------------------------------------------------------------------

    def due(self, now: float) -> list[Post | Letter]:
        """The jobs to start now; each must come back through `settle`."""
        jobs: list[Post | Letter] = list(self._due_letters(now))
        for key in sorted(self._lanes, key=lambda key: -len(self._lanes[key].rows)):
            lane = self._lanes[key]
            while (post := self._next_post(lane, now)) is not None:
                jobs.append(post)
        return jobs

    def _due_letters(self, now: float) -> list[Letter]:
        due = [letter for letter in self._letters if letter.due <= now]
        if due:
            self._letters = deque(letter for letter in self._letters if letter.due > now)
            self.letters_in_flight += len(due)
        return due

    def _next_post(self, lane: Lane, now: float) -> Post | None:
        host, own = self._host.passage(now), lane.breaker.passage(now)
        if Passage.NONE in (host, own) or self.posts_in_flight >= self._limit(lane):
            return None
        batch = lane.next_ready(now) or self._close(lane, now)
        if batch is None:
            return None
        if own is Passage.ONE and batch.attempts and len(batch.rows) > 1:
            batch, rest = batch.halves(now)
            lane.ready.append(rest)
        lane.in_flight += 1
        self.posts_in_flight += 1
        return Post(lane, batch, now, self._host.started(), lane.breaker.started())

    def _limit(self, lane: Lane) -> int:
        """Posts that may be in flight when a lane starts one: an isolated lane leaves half of them to the others."""
        isolated = lane.key != MART and not self._policy.by_subscription
        return max(1, self._policy.in_flight // 2) if isolated else self._policy.in_flight

    def _close(self, lane: Lane, now: float) -> Batch | None:
        closes = lane.closes_at(self._batches)
        pressed = self._stopping or (self.posts_in_flight == 0 and self.room == 0)
        if closes is None or (closes > now and not pressed):
            return None
        return lane.take(self._batches)

    # --- outcomes in --------------------------------------------------------------------------------------------

    def settle(self, outcome: Posted | Lettered, now: float) -> None:
        """Take the outcome of a job that `due` handed out."""
        if isinstance(outcome, Posted):
            self._settle_post(outcome.post, outcome.answer, now)
        else:
            self._settle_letter(outcome.letter, outcome.error, now)

    def _settle_letter(self, letter: Letter, error: str | None, now: float) -> None:
        self.letters_in_flight -= 1
        if error is None:
            self.tally.lettered[letter.rejection.refusal.disposition] += 1
            self._finish(letter.rejection.envelope)
        elif letter.rejection.envelope.claim in self._ledgers:
            self.tally.letter_failures += 1
            attempts = letter.attempts + 1
            self._letters.append(replace(letter, attempts=attempts, due=now + self._policy.wait(attempts)))
        if error != self.letter_error:
            self.letter_error = error
            self._notice("dead_letter.failing" if error else "dead_letter.recovered", error=error)

    def _settle_post(self, post: Post, answer: Answer, now: float) -> None:
        post.lane.in_flight -= 1
        self.posts_in_flight -= 1
        self.tally.posts[answer.reason] += 1
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
                self._end_probe(post)
                self._split(post, answer, now)
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
            self._finish(row.envelope)
        self.tally.delivered += len(post.batch.rows)
        self._rejoin(lane, now)

    def _passed(self, post: Post) -> None:
        """The data mart itself has answered to the records: endpoint and credentials are well."""
        if self._host.passed():
            self._notice("halt.ended")
        if post.lane.breaker.passed():
            self._notice("circuit.closed", lane=post.lane.key)

    def _failed(self, post: Post, answer: Answer, now: float) -> None:
        """A failure is the batch's own only where others passed since it failed before; else it is an outage."""
        batch, lane = post.batch, post.lane
        self.tally.retries[answer.reason] += 1
        self._host.ended(probe=post.host_probe)
        if lane.breaker.failed(answer.reason, now, probe=post.lane_probe):
            self._notice("circuit.opened", lane=lane.key, reason=answer.reason)
        own = batch.last_failed is not None and lane.accept_started > batch.last_failed
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
            self._again(lane, batch)

    def _patience(self, batch: Batch) -> int:
        return self._policy.attempts if len(batch.rows) == 1 else max(1, self._policy.attempts // 2)

    def _blame(self, post: Post, answer: Answer, now: float) -> None:
        """A batch fails while others pass: find the subscription, and in its own lane the record."""
        batch, lane = post.batch, post.lane
        if lane.key == MART and not batch.mixed:
            self._isolate(batch.rows[0].subscription_id, answer, now)
            self._again(lane, batch)
        else:
            self._split(post, replace(answer, disposition=answer.disposition.SERVER_ERROR), now)

    def _isolate(self, subscription: str, answer: Answer, now: float) -> None:
        """Give a subscription a lane of its own, and move there what waits of it with the others."""
        if subscription in self._lanes:
            return
        self._lanes[subscription] = self._new_lane(subscription)
        self._notice("subscription.isolated", subscription=subscription, reason=answer.reason)
        mart = self._lane_of(MART)
        for row in mart.take_all():
            self._lane_of(row.subscription_id).add(row, now)
        waiting, mart.ready = mart.ready, deque()
        for batch in waiting:
            self._again(mart, batch)

    def _throttled(self, post: Post, answer: Answer, now: float) -> None:
        self.tally.retries[answer.reason] += 1
        self._end_probe(post)
        self._throttles += 1
        if not answer.retry_after:
            self._hold(self._policy.wait(self._throttles), now)
        self._again(post.lane, replace(post.batch, due=now))

    def _unauthorised(self, post: Post, answer: Answer, now: float) -> None:
        """The courier has dropped the refused token: one more try with a new one, then it is the credentials."""
        if post.batch.refreshed:
            self._halted(post, answer, now)
            return
        self.tally.retries[answer.reason] += 1
        self._end_probe(post)
        self._again(post.lane, replace(post.batch, refreshed=True, due=now))

    def _halted(self, post: Post, answer: Answer, now: float) -> None:
        post.lane.breaker.ended(probe=post.lane_probe)
        if self._host.trip(answer.reason, now, probe=post.host_probe):
            self._notice("halt.began", reason=answer.reason, status=answer.status)
        self._again(post.lane, replace(post.batch, refreshed=False, due=now))

    def _split(self, post: Post, answer: Answer, now: float) -> None:
        """Look for the refused record by halves; a batch of one has found it."""
        batch = post.batch
        if len(batch.rows) > 1:
            for half in reversed(batch.halves(now)):
                self._again(post.lane, half, front=True)
        elif answer.reason == "conflict" and batch.unseen:
            self.tally.duplicates += 1
            self._finish(batch.rows[0].envelope)
        else:
            rejection = _rejection(batch, answer)
            self.refused.append(rejection)
            self._reject(rejection)

    def _learn_size(self, batch: Batch) -> None:
        """A post was too large: batches shrink to half of it, but not below what was taken before."""
        limit = max(self._largest, batch.size // 2, 1)
        if len(batch.rows) > 1 and limit < self._batches.size:
            self._batches = replace(self._batches, size=limit)
            self._notice("batch.size_learned", bytes=limit)

    def _end_probe(self, post: Post) -> None:
        """Something has answered, maybe not the data mart: neither a breaker's failure nor its success."""
        self._host.ended(probe=post.host_probe)
        post.lane.breaker.ended(probe=post.lane_probe)

    def _hold(self, seconds: float, now: float) -> None:
        self._host.hold(now + min(seconds, self._policy.retry_after))

    # --- small hands --------------------------------------------------------------------------------------------

    def _again(self, lane: Lane, batch: Batch, *, front: bool = False) -> None:
        """Let a batch wait for its next try: without rows of claims that are gone, isolated subscriptions apart."""
        homes: dict[str, list[Row]] = {}
        for row in batch.rows:
            if row.envelope.claim in self._ledgers:
                isolated = lane.key == MART and row.subscription_id in self._lanes
                homes.setdefault(row.subscription_id if isolated else lane.key, []).append(row)
        for key, rows in homes.items():
            home = self._lanes.setdefault(key, lane)
            part = replace(batch, rows=rows)
            if front:
                home.ready.appendleft(part)
            else:
                home.ready.append(part)

    def _finish(self, envelope: Envelope) -> None:
        ledger = self._ledgers.get(envelope.claim)
        if ledger is not None:
            ledger.finish(envelope.offset)

    def _reject(self, rejection: Rejection) -> None:
        if rejection.envelope.claim not in self._ledgers:
            return
        self.tally.rejected[rejection.refusal.disposition] += 1
        self._letters.append(Letter(rejection))

    def _lane_of(self, subscription: str) -> Lane:
        if not self._policy.by_subscription and subscription not in self._lanes:
            subscription = MART
        lane = self._lanes.get(subscription)
        if lane is None:
            lane = self._lanes[subscription] = self._new_lane(subscription)
        return lane

    def _new_lane(self, key: str) -> Lane:
        return Lane(key, Breaker(self._policy.breaker))

    def _rejoin(self, lane: Lane, now: float) -> None:
        """End the isolation of a subscription that has nothing left that failed."""
        if lane.key == MART or lane.ready or not lane.breaker.closed:
            return
        if self._policy.by_subscription:
            if lane.empty:
                self._lanes.pop(lane.key, None)
        elif self._lanes.pop(lane.key, None) is not None:
            for row in lane.take_all():
                self._lane_of(MART).add(row, now)

    def _notice(self, event: str, **fields: Any) -> None:
        self.notices.append(Notice(event, fields))


def _rejection(batch: Batch, answer: Answer) -> Rejection:
    detail = f"the data mart answered {answer.status or answer.reason} to this record alone"
    return Rejection(
        batch.rows[0].envelope,
        Refusal(answer.disposition, answer.reason, detail),
        batch.attempts,
        answer.status,
        answer.body,
    )
