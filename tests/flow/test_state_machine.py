"""The flow under any order of events: nothing lost, nothing committed early, bounds held, all drains once healed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.flow.build import envelope, policy, rejection, row
from worker.flow.flood import FloodPolicy, Stop
from worker.flow.flow import Flow
from worker.flow.jobs import Letter, Lettered, Post, Posted
from worker.flow.requests import lost
from worker.flow.verdict import Answer, Verdict, no_answer
from worker.model import Claim, Disposition, Envelope, Half, Rejection, Side, apart

SUBSCRIPTIONS = ("s-0", "s-1", "s-2")
KINDS = (
    *("good", "good", "good", "poison", "bad", "unknown", "gone", "renewed", "gap", "unread", "unreadable"),
    *("request", "response"),
)
UNREAD = ("unread", "unreadable")
HALVES = {"request": Side.REQUEST, "response": Side.RESPONSE}
REFUSED_OR_HELD = ("bad", "unknown", *UNREAD, *HALVES)
RECORDS = 40
FLOOD = FloodPolicy(0.5, 12, 16)

ACCEPT = Answer(Verdict.ACCEPTED, "accepted", 202)
FAULTS = (
    no_answer("timeout", sent=True),
    Answer(Verdict.RETRY, "server-error", 503),
    Answer(Verdict.RETRY, "server-error", 503, retry_after=2.0),
    Answer(Verdict.THROTTLE, "throttled", 429),
    Answer(Verdict.REFRESH, "unauthorised", 401),
    Answer(Verdict.HALT, "forbidden", 403),
)
POISON = Answer(Verdict.SPLIT, "rejected", 400)
GONE = Answer(Verdict.SPLIT, "not-found", 404, Disposition.UNKNOWN_SUBSCRIPTION)
FOLLOW = Answer(Verdict.FOLLOW, "followed", 202, request="r")
FAILED = Answer(Verdict.SPLIT, "rejected", 200, request="r")
ENDS = (None, None, None, lost("r"), Answer(Verdict.RETRY, "request-failed", 200, request="r"))
TOO_LARGE = Answer(Verdict.TOO_LARGE, "too-large", 413, Disposition.TOO_LARGE)


class FlowMachine(RuleBasedStateMachine):
    """A broker with two partitions, a data mart that may fail in every way, a dead-letter topic that may be down.

    `fate` is the oracle: what has really happened to each offset, by partition, over all claims. Of the kinds of
    records, "bad" ones are refused by the rooms, "poison" ones by the data mart, "unknown" ones by the directory;
    "gone" ones get 404 always, "renewed" ones until a newer directory was asked. Of "unread" and "unreadable" ones the
    schema is not known, and turns out good or bad. A "request" and a "response" of a subscription are one scoring. A
    post may be taken first and stored later, as under v2, and what becomes of it may be lost.
    """

    by_subscription = False

    def __init__(self) -> None:
        super().__init__()
        self.flow = Flow(policy(records=RECORDS, flood=FLOOD, by_subscription=self.by_subscription, pairing=20))
        self.now = 0.0
        self.epoch = 0
        self.claims: dict[int, Claim] = {}
        self.position = {0: 0, 1: 0}
        self.committed = {0: 0, 1: 0}
        self.texts = {0: "", 1: ""}
        self.produced: dict[tuple[int, int], tuple[str, str]] = {}
        self.fate: dict[tuple[int, int], set[str]] = {}
        self.jobs: list[Post | Letter] = []
        self.taken: list[Post] = []
        self.renewed: set[tuple[int, int]] = set()

    @initialize()
    def begin(self) -> None:
        self.assign(0)

    # --- what the world does ------------------------------------------------------------------------------------

    @rule(partition=st.integers(0, 1))
    def assign(self, partition: int) -> None:
        if partition not in self.claims:
            self.epoch += 1
            claim = self.claims[partition] = Claim("t", partition, self.epoch)
            self.position[partition] = self.committed[partition]
            self.flow.assign([claim])
            self.flow.recall.recall(claim, self.committed[partition], self.texts[partition], 2**62)

    @rule(
        partition=st.integers(0, 1),
        kinds=st.lists(
            st.tuples(st.sampled_from(KINDS), st.sampled_from(SUBSCRIPTIONS)),
            min_size=1,
            max_size=12,
        ),
    )
    def read(self, partition: int, kinds: list[tuple[str, str]]) -> None:
        if partition not in self.claims:
            return
        room = self.flow.room
        records = []
        for kind, subscription in kinds[:room]:
            offset = self.position[partition]
            self.position[partition] += 1
            # what was produced at an offset stays what it is when it is read again
            known = self.produced.setdefault((partition, offset), (kind, subscription))
            if known[0] != "gap":
                records.append((envelope(self.claims[partition], offset), *known))
        begun = {id(each) for each in self.flow.begin([record for record, _, _ in records])}
        for record, _, _ in records:
            assert id(record) in begun or _place(record) in self.fate, "passed over, and nothing has become of it"
        records = [each for each in records if id(each[0]) in begun]
        self.flow.admit(
            [row(each, subscription) for each, kind, subscription in records if kind not in REFUSED_OR_HELD],
            [rejection(each) for each, kind, _ in records if kind == "bad"],
            self.now,
        )
        unknown = [(each, subscription) for each, kind, subscription in records if kind == "unknown"]
        self.flow.park([_unknown(each, subscription) for each, subscription in unknown], self.now)
        self.flow.shelve([(subscription, each) for each, kind, subscription in records if kind in UNREAD])
        self.join([(Half(HALVES[kind], name), each) for each, kind, name in records if kind in HALVES])

    def join(self, halves: list[tuple[Half, Envelope]]) -> None:
        pairs, refused = self.flow.join(halves, self.now)
        self.flow.admit([row(each, self.produced[_place(each)][1]) for each in pairs], refused, self.now)

    @rule(lag=st.integers(0, 1))
    def unpair(self, lag: int = 0) -> None:
        lags = dict.fromkeys(self.claims.values(), lag)
        self.flow.admit((), self.flow.unpaired(lags, self.now), self.now)

    @rule(schema=st.sampled_from(SUBSCRIPTIONS))
    def answer_schema(self, schema: str) -> None:
        """All is known of a schema; the records of one are told apart by their subscription here."""
        found = self.flow.unshelve([schema])
        kinds = {id(each): self.produced[_place(each)][0] for each in found}
        rows = [row(each, schema) for each in found if kinds[id(each)] == "unread"]
        refused = [rejection(each, Disposition.SCHEMA) for each in found if kinds[id(each)] == "unreadable"]
        self.flow.admit(rows, refused, self.now)

    @rule(ago=st.floats(0, 20))
    def refresh_directory(self, ago: float = 0.0) -> None:
        """A fetch that began a while ago has ended; subscriptions that are gone may be in it still."""
        parked = self.flow.unpark(self.now - ago)
        unknown = [each for each in parked if each.refusal.disposition is Disposition.UNKNOWN_ASSET]
        self.renewed |= {_place(each.envelope) for each in parked}
        self.flow.still_unknown(unknown, self.now - ago)
        again = [each.envelope for each in parked if each not in unknown]
        rows = [row(each, self.produced[_place(each)][1]) for each in again]
        self.flow.admit(rows, unknown, self.now)

    @rule()
    def stop_as_another_worker_has(self) -> None:
        self.flow.halt(Stop("rejected/rejected", 6, 12))

    @rule()
    def resume(self) -> None:
        self.flow.resume()

    @rule()
    def look(self) -> None:
        self.flow.look(self.now)

    @rule(seconds=st.floats(0, 40))
    def tick(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def start_jobs(self) -> None:
        jobs = self.flow.due(self.now)
        assert not self.flow.stopped or all(isinstance(job, Letter) for job in jobs)
        self.jobs += jobs

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def end_job(self, data: st.DataObject) -> None:
        job = self.jobs.pop(data.draw(st.integers(0, len(self.jobs) - 1)))
        if isinstance(job, Letter):
            self.end_letter(job, data.draw(st.booleans()))
        else:
            large = (TOO_LARGE,) if len(job.batch.rows) > 1 else ()
            self.end_post(job, data.draw(st.sampled_from((None, None, None, FOLLOW, FOLLOW, *FAULTS, *large))))

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def end_request(self, data: st.DataObject) -> None:
        """A request that was followed has ended, in any order; one whose end is lost may be stored all the same."""
        post = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        end = data.draw(st.sampled_from(ENDS))
        if end is not None and end.unseen and self.mart(post) is ACCEPT and data.draw(st.booleans()):
            self.stored(post)
        self.end_taken(post, end)

    @rule(turns=st.integers(1, 8), fault=st.sampled_from(FAULTS))
    def outage(self, turns: int, fault: Answer) -> None:
        """For a while every post fails in the same way, however long it is waited."""
        for _ in range(turns):
            self.start_jobs()
            for post in [job for job in self.jobs if isinstance(job, Post)]:
                self.jobs.remove(post)
                self.end_post(post, fault)
            self.now += 15

    def end_letter(self, letter: Letter, down: bool) -> None:  # noqa: FBT001 - drawn
        if not down:
            failed = letter.rejection.refusal.disposition is Disposition.SERVER_ERROR
            self.happened(letter.rejection.envelope, "failed alone" if failed else "lettered")
        self.flow.settle(Lettered(letter, "down" if down else None), self.now)

    def end_post(self, post: Post, fault: Answer | None) -> None:
        answer = fault or self.mart(post)
        if answer is FOLLOW and self.mart(post) is GONE:
            answer = GONE  # the data mart says so at once
        if answer is FOLLOW:
            self.taken.append(post)
        elif answer.verdict is Verdict.ACCEPTED:
            self.stored(post)
        self.flow.settle(Posted(post, answer), self.now)

    def end_taken(self, post: Post, end: Answer | None) -> None:
        answer = end or (ACCEPT if self.mart(post) is ACCEPT else FAILED)
        if answer is ACCEPT:
            self.stored(post)
        self.flow.settle(Posted(post, answer), self.now)

    def stored(self, post: Post) -> None:
        for each in post.batch.rows:
            for record in apart([each.envelope]):
                self.happened(record, "stored")

    def mart(self, post: Post) -> Answer:
        """A data mart that is well: it refuses a batch with a poisonous record, or one whose subscription is gone."""
        places = {_place(each) for each in apart(each.envelope for each in post.batch.rows)}
        kinds = {self.produced[place][0] for place in places}
        older = {self.produced[place][0] for place in places - self.renewed}
        if "poison" in kinds:
            return POISON
        return GONE if "gone" in kinds or "renewed" in older else ACCEPT

    def happened(self, each: Envelope, what: str) -> None:
        self.fate.setdefault(_place(each), set()).add(what)

    @rule()
    def commit(self) -> None:
        marks = self.flow.committable()
        self.flow.committed(marks)
        for claim, mark in marks.items():
            self.keep(claim, mark)

    def keep(self, claim: Claim, mark: int) -> None:
        """As the broker does."""
        self.committed[claim.partition], self.texts[claim.partition] = mark, self.flow.recall.text(claim, mark)

    @rule()
    def commit_that_fails(self) -> None:
        marks = self.flow.committable()
        self.flow.committed(marks)
        self.flow.committed(dict.fromkeys(marks))

    @rule(partition=st.integers(0, 1), lost=st.booleans())
    def revoke(self, partition: int, lost: bool) -> None:  # noqa: FBT001 - drawn
        claim = self.claims.pop(partition, None)
        if claim is not None:
            mark = self.flow.committable().get(claim)
            self.flow.release([claim])
            if mark is not None and not lost:
                self.keep(claim, mark)

    # --- the laws -----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_committed_that_is_not_settled(self) -> None:
        for partition, mark in self.committed.items():
            for offset in range(mark):
                kind, _ = self.produced[partition, offset]
                assert kind == "gap" or (partition, offset) in self.fate, f"{partition}@{offset} {kind}"

    @invariant()
    def what_is_open_is_held_exactly_once_and_nothing_else_is(self) -> None:
        """Conservation: a record in two places would be delivered twice, one in none would stand still for ever."""
        ledgers = self.flow._ledgers  # noqa: SLF001 - the law is about what is inside
        held = Counter((each.claim, each.offset) for each in self.flow._held() if each.claim in ledgers)  # noqa: SLF001
        opened = Counter((claim, offset) for claim, ledger in ledgers.items() for offset in ledger._open)  # noqa: SLF001
        assert held == opened
        assert self.flow.open_records == opened.total()

    @invariant()
    def no_fault_of_its_own_is_told(self) -> None:
        assert self.flow.account.tally.commits_refused == 0
        for notice in self.flow.account.notices:
            assert "fault" not in str(notice.fields.get("reason"))
        self.flow.account.notices.clear()

    @invariant()
    def while_it_is_stopped_nothing_is_read(self) -> None:
        if self.flow.stopped:
            assert self.flow.room == 0
            assert self.flow.stuck

    @invariant()
    def bounds_are_held(self) -> None:
        assert self.flow.open_records <= RECORDS
        assert 0 <= self.flow.posts_in_flight <= policy().in_flight
        assert self.flow.open_bytes >= 0

    @invariant()
    def halves_leave_room_for_what_flows(self) -> None:
        assert self.flow.halves <= max(RECORDS // 4, len(self.claims))

    @invariant()
    def good_records_are_stored_and_refused_ones_explained(self) -> None:
        for place, fates in self.fate.items():
            kind, _ = self.produced[place]
            if kind in HALVES:
                continue  # which of them make a pair depends on what was read before a claim was lost
            allowed = {"stored" if kind in ("good", "renewed", "unread") else "lettered", "failed alone"}
            assert fates <= allowed, f"{place}: a {kind} record was {fates}"

    def read_what_was_produced(self) -> None:
        """Read again what an earlier claim had read and not committed."""
        for partition in (0, 1):
            while self.flow.room and (partition, self.position[partition]) in self.produced:
                self.read(partition, [("known", "already")])

    def unread(self) -> bool:
        return any((partition, self.position[partition]) in self.produced for partition in (0, 1))

    def teardown(self) -> None:
        """Once the data mart heals and people resume, everything that is claimed drains."""
        for partition in (0, 1):
            self.assign(partition)
        for _ in range(2000):
            self.now += 5
            self.flow.resume()
            self.read_what_was_produced()
            self.refresh_directory()
            for schema in SUBSCRIPTIONS:
                self.answer_schema(schema)
            self.look()
            self.unpair()
            self.start_jobs()
            for job in self.jobs:
                if isinstance(job, Letter):
                    self.end_letter(job, down=False)
                else:
                    self.end_post(job, None)
            self.jobs.clear()
            for post in self.taken:
                self.end_taken(post, None)
            self.taken.clear()
            if not self.flow.open_records and not self.unread():
                break
        assert self.flow.idle
        assert self.flow.open_records == 0
        assert self.flow.in_flight == 0
        self.commit()
        self.nothing_is_committed_that_is_not_settled()
        for place, (kind, _) in self.produced.items():
            assert kind == "gap" or place in self.fate, f"{place}: a {kind} record was lost"


class BySubscription(FlowMachine):
    """The same with a lane for each subscription."""

    by_subscription = True


def _place(each: Envelope) -> tuple[int, int]:
    return each.claim.partition, each.offset


def _unknown(each: Envelope, asset: str) -> Rejection:
    return replace(rejection(each, Disposition.UNKNOWN_ASSET, "unknown-asset"), wanted=(None, asset, None))


TestFlow = FlowMachine.TestCase
TestFlow.settings = settings(max_examples=300, stateful_step_count=60)
TestFlowBySubscription = BySubscription.TestCase
TestFlowBySubscription.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
