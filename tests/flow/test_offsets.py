"""The ledger of one claim against a set of open offsets, in any order of ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.flow.offsets import Ledger

GAPS = st.lists(st.integers(1, 4), min_size=1, max_size=30)


@given(GAPS, st.integers(0, 2**62), st.data())
def test_a_commit_never_passes_an_open_offset_and_misses_no_settled_one(
    gaps: list[int], start: int, data: st.DataObject
) -> None:
    ledger, still_open, ahead = Ledger(), set[int](), start
    committed: int | None = None
    for gap in gaps:
        ledger.begin(ahead, gap)
        still_open.add(ahead)
        ahead += gap
        read = ahead - gap + 1
        for offset in data.draw(st.permutations(sorted(still_open)))[: data.draw(st.integers(0, 3))]:
            ledger.finish(offset)
            still_open.remove(offset)
        expected = min(still_open, default=read)
        assert ledger.settled() == expected
        assert len(ledger) == len(still_open)
        assert ledger.committable() == (None if expected == committed else expected)
        if data.draw(st.booleans()):
            committed = expected
            ledger.committed(committed)
    assert committed is None or committed <= ahead


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20))
def test_bytes_are_those_of_what_is_open(sizes: list[int]) -> None:
    ledger = Ledger()
    for offset, size in enumerate(sizes):
        ledger.begin(offset, size)
    for offset in reversed(range(len(sizes))):
        assert ledger.size == sum(sizes[: offset + 1])
        ledger.finish(offset)
    assert (ledger.size, len(ledger)) == (0, 0)


def test_before_the_first_record_nothing_is_known() -> None:
    ledger = Ledger()
    assert (ledger.settled(), ledger.committable()) == (None, None)


def test_a_failed_commit_is_offered_again() -> None:
    ledger = Ledger()
    ledger.begin(5, 1)
    ledger.finish(5)
    assert ledger.committable() == 6
    ledger.committed(6)
    assert ledger.committable() is None
    ledger.committed(None)
    assert ledger.committable() == 6


@pytest.mark.parametrize("offset", [0, 4, 5])
def test_going_back_needs_a_new_claim(offset: int) -> None:
    ledger = Ledger()
    ledger.begin(5, 1)
    with pytest.raises(ValueError, match="new claim"):
        ledger.begin(offset, 1)
    assert (len(ledger), ledger.size, ledger.settled()) == (1, 1, 5)


def test_an_offset_is_settled_once() -> None:
    ledger = Ledger()
    ledger.begin(5, 1)
    ledger.finish(5)
    with pytest.raises(KeyError):
        ledger.finish(5)
