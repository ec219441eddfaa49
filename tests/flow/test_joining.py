"""Halves that wait for each other: joined in any order, told apart, given up in time, never too many."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flow.build import envelope, policy, row
from tests.flow.mart import ACCEPT, CLAIM, FAIL, OTHER, REFUSE, Mart
from worker.flow.flow import Flow
from worker.flow.jobs import Letter, Lettered
from worker.flow.joining import LOOK, RECENT, Joining
from worker.model import Claim, Disposition, Envelope, Half, Pair, Refusal, Rejection, Side, apart

ASKED, ANSWERED = Side.REQUEST, Side.RESPONSE
WINDOW = 60.0


def code(rejection: object) -> str:
    assert isinstance(rejection, Rejection)
    return rejection.refusal.code


def at(claim: Claim, offset: int, second: float) -> Envelope:
    """A record that was produced at a second."""
    made = envelope(claim, offset)
    return Envelope(claim, offset, int(second * 1000), made.key, made.value, ())


@given(
    st.lists(
        st.tuples(st.sampled_from(Side), st.sampled_from("abcd"), st.sampled_from((CLAIM, OTHER))),
        max_size=40,
    )
)
def test_every_half_is_in_one_pair_or_refused_or_waits_and_pairs_are_of_one_key_and_claim(
    came: list[tuple[Side, str, Claim]],
) -> None:
    joining = Joining(WINDOW)
    ends: Counter[int] = Counter()
    for offset, (side, key, claim) in enumerate(came):
        found = joining.add(Half(side, key), envelope(claim, offset), 0.0)
        if isinstance(found, Pair):
            assert came[found.request.offset] == (ASKED, key, claim)
            assert came[found.response.offset] == (ANSWERED, key, claim)
            assert found.claim is claim
            assert found.offset == min(found.request.offset, found.response.offset)
            ends.update(each.offset for each in apart([found]))
        elif found is not None:
            assert code(found) == f"duplicate-{side}"
            ends[found.envelope.offset] += 1
    ends.update(each.offset for each in joining.held())
    assert ends == Counter(range(len(came)))
    assert len(joining) == len(list(joining.held()))
    joining.drop([CLAIM])
    assert all(each.claim is OTHER for each in joining.held())
    assert len(joining) == len(list(joining.held()))


def looked(joining: Joining, now: float, *, lag: int | None = 0) -> list[str]:
    """The codes of what is given up; a lag of None: no broker has told it."""
    return [code(each) for each in joining.look({} if lag is None else {CLAIM: lag, OTHER: lag}, now)]


def test_a_half_is_given_up_after_the_window_once_its_partition_is_read_to_the_end() -> None:
    joining = Joining(WINDOW)
    assert joining.add(Half(ASKED, "a"), envelope(CLAIM, 0), 0.0) is None
    assert joining.add(Half(ANSWERED, "b"), envelope(CLAIM, 1), 30.0) is None
    assert looked(joining, 1.0) == []
    assert looked(joining, WINDOW - 1) == []
    assert looked(joining, WINDOW) == ["unpaired-request"]
    assert looked(joining, WINDOW + 30) == ["unpaired-response"]
    assert len(joining) == 0


def test_what_is_not_read_to_the_end_may_still_come_however_long_it_takes() -> None:
    joining = Joining(WINDOW)
    joining.add(Half(ASKED, "a"), envelope(CLAIM, 0), 0.0)
    assert looked(joining, 1e6, lag=1) == [], "the other half may be the next record"
    assert looked(joining, 1e6 + 1, lag=None) == [], "its leader is not reached: the other half may be there"
    assert looked(joining, 1e6 + 2) == ["unpaired-request"]


def read_on(joining: Joining, begin: int, seconds: int, made: float, *, first: int = 1) -> list[str]:
    """Read a record of a backlog each second from `begin` on, made at one time; the codes of what is given up."""
    codes: list[str] = []
    for at_second in range(begin, begin + seconds):
        joining.add(Half(ASKED, f"b{first + at_second}"), at(CLAIM, first + at_second, made), float(at_second))
        codes += looked(joining, at_second, lag=9)
    return codes


def test_in_a_backlog_records_younger_by_the_window_say_that_the_half_does_not_come() -> None:
    joining = Joining(WINDOW)
    joining.add(Half(ASKED, "a"), at(CLAIM, 0, 1000), 0.0)
    assert read_on(joining, 1, 99, 1000 + WINDOW - 1) == []
    assert read_on(joining, 100, RECENT - 1, 1000 + WINDOW) == [], "a few may be of any time"
    assert read_on(joining, 100 + RECENT, 1, 1000 + WINDOW) == ["unpaired-request"]
    assert 0 not in {each.offset for each in joining.held()}


def test_a_half_whose_partition_was_not_read_for_the_window_is_kept_whatever_the_timestamps_say() -> None:
    """Records dated in the future, then an outage of hours: the other half may be the next record."""
    joining = Joining(WINDOW)
    joining.add(Half(ASKED, "a"), at(CLAIM, 0, 1000), 0.0)
    assert read_on(joining, 1, RECENT, 1e9) == []
    for second in range(10, 10_000):
        assert looked(joining, second, lag=9) == []
    assert read_on(joining, 10_000, 1, 1e9) == [], "it is read again only now"
    assert isinstance(joining.add(Half(ANSWERED, "a"), at(CLAIM, 99_999, 1000), 10_001.0), Pair)


def test_one_record_that_is_dated_in_the_future_says_nothing_of_the_others() -> None:
    joining = Joining(WINDOW)
    joining.add(Half(ASKED, "a"), at(CLAIM, 0, 1000), 0.0)
    joining.add(Half(ASKED, "future"), at(CLAIM, 1, 1e9), 0.0)
    assert read_on(joining, 2, 200, 1001) == []


def test_only_claims_whose_oldest_half_has_waited_for_the_window_are_overdue() -> None:
    joining = Joining(WINDOW)
    joining.add(Half(ASKED, "a"), envelope(CLAIM, 0), 0.0)
    joining.add(Half(ASKED, "b"), envelope(OTHER, 0), 1.0)
    assert joining.overdue(WINDOW - 0.5) == []
    assert joining.overdue(WINDOW + 0.5) == [CLAIM]
    joining.add(Half(ANSWERED, "a"), envelope(CLAIM, 1), 2.0)
    assert joining.overdue(WINDOW + 1) == [OTHER]


@given(
    st.lists(st.tuples(st.sampled_from(Side), st.integers(0, 30), st.floats(0, 10)), max_size=60),
    st.floats(1, 100),
)
def test_in_time_everything_is_joined_or_given_up(came: list[tuple[Side, int, float]], window: float) -> None:
    joining = Joining(window)
    now = 0.0
    for offset, (side, key, passed) in enumerate(came):
        now += passed
        joining.add(Half(side, str(key)), envelope(CLAIM, offset), now)
    looked(joining, now)
    waiting = len(joining)
    assert len(looked(joining, now + window + LOOK)) == waiting
    assert len(joining) == 0


def test_too_many_or_too_large_crowd_out_the_oldest_and_never_the_newest() -> None:
    joining = Joining(WINDOW)
    for offset in range(5):
        joining.add(Half(ASKED, str(offset)), envelope(CLAIM, offset), 0.0)
    joining.add(Half(ASKED, "x"), envelope(OTHER, 0), 0.0)
    assert [each.envelope.offset for each in joining.crowd_out(3, 1000)] == [0, 1]
    assert [each.envelope.offset for each in joining.crowd_out(3, 1)] == [2, 3]
    assert len(joining) == 2


# --- in the flow: one row, two offsets -------------------------------------------------------------------------------


def halves(flow: Flow, *given: tuple[int, Side, str], claim: Claim = CLAIM, now: float = 0.0) -> list[Pair]:
    """Read halves; the pairs that they complete are admitted as rows."""
    begun = {each.offset: each for each in flow.begin([envelope(claim, offset) for offset, _, _ in given])}
    told = [(Half(side, key), begun[offset]) for offset, side, key in given if offset in begun]
    pairs, refused = flow.join(told, now)
    flow.admit([row(each) for each in pairs], refused, now)
    return pairs


def test_one_row_settles_two_offsets_and_nothing_commits_past_a_half_that_waits() -> None:
    flow = Flow(policy())
    mart = Mart(flow)
    assert len(halves(flow, (0, ASKED, "a"), (1, ASKED, "b"), (2, ANSWERED, "a"))) == 1
    assert flow.committable() == {CLAIM: 0}
    assert flow.open_records == 3
    mart.turn(ACCEPT)
    mart.turn(ACCEPT)
    assert flow.account.tally.delivered == 1
    assert flow.committable() == {CLAIM: 1}, "1 waits"
    assert flow.idle, "a drain does not wait for it"
    halves(flow, (3, ANSWERED, "b"))
    assert not flow.idle
    mart.turn(ACCEPT)
    mart.turn(ACCEPT)
    assert flow.committable() == {CLAIM: 4}
    assert flow.open_records == 0


def test_a_scoring_that_is_refused_is_dead_lettered_as_two_records_each_as_it_came() -> None:
    flow = Flow(policy())
    mart = Mart(flow)
    halves(flow, (0, ANSWERED, "a"), (1, ASKED, "a"))
    for _ in range(20):
        mart.turn(REFUSE)
    assert sorted(mart.letters) == [0, 1]
    assert flow.committable() == {CLAIM: 2}


def test_letters_of_a_pair_are_records_with_a_value_and_each_holds_the_commit() -> None:
    flow = Flow(policy())
    flow.assign([CLAIM])
    begun = flow.begin([envelope(CLAIM, 0), envelope(CLAIM, 1)])
    pair = Pair.of(begun[1], begun[0])
    flow.admit((), [Rejection(pair, Refusal(Disposition.NORMALISE, "shape", "no data"))], 0.0)
    letters = [job for job in flow.due(0.0) if isinstance(job, Letter)]
    assert [letter.rejection.envelope for letter in letters] == [begun[1], begun[0]]
    flow.settle(Lettered(letters[0], None), 0.0)
    assert flow.committable() == {CLAIM: 0}
    flow.settle(Lettered(letters[1], None), 0.0)
    assert flow.committable() == {CLAIM: 2}


def test_a_revoked_claim_forgets_its_halves() -> None:
    flow = Flow(policy())
    flow.assign([CLAIM, OTHER])
    halves(flow, (0, ASKED, "a"))
    halves(flow, (0, ASKED, "b"), claim=OTHER)
    flow.release([CLAIM])
    assert flow.halves == 1
    again = Claim(CLAIM.topic, CLAIM.partition, 9)
    flow.assign([again])
    assert halves(flow, (0, ANSWERED, "a"), claim=again) == [], "the half of the old claim is not joined"


def test_halves_leave_most_of_the_room_to_what_flows() -> None:
    flow = Flow(policy(records=40))
    mart = Mart(flow)
    for offset in range(40):
        halves(flow, (offset, ASKED, str(offset)))
    assert flow.halves == 10
    assert flow.room == 0
    mart.turn(ACCEPT)
    assert set(mart.letters) == set(range(30))
    assert flow.room == 30


def test_an_outage_that_fills_the_room_gives_up_no_half_however_long_it_lasts() -> None:
    flow = Flow(policy(records=20))
    mart = Mart(flow)
    halves(flow, (0, ASKED, "a"))
    mart.read(*range(1, 20))
    for second in range(0, 100_000, 1_000):
        mart.turn(FAIL, seconds=1_000)
        assert flow.unpaired({CLAIM: 5}, mart.now) == [], f"what is unread has been for {second} s"
    for _ in range(100):
        mart.turn(ACCEPT)
    assert flow.unpaired({CLAIM: 5}, mart.now) == []
    assert len(halves(flow, (20, ANSWERED, "a"))) == 1


def test_a_partition_at_its_end_has_its_halves_given_up_though_there_is_no_room_to_read() -> None:
    flow = Flow(policy(records=20))
    mart = Mart(flow)
    halves(flow, (0, ASKED, "a"))
    mart.read(*range(1, 20))
    assert flow.room == 0
    assert list(flow.overdue_halves(59.0)) == []
    assert list(flow.overdue_halves(60.0)) == [CLAIM]
    assert [code(each) for each in flow.unpaired({CLAIM: 0}, 60.0)] == ["unpaired-request"]


def test_a_half_that_fills_all_room_alone_is_given_up_for_its_other_could_never_be_read() -> None:
    flow = Flow(policy(size=8))
    flow.assign([CLAIM])
    halves(flow, (0, ASKED, "a"))
    assert flow.room == 0
    (given_up,) = flow.unpaired({CLAIM: 1}, 1.0)
    assert given_up.refusal.code == "unpaired-request"


@pytest.mark.parametrize("side", list(Side))
def test_what_a_partition_waits_for_is_said(side: Side) -> None:
    flow = Flow(policy())
    mart = Mart(flow)
    halves(flow, (0, side, "a"))
    for offset in range(1, 4):
        mart.read(offset)
        mart.turn(ACCEPT)
    flow.look(100.0)
    flow.look(140.0)
    (told,) = mart.noticed("partition.held_up")
    assert told["reason"] == f"waits for its {side.other}"


# --- what is settled beyond a commit ---------------------------------------------------------------------------------


def test_after_a_restart_what_was_settled_behind_a_waiting_half_is_passed_over() -> None:
    flow = Flow(policy())
    mart = Mart(flow)
    halves(flow, (0, ASKED, "early"), (1, ASKED, "lone"), (2, ANSWERED, "early"), (3, ASKED, "b"), (4, ANSWERED, "b"))
    halves(flow, (5, ANSWERED, "late"), (6, ASKED, "c"), (7, ANSWERED, "c"))
    for _ in range(3):
        mart.turn(ACCEPT)
    (mark,) = flow.committable(again=True).values()
    assert mark == 1, "between the two halves of a scoring that is stored"
    text = flow.recall.text(CLAIM, mark)

    flow = Flow(policy())
    again = Claim(CLAIM.topic, CLAIM.partition, 2)
    flow.assign([again])
    flow.recall.recall(again, mark, text, 8)
    begun = flow.begin([envelope(again, offset) for offset in range(1, 10)])
    assert [each.offset for each in begun] == [1, 5, 8, 9]
    assert flow.committable() == {again: 1}


def test_what_was_committed_with_another_position_or_topic_is_no_news() -> None:
    flow = Flow(policy())
    mart = Mart(flow)
    halves(flow, (0, ASKED, "lone"), (1, ASKED, "b"), (2, ANSWERED, "b"))
    mart.turn(ACCEPT)
    mart.turn(ACCEPT)
    flow.committable(again=True)
    text = flow.recall.text(CLAIM, 0)
    assert text
    assert flow.recall.text(CLAIM, 1) == ""
    for position, told, end in (
        (1, text, 3),
        (0, text.replace("topic-id", "other-id"), 3),
        (0, "somebody else's", 3),
        (0, text, 2),  # the log was cut back: 2 will be another record
    ):
        again = Claim(CLAIM.topic, CLAIM.partition, 2)
        flow.assign([again])
        flow.recall.recall(again, position, told, end)
        assert len(flow.begin([envelope(again, offset) for offset in range(3)])) == 3
        flow.release([again])


def test_who_waits_under_a_key_is_told_and_given_up_by_it() -> None:
    joining = Joining(WINDOW)
    asked, answered = Half(ASKED, "a"), Half(ANSWERED, "a")
    assert joining.waits(asked, CLAIM) is None
    first = envelope(CLAIM, 7)
    assert joining.add(asked, first, 0.0) is None
    assert joining.waits(asked, CLAIM) is joining.waits(answered, CLAIM) is first
    assert joining.waits(asked, OTHER) is joining.waits(Half(ASKED, "b"), CLAIM) is None
    given_up = joining.give_up(answered, CLAIM)
    assert (given_up.envelope, code(given_up), len(joining)) == (first, "unpaired-request", 0)
    assert joining.add(answered, envelope(CLAIM, 8), 0.0) is None
