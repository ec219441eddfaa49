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

FEW = 5


def unknown(offset: int, asset: str = "a", claim: Claim = CLAIM) -> Rejection:
    wanted = (None, asset, None)
    return replace(rejection(envelope(claim, offset), Disposition.UNKNOWN_ASSET, "unknown-asset"), wanted=wanted)


def offsets(found: list[Rejection]) -> list[int]:
    return [each.envelope.offset for each in found]


def asked(begun: float, *assets: str) -> Waiting:
    """A claim with a few that wait for others, while the last directory did not know these assets."""
    waiting = Waiting()
    waiting.unknown([(None, asset, None) for asset in assets], begun)
    for offset in range(FEW):
        assert waiting.add(unknown(1000 + offset, "another"), begun, FEW)
    return waiting


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=20), st.integers(0, 100))
def test_a_fetch_takes_those_that_came_before_it_began_and_leaves_the_others(
    came: list[tuple[int, int]], begun: int
) -> None:
    waiting = Waiting()
    for offset, (since, _) in enumerate(came):
        assert waiting.add(unknown(offset), since, FEW)
    taken = offsets(waiting.take(begun, len(came)))
    assert taken == [offset for offset, (since, _) in enumerate(came) if since <= begun]
    assert sorted(taken + [each.offset for each in waiting.held()]) == list(range(len(came)))


def test_what_has_just_been_asked_for_in_vain_does_not_wait_again_where_many_wait() -> None:
    waiting = asked(100.0, "a")
    assert not waiting.add(unknown(0), 100.0 + FRESH, FEW)
    assert len(waiting) == FEW


def test_with_few_of_a_claim_that_wait_each_is_asked_for_anew() -> None:
    waiting = Waiting()
    waiting.unknown([(None, "a", None)], 100.0)
    for claim in (CLAIM, OTHER):
        assert all(waiting.add(unknown(offset, claim=claim), 100.0, FEW) for offset in range(FEW))
        assert not waiting.add(unknown(99, claim=claim), 100.0, FEW)


def test_what_came_while_a_directory_was_fetched_is_answered_by_it_where_many_wait() -> None:
    """Else a storm's first thousands would wait for the next one, and their partitions with them."""
    waiting = Waiting()
    waiting.add(unknown(0), 99.0, FEW)
    for offset in range(1, FEW + 4):
        waiting.add(unknown(offset), 101.0, FEW)
    waiting.add(replace(unknown(90), wanted=None), 101.0, FEW)  # a 404: another question
    waiting.add(unknown(91, claim=OTHER), 101.0, FEW)
    waiting.add(unknown(92), 100.1 + FRESH, FEW)
    assert offsets(waiting.take(100.0, FEW)) == [0, *range(FEW + 1, FEW + 4)]
    assert sorted(each.offset for each in waiting.held()) == [*range(1, FEW + 1), 90, 91, 92]
    waiting.unknown([(None, "a", None)], 100.0)
    assert not waiting.add(unknown(93), 101.0, FEW), "those that stay are counted"
    assert offsets(waiting.take(120.0, FEW)) == [*range(1, FEW + 1), 90, 91, 92]
    assert waiting.add(unknown(94), 101.0, FEW), "those that have gone are not"


def test_an_old_answer_is_none() -> None:
    assert asked(100.0, "a").add(unknown(0), 100.1 + FRESH, FEW)


def test_what_has_not_been_asked_for_waits_whatever_the_crowd() -> None:
    waiting = asked(100.0, "a")
    assert waiting.add(unknown(0, "b"), 101.0, FEW)
    assert waiting.add(replace(unknown(1), wanted=("binding", "a", None)), 101.0, FEW), (
        "another binding is another question"
    )


def test_a_newer_directory_that_knows_it_ends_the_no() -> None:
    waiting = asked(100.0, "a")
    waiting.unknown([], 105.0)
    assert waiting.add(unknown(0), 106.0, FEW)


def test_a_404_always_waits_for_the_directory() -> None:
    """The data mart's no to a subscription is no directory's answer."""
    waiting = asked(100.0, "a")
    assert waiting.add(replace(unknown(0), wanted=None), 100.0, FEW)
    waiting.unknown([None], 100.0)
    assert waiting.add(replace(unknown(1), wanted=None), 100.0, FEW)


def test_records_of_claims_that_are_gone_are_dropped_and_no_others() -> None:
    waiting = Waiting()
    waiting.add(unknown(0), 0.0, FEW)
    waiting.add(unknown(0, claim=OTHER), 0.0, FEW)
    waiting.drop([CLAIM])
    assert [each.claim for each in waiting.held()] == [OTHER]


# --- in the flow ----------------------------------------------------------------------------------------------------


def park(mart: Mart, *each: int, asset: str = "a") -> None:
    begun = mart.flow.begin([envelope(CLAIM, offset) for offset in each])
    mart.flow.park([unknown(one.offset, asset) for one in begun], mart.now)


def test_a_storm_for_one_unknown_asset_leaves_most_of_the_room_to_others_and_loses_nothing() -> None:
    mart = Mart(Flow(policy(records=40)))  # the one claim may have 20 that wait, 5 of them for a newer directory
    mart.flow.still_unknown([unknown(0)], mart.now)
    for offset in range(0, 400, 4):
        park(mart, *range(offset, offset + 4))
        mart.turn(ACCEPT, seconds=0.05)
    assert mart.flow.room > 0
    assert mart.flow.open_records == 5
    assert set(mart.letters.values()) == {Disposition.UNKNOWN_ASSET}
    assert len(mart.letters) == 395
    assert mart.flow.crowded == set()
    assert mart.flow.wants_directory


def test_without_an_answer_a_storm_fills_the_lot_and_its_partition_is_not_read_on() -> None:
    mart = Mart(Flow(policy(records=40)))
    park(mart, *range(20))
    mart.turn(ACCEPT)
    mart.flow.make_room()
    assert mart.flow.crowding
    assert len(mart.flow.crowded) == 1
    assert mart.letters == {}


def test_what_is_refused_at_once_is_kept_back_by_a_stop_like_all_else() -> None:
    mart = Mart(Flow(policy(records=40)))
    mart.flow.still_unknown([unknown(0)], mart.now)
    park(mart, *range(5))
    mart.flow.halt(Stop("x/y", 1, 2))
    park(mart, 10, 11)
    assert mart.flow.due(mart.now) == []
    assert mart.flow.open_records == 7
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
