"""All processes as one reading: whose every count is, and which trouble is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.processes.merged import merged, trouble
from worker.processes.reports import decode, encode
from worker.processes.slots import Slot
from worker.telemetry import COUNTERS, GAUGES, Reading

Counts = dict[str, dict[tuple[str, ...], float]]


def reading(consumed: float, lag: float, ready: str | None = None) -> Reading:
    counters: Counts = {"records_consumed": {(): consumed}, "http_requests": {("accepted",): 1.0}}
    return Reading(0, ready, counters, {"consumer_lag_messages": {("t", "0"): lag}})


def up(number: int, shown: Reading | None = None) -> Slot:
    slot = Slot(number)
    slot.launched(0)
    if shown is not None:
        slot.shown(shown)
    return slot


def test_every_count_has_its_process_as_its_last_label() -> None:
    found = merged([up(1, reading(5, 7)), up(2, reading(6, 8))], 3, None)
    assert found.counters["records_consumed"] == {("1",): 5, ("2",): 6}
    assert found.counters["http_requests"] == {("accepted", "1"): 1, ("accepted", "2"): 1}
    assert found.counters["process_restarts"] == {("1",): 0, ("2",): 0}
    assert found.gauges["consumer_lag_messages"] == {("t", "0", "1"): 7, ("t", "0", "2"): 8}
    assert found.gauges["process_up"] == {("1",): 1, ("2",): 1}
    assert (found.turned, found.ready, found.started) == (3, None, True)


def test_of_a_process_that_is_down_counters_stay_and_gauges_go() -> None:
    slot = up(1, reading(5, 7))
    slot.ended(-9, 1, float)
    found = merged([slot], 0, None)
    assert found.counters["records_consumed"] == {("1",): 5}
    assert found.gauges == {"process_up": {("1",): 0}}


def test_a_process_that_is_started_again_shows_nothing_old_as_a_gauge_and_then_counts_anew() -> None:
    slot = up(1, reading(5, 7))
    slot.ended(-9, 1, float)
    slot.launched(2)
    found = merged([slot], 0, None)
    assert found.gauges == {"process_up": {("1",): 1}}
    assert found.counters["process_restarts"] == {("1",): 1}
    slot.shown(reading(1, 9))
    found = merged([slot], 0, None)
    assert found.counters["records_consumed"] == {("1",): 1}
    assert found.gauges["consumer_lag_messages"] == {("t", "0", "1"): 9}


def test_what_is_added_is_declared() -> None:
    found = merged([up(1)], 0, None)
    assert found.counters.keys() <= COUNTERS.keys()
    assert found.gauges.keys() <= GAUGES.keys()


def test_all_have_started_once_each_had_its_directory_and_a_crash_does_not_take_it_back() -> None:
    slots = [up(1, reading(0, 0)), up(2, Reading(0, "directory", started=False))]
    assert not merged(slots, 0, None).started
    slots[1].shown(reading(0, 0))
    slots[0].ended(-9, 1, float)
    assert merged(slots, 0, None).started


DOWN = "down"


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([None, None], None),
        ([None, "forbidden"], "process 2: forbidden"),
        (["starting", "forbidden", "no-partitions"], "process 2: forbidden"),
        (["forbidden", DOWN], "process 2: restarting-signal-9"),
        ([DOWN, DOWN], "process 1: restarting-signal-9"),
        ([None, "no-partitions"], None),
        (["no-partitions", "starting"], "process 2: starting"),
        (["no-partitions", "no-partitions"], "process 1: no-partitions"),
    ],
)
def test_the_worst_trouble_is_told_with_whose_it_is(states: list[str | None], told: str | None) -> None:
    slots = [up(number, reading(0, 0, state)) for number, state in enumerate(states, 1)]
    for slot, state in zip(slots, states, strict=True):
        if state == DOWN:
            slot.ended(-9, 1, float)
    assert trouble(slots) == told


def test_a_process_that_has_shown_nothing_is_starting_and_one_that_was_refused_says_its_code() -> None:
    slot = up(1)
    assert trouble([slot]) == "process 1: starting"
    slot.ended(69, 1, float)
    assert trouble([slot]) == "process 1: restarting-69"


labels = st.lists(st.text(), max_size=3).map(tuple)
counts = st.dictionaries(st.text(), st.dictionaries(labels, st.floats(allow_nan=False, allow_infinity=False)))


@given(st.builds(Reading, st.floats(0, 1e9), st.none() | st.text(), counts, counts, started=st.booleans()))
def test_a_reading_comes_over_as_it_was(sent: Reading) -> None:
    line = encode(sent)
    assert line.count(b"\n") == 1
    assert decode(line) == sent


@given(st.data())
def test_a_line_that_was_cut_is_no_reading(data: st.DataObject) -> None:
    line = encode(reading(5, 7)).rstrip()
    cut = line[: data.draw(st.integers(0, len(line) - 1))]
    assert decode(cut) is None
    assert decode(cut + line) is None or not cut
