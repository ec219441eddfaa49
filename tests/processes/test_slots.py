"""When a process is started again, and what the ends of all of them amount to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.processes.slots import BEGINNING, PROVEN, Slot, exit_code, startable
from worker.telemetry import STALLED, Reading


def doubling(failures: int) -> float:
    return float(2**failures)


def shown(turned: float = 0, ready: str | None = None) -> Reading:
    return Reading(turned, ready)


def running(number: int = 1, reading: Reading | None = None) -> Slot:
    slot = Slot(number)
    slot.launched(0)
    slot.shown(reading or shown())
    return slot


def test_until_one_process_has_begun_only_the_first_is_started() -> None:
    slots = [Slot(number) for number in (1, 2, 3)]
    assert startable(slots, 0) == [slots[0]]
    slots[0].launched(0)
    assert startable(slots, 1) == []
    slots[0].ended(69, 2, doubling)
    assert startable(slots, 3) == []
    slots[0].launched(4)
    assert startable(slots, 5) == [], "another try has found nothing yet"
    slots[0].shown(shown())
    assert startable(slots, 6) == slots[1:]


def test_a_process_that_has_ended_is_started_again_once_its_wait_is_over_whatever_the_others_do() -> None:
    slots = [running(1), running(2)]
    slots[0].ended(-11, 10, doubling)
    assert startable(slots, 11.9) == []
    assert startable(slots, 12) == [slots[0]]


def test_ends_in_a_row_are_waited_for_longer_and_longer_until_a_process_has_run_well() -> None:
    slot, now, waits = Slot(1), 0.0, []
    for lasted in (1, PROVEN - 1, 0, PROVEN, 0):
        slot.launched(now)
        now += lasted
        slot.ended(1, now, doubling)
        waits.append(slot.due - now)
        now = slot.due
    assert waits == [2, 4, 8, 2, 4]
    assert slot.restarts == 4


def test_a_loop_that_does_not_turn_is_hung_and_one_that_does_is_not() -> None:
    slot = running(reading=shown(turned=1))
    slot.silent = STALLED - 1
    slot.shown(shown(turned=1))
    assert not slot.hung
    slot.silent += 1
    assert slot.hung
    slot.shown(shown(turned=2))
    assert not slot.hung


def test_a_process_has_longer_to_its_first_reading_which_is_one_of_its_own() -> None:
    slot = running(reading=shown(turned=1))
    slot.ended(-9, 1, doubling)
    slot.launched(2)
    slot.silent = BEGINNING - 1
    assert not slot.hung
    slot.silent += 1
    assert slot.hung
    slot.shown(shown(turned=1))
    assert not slot.hung


def test_a_process_that_is_down_is_not_hung() -> None:
    slot = running()
    slot.silent = BEGINNING
    slot.ended(-9, 1, doubling)
    assert not slot.hung


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ([0, 0], 0),
        ([0, None], 0),
        ([0, 75], 75),
        ([75, 69], 69),
        ([69, 78, 75], 78),
        ([0, -9], 75),
        ([1, 0], 75),
        ([69, -11], 69),
    ],
)
def test_the_exit_code_is_the_worst_and_a_crash_leaves_something_unsettled(codes: list[int | None], worst: int) -> None:
    assert exit_code([Slot(number, code=code) for number, code in enumerate(codes, 1)]) == worst


@given(st.lists(st.integers(-64, 255), min_size=1))
def test_the_exit_code_is_0_only_if_every_process_ended_so(codes: list[int]) -> None:
    code = exit_code([Slot(number, code=code) for number, code in enumerate(codes, 1)])
    assert (code == 0) is (set(codes) == {0})
    assert 0 <= code <= 255
