"""The flood guard: when it stops, what goes out until then, and that nothing is lost while it is stopped."""

from __future__ import annotations

from collections import Counter
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flow.build import envelope, policy, rejection
from tests.flow.mart import ACCEPT, CLAIM, FAIL, HALT, OTHER, REFUSE, Mart, refusing
from worker.flow.flood import FloodGuard, FloodPolicy, Stop
from worker.flow.flow import Flow
from worker.flow.jobs import Post
from worker.model import Disposition, Refusal

SMALL = FloodPolicy(0.5, 10, 40)
"""Stops at five of ten, and at twenty unknown assets of forty."""
TOLD = Stop("rejected/rejected", 1000, 2000, "2019-06-11T10:00:00Z")


def guarded(flood: FloodPolicy = SMALL, *, records: int = 100) -> Mart:
    return Mart(Flow(policy(records=records, flood=flood)))


def refusal(code: str) -> Refusal:
    unknown = code.startswith("unknown")
    return Refusal(Disposition.UNKNOWN_ASSET if unknown else Disposition.DECODE, code, "")


# --- the windows, against lists of all that has ended ---------------------------------------------------------------


class Naive:
    """All that came to the rooms and all that the data mart answered, in lists; None for what was not refused."""

    def __init__(self, flood: FloodPolicy) -> None:
        self.flood = flood
        self.rooms: list[str | None] = []
        self.mart: list[str | None] = []
        self.stopped: tuple[str, int, int] | None = None

    def admits(self, code: str, *, posted: bool) -> bool:
        if self.stopped:
            return False
        ends = self.mart if posted else self.rooms
        ends.append(code)
        size = self.flood.unknown_assets if code.startswith("unknown") and not posted else self.flood.records
        last = ends[-size:]
        if last.count(code) >= ceil(round(self.flood.share * size, 6)):
            self.stopped = (f"{refusal(code).disposition}/{code}", last.count(code), len(last))
        return self.stopped is None


POLICIES = st.builds(FloodPolicy, st.floats(0.01, 1), st.integers(2, 20), st.integers(2, 60))
CODES = st.sampled_from(("a", "b", "unknown-1", "unknown-2"))
STEPS = st.lists(st.tuples(st.integers(0, 30) | CODES, st.booleans()), max_size=120)


@given(POLICIES, STEPS)
def test_the_guard_stops_when_a_list_of_the_last_ends_says_so_and_never_else(
    flood: FloodPolicy, steps: list[tuple[int | str, bool]]
) -> None:
    guard, naive = FloodGuard(flood), Naive(flood)
    for end, posted in steps:
        if isinstance(end, str):
            assert guard.admits(refusal(end), posted=posted) == naive.admits(end, posted=posted)
        elif posted:
            guard.delivered(end)
            naive.mart += [None] * end
        else:
            guard.came(end)
            naive.rooms += [None] * end
        assert (guard.stop and (guard.stop.code, guard.stop.refused, guard.stop.of)) == naive.stopped


def let_in(guard: FloodGuard, *codes: str, posted: bool = False) -> int:
    """How many of these refusals are let in."""
    return sum(guard.admits(refusal(code), posted=posted) for code in codes)


POSTED = pytest.mark.parametrize("posted", [False, True], ids=["rooms", "mart"])


@given(POLICIES, st.integers(0, 100), st.booleans())
def test_of_one_reason_one_less_than_the_share_of_a_window_goes_out_whatever_passed_before(
    flood: FloodPolicy,
    passed: int,
    posted: bool,  # noqa: FBT001 - drawn
) -> None:
    guard = FloodGuard(flood)
    guard.came(passed)
    guard.delivered(passed)
    limit = ceil(round(flood.share * flood.records, 6))
    assert let_in(guard, *["a"] * (3 * flood.records), posted=posted) == limit - 1
    assert guard.stop is not None
    assert not guard.admits(refusal("b"), posted=not posted), "once stopped, no reason is let in"


