"""Partitions full of what cannot be delivered are not read for a while; all others are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flow.build import envelope, policy, rejection
from tests.flow.mart import ACCEPT, CLAIM, FAIL, HALT, OTHER, Mart
from worker.flow.crowd import Crowd
from worker.flow.flood import Stop
from worker.flow.flow import Flow
from worker.model import Claim, Disposition

CLAIMS = [Claim("t", number) for number in range(4)]


def test_a_partition_pauses_at_its_share_of_half_the_room() -> None:
    crowd = Crowd()  # 10 for each of four
    crowd.look({CLAIMS[0]: 9, CLAIMS[1]: 10, CLAIMS[2]: 50}, CLAIMS, 80)
    assert crowd.claims == {CLAIMS[1], CLAIMS[2]}


def test_it_is_read_again_only_when_half_of_that_is_gone() -> None:
    crowd = Crowd()
    for waiting, paused in ((10, True), (9, True), (6, True), (5, False), (9, False), (10, True)):
        crowd.look({CLAIMS[0]: waiting}, CLAIMS, 80)
        assert (CLAIMS[0] in crowd.claims) == paused


def test_a_claim_that_goes_is_forgotten() -> None:
    crowd = Crowd()
    crowd.look({CLAIMS[0]: 80}, CLAIMS, 80)
    crowd.look({CLAIMS[0]: 80}, CLAIMS[1:], 80)
    assert crowd.claims == set()


def test_no_claims_and_no_room_are_no_error() -> None:
    crowd = Crowd()
    crowd.look({}, [], 0)
    assert crowd.claims == set()
    crowd.look({CLAIMS[0]: 1}, CLAIMS, 0)
    assert crowd.claims == {CLAIMS[0]}


@given(
    st.integers(1, 1000),
    st.lists(st.dictionaries(st.sampled_from(CLAIMS), st.integers(0, 300)), min_size=1, max_size=20),
)
def test_what_may_be_read_holds_no_more_than_half_of_the_room(room: int, looks: list[dict[Claim, int]]) -> None:
    crowd = Crowd()
    for waiting in looks:
        crowd.look(waiting, CLAIMS, room)
        read = [waiting.get(claim, 0) for claim in CLAIMS if claim not in crowd.claims]
        assert sum(read) <= max(len(CLAIMS), room // 2)
        assert not [claim for claim in crowd.claims if not waiting.get(claim)], "nothing waits, so nothing crowds"


# --- in the flow ----------------------------------------------------------------------------------------------------


def sick_and_well(mart: Mart, turns: int = 60) -> None:
    """Partition 0 holds only records of a subscription that fails, partition 1 only of one that passes."""
    offset = 1000 * int(mart.now)
    for _ in range(turns):
        for even in range(offset, offset + 8, 2):
            if mart.flow.room > 10 and CLAIM not in mart.flow.crowded:
                mart.read(even, subscription="sick")
            if mart.flow.room > 10 and OTHER not in mart.flow.crowded:
                mart.read(even + 1, subscription="well", claim=OTHER)
        offset += 10
        mart.turn(lambda offsets: FAIL if any(each % 2 == 0 for each in offsets) else ACCEPT, seconds=3)
        mart.flow.look(mart.now)


def two(records: int = 100) -> Mart:
    mart = Mart(Flow(policy(records=records, batch=4)))
    mart.flow.assign([OTHER])
    return mart


def test_the_partition_of_a_sick_subscription_pauses_and_the_other_flows_on_with_half_of_the_room() -> None:
    mart = two()
    sick_and_well(mart)
    assert set(mart.flow.crowded) == {CLAIM}
    assert mart.flow.room >= 40
    before = mart.stored.total()
    sick_and_well(mart)
    assert mart.stored.total() >= before + 60 * 4 - 20
    assert mart.letters == {}


def test_once_the_subscription_is_well_its_partition_is_read_again() -> None:
    mart = two()
    sick_and_well(mart)
    for _ in range(60):
        mart.turn(ACCEPT, seconds=10)
        mart.flow.look(mart.now)
    assert set(mart.flow.crowded) == set()
    assert mart.flow.idle


@pytest.mark.parametrize("answer", [FAIL, HALT])
def test_an_outage_or_a_halt_of_all_pauses_nothing(answer: object) -> None:
    """Nothing flows that could be crowded out; the room alone bounds what is read."""
    mart = two()
    for offset in range(0, 96, 2):
        mart.read(offset, subscription="a")
        mart.read(offset + 1, subscription="b", claim=OTHER)
        mart.turn(answer, seconds=3)  # type: ignore[arg-type]
        mart.flow.look(mart.now)
        assert set(mart.flow.crowded) == set()


def test_a_released_partition_is_not_paused_for_its_next_claim() -> None:
    mart = two()
    sick_and_well(mart)
    mart.flow.release([CLAIM])
    again = Claim("t", 0, 3)
    mart.flow.assign([again])
    mart.flow.look(mart.now)
    assert set(mart.flow.crowded) == set()


def test_slow_posts_pause_nothing() -> None:
    mart = two()
    mart.read(*range(60))
    assert mart.flow.due(1.0)
    for second in range(100):
        mart.flow.look(float(second))
    assert set(mart.flow.crowded) == set()
    assert Counter(mart.flow.held_up) == Counter()


# --- letters ----------------------------------------------------------------------------------------------------------


def test_refused_records_that_are_not_yet_written_pause_their_partition_and_the_other_flows_with_half_of_the_room() -> (
    None
):
    mart = two()
    mart.letters_fail = True
    mart.read_bad(*range(24))
    mart.turn(ACCEPT)
    mart.flow.make_room()
    assert set(mart.flow.crowded) == set()
    mart.read_bad(24)
    mart.flow.make_room()
    assert set(mart.flow.crowded) == {CLAIM}
    mart.read(*range(100, 150), claim=OTHER)
    for _ in range(10):
        mart.turn(ACCEPT)
    assert mart.stored.total() == 50
    mart.letters_fail = False
    mart.turn(ACCEPT, seconds=60)
    mart.flow.make_room()
    assert set(mart.flow.crowded) == set()


def test_letters_in_flight_and_those_that_the_guard_keeps_back_crowd_too() -> None:
    mart = two()
    mart.read_bad(*range(20))
    started = mart.flow.due(1.0)
    assert len(started) == 20
    mart.flow.halt(Stop("x/y", 1, 2))
    mart.read_bad(*range(20, 25))
    mart.flow.make_room()
    assert set(mart.flow.crowded) == {CLAIM}
    assert not mart.flow.crowding


def test_parked_records_and_letters_together_are_looked_at_once_they_are_half_of_the_room() -> None:
    mart = two()
    mart.read_bad(*range(25))
    begun = mart.flow.begin([envelope(OTHER, offset) for offset in range(25)])
    mart.flow.park([rejection(each) for each in begun[:24]], mart.now)
    assert not mart.flow.crowding
    mart.flow.park([rejection(begun[24])], mart.now)
    assert mart.flow.crowding
    mart.flow.make_room()
    assert set(mart.flow.crowded) == {CLAIM, OTHER}
    mart.turn(ACCEPT)
    assert not mart.flow.crowding


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_what_waits_for_a_newer_directory_after_a_no_never_pauses_its_partition(partitions: int) -> None:
    """A storm's partition is read on while the letters are written."""
    mart = Mart(Flow(policy(records=200)))
    mart.flow.assign([Claim("t", 100 + number) for number in range(partitions - 1)])
    storm = replace(rejection(envelope(CLAIM, 0), Disposition.UNKNOWN_ASSET, "unknown-asset"), wanted=(None, "a", None))
    mart.flow.still_unknown([storm], mart.now)
    for first in range(0, 300, 10):
        begun = mart.flow.begin([envelope(CLAIM, offset) for offset in range(first, first + 10)])
        mart.flow.park([replace(storm, envelope=each) for each in begun], mart.now)
        mart.turn(ACCEPT, seconds=0.1)
        mart.flow.make_room()
        assert set(mart.flow.crowded) == set()
    assert len(mart.letters) == 300 - 200 // 2 // partitions // 4
