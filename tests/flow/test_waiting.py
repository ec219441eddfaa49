"""Records that wait for a newer directory: each is asked for anew, but a storm for one name stops nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.flow.build import envelope, policy, rejection
from tests.flow.mart import ACCEPT, CLAIM, GONE, OTHER, Mart
from worker.flow.flood import Stop
from worker.flow.flow import Flow
from worker.flow.waiting import FRESH, Waiting
from worker.model import Disposition

if TYPE_CHECKING:
    from worker.model import Claim, Rejection

ROOM = 10


def unknown(offset: int, asset: str = "a", claim: Claim = CLAIM) -> Rejection:
    wanted = (None, asset, None)
    return replace(rejection(envelope(claim, offset), Disposition.UNKNOWN_ASSET, "unknown-asset"), wanted=wanted)


def offsets(found: list[Rejection]) -> list[int]:
    return [each.envelope.offset for each in found]


def asked(begun: float, *assets: str) -> Waiting:
    """A lot, half taken by others, whose last directory did not know these assets."""
    waiting = Waiting(ROOM)
    waiting.unknown([(None, asset, None) for asset in assets], begun)
    for offset in range(ROOM // 2):
        assert waiting.add(unknown(1000 + offset, "another"), begun)
    return waiting


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=20), st.integers(0, 100))
def test_a_fetch_takes_those_that_came_before_it_began_and_leaves_the_others(
    came: list[tuple[int, int]], begun: int
) -> None:
    waiting = Waiting(1000)
    for offset, (since, _) in enumerate(came):
        assert waiting.add(unknown(offset), since)
    taken = offsets(waiting.take(begun))
    assert taken == [offset for offset, (since, _) in enumerate(came) if since <= begun]
    assert sorted(taken + [each.offset for each in waiting.held()]) == list(range(len(came)))


def test_what_has_just_been_asked_for_in_vain_does_not_wait_again_where_many_wait() -> None:
    waiting = asked(100.0, "a")
    assert not waiting.add(unknown(0), 100.0 + FRESH)
    assert len(waiting) == ROOM // 2


def test_with_few_that_wait_each_is_asked_for_anew() -> None:
    waiting = Waiting(ROOM)
    waiting.unknown([(None, "a", None)], 100.0)
    assert all(waiting.add(unknown(offset), 100.0) for offset in range(ROOM // 2))
    assert not waiting.add(unknown(99), 100.0)


def test_an_old_answer_is_none() -> None:
    assert asked(100.0, "a").add(unknown(0), 100.1 + FRESH)


def test_what_has_not_been_asked_for_waits_whatever_the_crowd() -> None:
    waiting = asked(100.0, "a")
    assert waiting.add(unknown(0, "b"), 101.0)
    assert waiting.add(replace(unknown(1), wanted=("binding", "a", None)), 101.0), "another binding is another question"


def test_a_newer_directory_that_knows_it_ends_the_no() -> None:
    waiting = asked(100.0, "a")
    waiting.unknown([], 105.0)
    assert waiting.add(unknown(0), 106.0)


def test_a_404_always_waits_for_the_directory() -> None:
    """The data mart's no to a subscription is no directory's answer."""
    waiting = asked(100.0, "a")
    assert waiting.add(replace(unknown(0), wanted=None), 100.0)
    waiting.unknown([None], 100.0)
    assert waiting.add(replace(unknown(1), wanted=None), 100.0)


def test_it_is_full_at_its_room_and_holds_all_the_same_what_still_comes() -> None:
    waiting = Waiting(2)
    assert not waiting.full
    assert all(waiting.add(unknown(offset), 0.0) for offset in range(3))
    assert waiting.full
    assert len(waiting) == 3


def test_records_of_claims_that_are_gone_are_dropped_and_no_others() -> None:
    waiting = Waiting(ROOM)
    waiting.add(unknown(0), 0.0)
    waiting.add(unknown(0, claim=OTHER), 0.0)
    waiting.drop([CLAIM])
    assert [each.claim for each in waiting.held()] == [OTHER]


# --- in the flow ----------------------------------------------------------------------------------------------------


def park(mart: Mart, *each: int, asset: str = "a") -> None:
    begun = mart.flow.begin([envelope(CLAIM, offset) for offset in each])
    mart.flow.park([unknown(one.offset, asset) for one in begun], mart.now)


def test_a_storm_for_one_unknown_asset_leaves_half_of_the_lot_to_others_and_loses_nothing() -> None:
    mart = Mart(Flow(policy(records=40)))  # 20 may wait
    mart.flow.still_unknown([unknown(0)], mart.now)
    for offset in range(0, 400, 4):
        park(mart, *range(offset, offset + 4))
        mart.turn(ACCEPT, seconds=0.05)
    assert mart.flow.room > 0
    assert mart.flow.open_records == 10
    assert set(mart.letters.values()) == {Disposition.UNKNOWN_ASSET}
    assert len(mart.letters) == 390
    assert mart.flow.wants_directory


def test_without_an_answer_a_storm_fills_the_lot_and_its_partition_is_not_read_on() -> None:
    mart = Mart(Flow(policy(records=40)))
    park(mart, *range(20))
    mart.turn(ACCEPT)
    mart.flow.make_room()
    assert mart.flow.parking_full
    assert len(mart.flow.crowded) == 1
    assert mart.letters == {}


def test_what_is_refused_at_once_is_kept_back_by_a_stop_like_all_else() -> None:
    mart = Mart(Flow(policy(records=40)))
    mart.flow.still_unknown([unknown(0)], mart.now)
    park(mart, *range(10))
    mart.flow.halt(Stop("x/y", 1, 2))
    park(mart, 10, 11)
    assert mart.flow.due(mart.now) == []
    assert mart.flow.open_records == 12
    mart.flow.resume()
    mart.turn(ACCEPT)
    assert sorted(mart.letters) == [10, 11]


def test_a_404_is_parked_though_many_wait() -> None:
    mart = Mart(Flow(policy(records=40)))
    park(mart, *range(15))
    mart.flow.still_unknown([unknown(0)], mart.now)
    mart.read(99)
    mart.turn(GONE)
    assert mart.letters == {}
    assert mart.flow.open_records == 16