@POSTED
def test_a_share_below_the_limit_goes_on_for_ever(posted: bool) -> None:  # noqa: FBT001 - a parameter
    guard = FloodGuard(SMALL)
    for _ in range(1000):
        guard.came(6)
        guard.delivered(6)
        assert let_in(guard, *"aaaa", posted=posted) == 4


@POSTED
def test_several_reasons_that_share_a_window_do_not_add_up(posted: bool) -> None:  # noqa: FBT001 - a parameter
    assert let_in(FloodGuard(SMALL), *"abc" * 50, posted=posted) == 150


def test_the_same_code_of_two_dispositions_is_two_reasons() -> None:
    guard = FloodGuard(SMALL)
    both = [Refusal(Disposition.DECODE, "same", ""), Refusal(Disposition.NORMALISE, "same", "")]
    assert all(guard.admits(each, posted=False) for each in both * 4)
    assert not guard.admits(both[0], posted=False)


def test_unknown_assets_have_a_window_of_their_own_and_their_own_limit() -> None:
    guard = FloodGuard(SMALL)
    assert let_in(guard, *["unknown-asset"] * 30) == 19
    assert guard.stop == Stop("unknown-asset/unknown-asset", 20, 20)


def test_unknown_assets_dilute_other_refusals_of_the_rooms_as_the_records_that_they_are() -> None:
    guard = FloodGuard(SMALL)
    for _ in range(4):
        assert let_in(guard, "a", "unknown-asset", "unknown-asset") == 3
    assert guard.admits(refusal("a"), posted=False), "four of the last ten at most: the first has left the window"


def test_what_the_data_mart_refuses_is_not_diluted_by_what_only_came() -> None:
    guard = FloodGuard(SMALL)
    for _ in range(4):
        guard.came(1000)
        assert let_in(guard, "a", posted=True) == 1
    assert not guard.admits(refusal("a"), posted=True)


def test_what_the_rooms_refuse_is_held_against_what_came_though_nothing_is_delivered() -> None:
    guard = FloodGuard(SMALL)
    for _ in range(100):
        guard.came(9)
        assert let_in(guard, "a") == 1


@pytest.mark.parametrize(("share", "size", "limit"), [(0.07, 100, 7), (0.55, 100, 55), (0.29, 2000, 580), (1, 7, 7)])
def test_the_limit_is_exact_for_decimal_shares(share: float, size: int, limit: int) -> None:
    """In binary 0.07 x 100 is a little more than 7."""
    assert let_in(FloodGuard(FloodPolicy(share, size, 100)), *["a"] * size) == limit - 1


# --- while it is stopped ------------------------------------------------------------------------------------------


def flooded(records: int = 12) -> Mart:
    """One good record, then twelve bad ones of which four are let in."""
    mart = guarded()
    mart.read(0)
    mart.read_bad(*range(1, 1 + records))
    return mart


def test_what_is_kept_back_is_neither_settled_nor_lost_nor_written() -> None:
    mart = flooded()
    for _ in range(50):
        mart.turn(ACCEPT)
    assert sorted(mart.letters) == [1, 2, 3, 4]
    assert mart.flow.stopped == Stop("decode/no-framing", 5, 6)
    assert mart.flow.open_records == 12 + 1 - 4
    assert mart.flow.account.tally.rejected[Disposition.DECODE] == 12
    assert mart.flow.account.tally.lettered[Disposition.DECODE] == 4


def test_the_stop_is_told_once_with_its_reason() -> None:
    mart = flooded()
    mart.turn(ACCEPT)
    assert mart.noticed("flood.stopped") == [{"code": "decode/no-framing", "refused": 5, "of": 6}]


def test_nothing_is_read_and_nothing_posted_while_it_is_stopped() -> None:
    mart = flooded()
    for _ in range(50):
        mart.turn(ACCEPT, seconds=60)
    assert mart.posts == []
    assert mart.flow.room == 0
    assert mart.flow.blocked(mart.now) == "flood-guard: decode/no-framing"


