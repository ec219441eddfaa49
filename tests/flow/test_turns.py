"""Lanes take turns: nothing that is due is overlooked, nobody waits for ever, those with nothing due cost nothing."""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flow.build import envelope, policy, row
from tests.flow.mart import ACCEPT, CLAIM, FAIL, Mart
from worker.flow.batch import Lane
from worker.flow.breaker import Breaker, BreakerPolicy
from worker.flow.flow import Flow
from worker.flow.jobs import Post, Posted
from worker.flow.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


def lane(name: str) -> Lane:
    return Lane(name, Breaker(BreakerPolicy(1, float)))


def taken(turns: Turns, now: float) -> Iterator[str]:
    while turn := turns.next(now):
        yield turn[0].key


def test_lanes_come_when_they_are_due_and_once() -> None:
    turns, one, two = Turns(), lane("one"), lane("two")
    turns.wake(one, 5.0)
    turns.wake(one, 3.0)
    turns.wake(one, 4.0)
    turns.wake(two, 2.0)
    assert list(taken(turns, 1.9)) == []
    assert list(taken(turns, 9.0)) == ["two", "one"]
    assert list(taken(turns, 9.0)) == []


def test_those_with_fewest_posts_in_flight_come_first_then_those_that_have_waited_longest() -> None:
    turns, busy, early, late = Turns(), lane("busy"), lane("early"), lane("late")
    busy.in_flight = 1
    for each, at in ((busy, 0.0), (late, 2.0), (early, 1.0)):
        turns.wake(each, at)
    assert turns.waits(3.0)
    assert list(taken(turns, 3.0)) == ["early", "late", "busy"]
    for each, at in ((busy, 0.0), (late, 2.0)):
        turns.wake(each, at)
    assert turns.waits(3.0)
    busy.in_flight = 0
    turns.move(busy)
    assert list(taken(turns, 3.0)) == ["busy", "late"]


@given(st.data())
def test_turns_are_those_of_a_list_that_is_searched(data: st.DataObject) -> None:
    """Against the plain way: look at every lane, each time."""
    turns, lanes = Turns(), [lane(str(number)) for number in range(5)]
    due: dict[str, float] = {}
    now = 0.0
    for _ in range(data.draw(st.integers(1, 40))):
        each = data.draw(st.sampled_from(lanes))
        match data.draw(st.sampled_from(["wake", "end", "next"])):
            case "wake":
                at = now + data.draw(st.integers(0, 3))
                turns.wake(each, at)
                due[each.key] = min(at, due.get(each.key, at))
            case "end" if each.in_flight:
                each.in_flight -= 1
                turns.move(each)
            case "next":
                now += data.draw(st.integers(0, 2))
                order = {each.key: each.in_flight for each in lanes}
                ripe = [key for key, at in due.items() if at <= now]
                assert turns.waits(now) is bool(ripe)
                turn = turns.next(now)
                if turn is None:
                    assert not ripe
                    continue
                found, since = turn
                best = min((order[key], due[key]) for key in ripe)
                assert (order[found.key], due.pop(found.key)) == best == (found.in_flight, since)
                found.in_flight += 1
            case _:
                pass


# --- in the flow -----------------------------------------------------------------------------------------------------


def read(mart: Mart, offsets: Iterator[int], subscription: str, records: int) -> None:
    mart.read(*(next(offsets) for _ in range(records)), subscription=subscription)


def test_a_quiet_subscription_is_not_starved_by_lanes_that_are_always_full() -> None:
    """Ten times as much comes as can be posted; the one record of the quiet one does not wait for all of it."""
    mart = Mart(Flow(policy(batch=5, in_flight=2, records=10_000, by_subscription=True)))
    offsets = count(1)
    mart.read(0, subscription="quiet")
    turns = 0
    while not mart.stored[0]:
        turns += 1
        assert turns <= 6, "eleven lanes, two posts a turn"
        for number in range(10):
            read(mart, offsets, f"busy-{number}", 10)
        mart.turn(ACCEPT)


def test_a_slow_subscription_does_not_get_all_posts() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=6, records=10_000, by_subscription=True)))
    offsets, slow = count(), 0
    for _ in range(30):
        for name in ("slow", "quick"):
            read(mart, offsets, name, 8)
        mart.now += 1
        for job in mart.flow.due(mart.now):
            assert isinstance(job, Post)
            if job.batch.rows[0].subscription_id == "slow":
                slow += 1
            else:
                mart.answer(job, ACCEPT)
        assert 1 <= slow <= 3
        assert len(mart.stored) > 0


def test_what_waits_for_a_later_try_is_tried_then_though_nothing_else_happens_in_its_lane() -> None:
    mart = Mart(Flow(policy(batch=1, by_subscription=True)))
    mart.read(0, subscription="a")
    assert mart.turn(FAIL) == 1
    assert mart.turn(ACCEPT, seconds=0.9) == 0
    assert mart.turn(ACCEPT, seconds=0.2) == 1
    assert mart.flow.idle


def test_where_nothing_more_can_come_all_of_a_lane_goes_at_once() -> None:
    mart = Mart(Flow(policy(batch=3, records=7)))
    mart.read(*range(7))
    assert mart.turn(ACCEPT, seconds=0) == 3, "the last one with a single record"
    assert mart.flow.idle


def calls(function: Callable[[], object]) -> int:
    """Functions called by this one, however deep: a measure of work that no other process changes."""
    seen = Counter[str]()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event in ("call", "c_call"):
            seen[frame.f_code.co_name] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return seen.total()


def work(lanes: int, *, crowded: bool) -> int:
    """Calls of ten turns that post, beside so many lanes that wait: to linger, or `crowded`, for their turn."""
    flow = Flow(policy(batch=2, in_flight=6, records=10**6, by_subscription=True))
    flow.assign([CLAIM])
    offsets = count()

    def admit(names: list[str], now: float) -> None:
        begun = flow.begin([envelope(CLAIM, next(offsets)) for _ in names])
        flow.admit([row(each, name) for each, name in zip(begun, names, strict=True)], [], now)

    def turn(now: float) -> None:
        for job in flow.due(now):
            assert isinstance(job, Post)
            flow.settle(Posted(job, ACCEPT), now)

    admit([f"other-{number}" for number in range(lanes)] * (2 if crowded else 1), 0.0)
    made = 0
    for number in range(1, 11):
        admit([f"full-{number}"] * 12, number / 1000)
        made += calls(partial(turn, number / 1000))
    return made


@pytest.mark.parametrize("crowded", [False, True])
def test_a_turn_costs_the_same_beside_a_thousand_lanes(crowded: bool) -> None:  # noqa: FBT001 - a parameter
    few, many = work(20, crowded=crowded), work(1_000, crowded=crowded)
    assert few > 0
    assert many < 1.5 * few
