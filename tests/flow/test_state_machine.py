"""The flow under any order of events: nothing lost, nothing committed early, bounds held, all drains once healed."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.flow.build import envelope, policy, rejection, row
from worker.flow.flow import Flow
from worker.flow.jobs import Letter, Lettered, Post, Posted
from worker.flow.verdict import Answer, Verdict, no_answer
from worker.model import Claim, Disposition

SUBSCRIPTIONS = ("s-0", "s-1", "s-2")
RECORDS = 40

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
TOO_LARGE = Answer(Verdict.TOO_LARGE, "too-large", 413, Disposition.TOO_LARGE)


class FlowMachine(RuleBasedStateMachine):
    """A broker with two partitions, a data mart that may fail in every way, a dead-letter topic that may be down.

    `fate` is the oracle: what has really happened to each offset, by partition, over all claims.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flow = Flow(policy(records=RECORDS))
        self.now = 0.0
        self.epoch = 0
        self.claims: dict[int, Claim] = {}
        self.position = {0: 0, 1: 0}
        self.committed = {0: 0, 1: 0}
        self.produced: dict[tuple[int, int], tuple[str, str]] = {}
        self.fate: dict[tuple[int, int], set[str]] = {}
        self.jobs: list[Post | Letter] = []
        self.healed = False

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

    @rule(
        partition=st.integers(0, 1),
        kinds=st.lists(
            st.tuples(st.sampled_from(("good", "poison", "bad", "unknown", "gap")), st.sampled_from(SUBSCRIPTIONS)),
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
        begun = self.flow.begin([record for record, _, _ in records])
        assert len(begun) == len(records)
        self.flow.admit(
            [row(each, subscription) for each, kind, subscription in records if kind in ("good", "poison")],
            [rejection(each) for each, kind, _ in records if kind == "bad"],
            self.now,
        )
        self.flow.park([rejection(each) for each, kind, _ in records if kind == "unknown"], self.now)

    @rule()
    def refresh_directory(self) -> None:
        self.flow.admit([], self.flow.unpark(self.now), self.now)

    @rule(seconds=st.floats(0, 40))
    def tick(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def start_jobs(self) -> None:
        self.jobs += self.flow.due(self.now)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def end_job(self, data: st.DataObject) -> None:
        job = self.jobs.pop(data.draw(st.integers(0, len(self.jobs) - 1)))
        if isinstance(job, Letter):
            self.end_letter(job, data.draw(st.booleans()))
        else:
            large = (TOO_LARGE,) if len(job.batch.rows) > 1 else ()
            self.end_post(job, data.draw(st.sampled_from((None, None, None, *FAULTS, *large))))

    @rule(turns=st.integers(1, 8), fault=st.sampled_from(FAULTS))
    def outage(self, turns: int, fault: Answer) -> None:
        """For a while every post fails in the same way, however long it is waited."""
        for _ in range(turns):
            self.jobs += self.flow.due(self.now)
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
        if answer.verdict is Verdict.ACCEPTED:
            for each in post.batch.rows:
                self.happened(each.envelope, "stored")
        self.flow.settle(Posted(post, answer), self.now)

    def mart(self, post: Post) -> Answer:
        """A data mart that is well: it refuses a batch with a poisonous record."""
        kinds = [self.produced[each.envelope.claim.partition, each.envelope.offset][0] for each in post.batch.rows]
        return POISON if "poison" in kinds else ACCEPT

    def happened(self, each: object, what: str) -> None:
        claim, offset = each.claim, each.offset  # type: ignore[attr-defined]
        self.fate.setdefault((claim.partition, offset), set()).add(what)

    @rule()
    def commit(self) -> None:
        marks = self.flow.committable()
        self.flow.committed(marks)
        for claim, mark in marks.items():
            self.committed[claim.partition] = mark

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
            if mark is not None and not lost:
                self.committed[partition] = mark
            self.flow.release([claim])

    # --- the laws -----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_committed_that_is_not_settled(self) -> None:
        for partition, mark in self.committed.items():
            for offset in range(mark):
                kind, _ = self.produced[partition, offset]
                assert kind == "gap" or (partition, offset) in self.fate, f"{partition}@{offset} {kind}"

    @invariant()
    def bounds_are_held(self) -> None:
        assert self.flow.open_records <= RECORDS
        assert 0 <= self.flow.posts_in_flight <= policy().in_flight
        assert self.flow.open_bytes >= 0

    @invariant()
    def good_records_are_stored_and_refused_ones_explained(self) -> None:
        for place, fates in self.fate.items():
            kind, _ = self.produced[place]
            allowed = {"stored" if kind == "good" else "lettered", "failed alone"}
            assert fates <= allowed, f"{place}: a {kind} record was {fates}"

    def read_what_was_produced(self) -> None:
        """Read again what an earlier claim had read and not committed."""
        for partition in (0, 1):
            while self.flow.room and (partition, self.position[partition]) in self.produced:
                self.read(partition, [("known", "already")])

    def unread(self) -> bool:
        return any((partition, self.position[partition]) in self.produced for partition in (0, 1))

    def teardown(self) -> None:
        """Once the data mart heals, everything that is claimed drains."""
        for partition in (0, 1):
            self.assign(partition)
        for _ in range(2000):
            self.now += 5
            self.read_what_was_produced()
            self.refresh_directory()
            self.jobs += self.flow.due(self.now)
            for job in self.jobs:
                if isinstance(job, Letter):
                    self.end_letter(job, down=False)
                else:
                    self.end_post(job, None)
            self.jobs.clear()
            if self.flow.idle and not self.unread():
                break
        assert self.flow.idle
        assert self.flow.in_flight == 0
        self.commit()
        self.nothing_is_committed_that_is_not_settled()
        for place, (kind, _) in self.produced.items():
            assert kind == "gap" or place in self.fate, f"{place}: a {kind} record was lost"


TestFlow = FlowMachine.TestCase
TestFlow.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