def test_commits_stop_before_what_is_kept_back_and_what_was_settled_before_is_committed() -> None:
    mart = guarded()
    mart.read(0)
    mart.turn(ACCEPT)
    mart.read_bad(*range(1, 13))
    assert mart.flow.committable() == {CLAIM: 1}
    for _ in range(5):
        mart.turn(ACCEPT)
        assert mart.flow.committable() == {CLAIM: 5}, "one delivered, and the four that were let in"


def test_posts_under_way_when_it_stops_are_settled_and_what_they_leave_over_waits() -> None:
    mart = guarded()
    mart.read(0, 1, 2, 3, 4)
    (post,) = mart.flow.due(mart.now)
    assert isinstance(post, Post)
    mart.read_bad(*range(5, 12))
    assert mart.flow.stopped
    mart.answer(post, REFUSE)
    for _ in range(10):
        mart.turn(ACCEPT)
    assert mart.posts == [[0, 1, 2, 3, 4]], "its halves wait"
    mart.flow.resume()
    mart.turn(ACCEPT)
    assert mart.stored == Counter(range(5))


@pytest.mark.parametrize("answer", [FAIL, HALT])
def test_a_post_under_way_that_fails_while_it_is_stopped_is_posted_after_the_resume(answer: object) -> None:
    mart = guarded()
    mart.read(0)
    (post,) = mart.flow.due(1.0)
    mart.flow.halt(TOLD)
    assert isinstance(post, Post)
    mart.answer(post, answer)  # type: ignore[arg-type]
    mart.turn(ACCEPT, seconds=60)
    assert mart.stored == {}
    mart.flow.resume()
    mart.drain(ACCEPT)
    assert mart.stored == {0: 1}


def test_letters_that_failed_before_the_stop_are_written_during_it() -> None:
    mart = guarded()
    mart.letters_fail = True
    mart.read_bad(0, 1)
    mart.turn(ACCEPT)
    mart.flow.halt(TOLD)
    mart.letters_fail = False
    mart.turn(ACCEPT, seconds=60)
    assert sorted(mart.letters) == [0, 1]
    assert mart.flow.committable() == {CLAIM: 2}


def test_a_stop_told_from_outside_keeps_back_the_very_next_refusal_and_is_not_told_again() -> None:
    mart = guarded()
    mart.flow.halt(TOLD)
    mart.read_bad(0)
    mart.turn(ACCEPT)
    assert mart.letters == {}
    assert mart.flow.stopped == TOLD
    assert mart.noticed("flood.stopped") == [], "who halts the flow knows it"
    assert mart.flow.stuck


def test_a_released_claim_takes_its_kept_back_records_along_and_the_others_stay() -> None:
    mart = guarded()
    mart.flow.assign([OTHER])
    mart.read_bad(*range(8))
    mart.read_bad(100, 101, claim=OTHER)
    assert mart.flow.open_records == 10
    mart.flow.release([CLAIM])
    assert mart.flow.open_records == 2
    assert mart.flow.stopped, "the stop is the group's, not the partition's"
    mart.flow.resume()
    mart.drain(ACCEPT)
    assert sorted(mart.letters) == [100, 101]
    assert mart.flow.committable() == {OTHER: 102}


def test_a_late_refusal_of_a_released_claim_is_neither_counted_nor_kept() -> None:
    mart = guarded()
    mart.read(0)
    (post,) = mart.flow.due(1.0)
    mart.flow.halt(TOLD)
    mart.flow.release([CLAIM])
    assert isinstance(post, Post)
    mart.answer(post, REFUSE)
    mart.flow.resume()
    assert mart.flow.due(99.0) == []
    assert mart.flow.idle


def test_a_drain_while_it_is_stopped_has_nothing_to_wait_for() -> None:
    mart = flooded()
    while mart.turn(ACCEPT):
        pass
    mart.flow.stop()
    assert mart.flow.stuck
    assert mart.flow.in_flight == 0
    assert mart.flow.due(mart.now + 100) == []
    assert not mart.flow.idle, "what is kept back is read again by the next worker"


def test_parked_records_that_stay_unknown_are_kept_back_too() -> None:
    mart = guarded()
    (each,) = mart.flow.begin([envelope(CLAIM, 0)])
    mart.flow.park([rejection(each, Disposition.UNKNOWN_ASSET, "unknown-asset")], 0.0)
    mart.flow.halt(TOLD)
    mart.flow.admit([], mart.flow.unpark(1.0), 1.0)
    assert mart.flow.due(99.0) == []
    assert mart.flow.open_records == 1


# --- the resume ---------------------------------------------------------------------------------------------------


def test_after_a_resume_everything_goes_on() -> None:
    mart = flooded(records=7)
    mart.turn(ACCEPT)
    mart.flow.resume()
    assert mart.flow.stopped is None
    mart.drain(ACCEPT)
    assert sorted(mart.letters) == list(range(1, 8))
    assert mart.stored == {0: 1}
    assert mart.flow.committable() == {CLAIM: 8}
    assert mart.flow.room == 100


def test_a_resume_counts_anew_what_was_kept_back_and_may_stop_again() -> None:
    mart = flooded(records=12)
    for letters in (4, 8, 12):
        for _ in range(5):
            mart.turn(ACCEPT)
        assert len(mart.letters) == letters, "four at a time"
        mart.flow.resume()
    mart.drain(ACCEPT)
    assert len(mart.noticed("flood.stopped")) == 2, "the last four are no flood"
    assert mart.flow.committable() == {CLAIM: 13}


def test_a_resume_without_a_stop_forgets_what_was_counted_and_nothing_else() -> None:
    mart = guarded()
    mart.read_bad(0, 1, 2, 3)
    mart.flow.resume()
    mart.read_bad(4, 5, 6, 7)
    assert mart.flow.stopped is None
    mart.drain(ACCEPT)
    assert sorted(mart.letters) == list(range(8))


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.booleans()), max_size=25))
def test_however_it_stops_and_resumes_no_turn_writes_more_letters_than_the_window_allows_and_none_is_lost(
    steps: list[tuple[bool, int, bool]],
) -> None:
    mart = guarded(records=400)
    offset = 0
    for bad, count, resume in steps:
        if resume:
            mart.flow.resume()
        offsets = range(offset, offset + min(count, mart.flow.room))
        offset += len(offsets)
        if bad:
            mart.read_bad(*offsets)
        else:
            mart.read(*offsets)
        before = len(mart.letters)
        mart.turn(ACCEPT)
        assert len(mart.letters) - before <= 4
    while not mart.flow.idle:
        mart.flow.resume()
        mart.turn(ACCEPT)
    assert mart.stored.total() + len(mart.letters) == offset


# --- what is no flood ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [FAIL, HALT])
def test_the_usual_few_bad_records_are_no_flood_while_nothing_can_be_delivered(answer: object) -> None:
    """One bad record in twenty, and an outage or a halt that lasts until the room is full."""
    mart = guarded(FloodPolicy(0.5, 20, 400), records=400)
    for start in range(0, 400, 20):
        mart.read(*range(start, start + 19))
        mart.read_bad(start + 19)
        mart.turn(answer, seconds=5)  # type: ignore[arg-type]
    assert mart.flow.stopped is None


def test_a_data_mart_that_refuses_everything_is_a_flood() -> None:
    """The endpoint answers 400 to all: four letters, then all is kept, whatever is read."""
    mart = guarded(records=200)
    for start in range(0, 200, 20):
        mart.read(*range(start, min(start + 20, start + mart.flow.room)))
        mart.turn(REFUSE)
    for _ in range(100):
        mart.turn(REFUSE, seconds=30)
    assert mart.flow.stopped is not None
    assert mart.flow.stopped.code == "rejected/rejected"
    assert len(mart.letters) == 4
    assert mart.stored == {}


def test_one_refused_record_in_five_is_no_flood_though_it_is_found_before_its_neighbours_are_delivered() -> None:
    mart = guarded(FloodPolicy(0.5, 10, 40), records=200)
    bad = range(0, 100, 5)
    mart.read(*range(100))
    mart.drain(refusing(*bad))
    assert sorted(mart.letters) == list(bad)
    assert mart.flow.stopped is None
