"""What is settled beyond a commit: written and read as it is, cut where it is long, and nothing else taken for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.flow.settled import LONGEST, Settled, read, settled_beyond, written

OFFSETS = st.integers(0, 2**62)


@given(OFFSETS, st.sets(st.integers(0, 300), max_size=100), st.integers(1, 400))
def test_it_is_read_as_it_was_written(since: int, holes: set[int], length: int) -> None:
    told = Settled(since, since + length, frozenset(since + each for each in holes if each < length))
    assert read(written(told, "id"), "id", since) == told


@given(OFFSETS, st.lists(st.integers(1, 2**20), min_size=1, max_size=20))
def test_a_text_that_would_be_too_long_tells_less_and_nothing_wrong(since: int, steps: list[int]) -> None:
    steps = (steps * 1500)[:1500]
    holes, offset = [], since
    for step in steps:
        offset += step
        holes.append(offset)
    told = Settled(since, offset + 10, frozenset(holes))
    text = written(told, "i" * 40)
    assert len(text) <= LONGEST
    found = read(text, "i" * 40, since)
    assert found is not None
    for each in (*range(since, since + 50), *holes, *(hole + 1 for hole in holes), offset + 20):
        assert (each in told) or (each not in found)


@given(st.text(max_size=60) | st.text("settled-1 id0123456789=A", max_size=60))
def test_any_other_text_is_read_as_nothing(text: str) -> None:
    found = read(text, "id", 5)
    assert found is None or found.since == 5


def test_where_nothing_is_settled_beyond_there_is_nothing_to_tell() -> None:
    assert settled_beyond(None, 9, ()) is None
    assert settled_beyond(3, 5, (3, 4)) is None
    assert settled_beyond(5, 5, ()) is None
    assert settled_beyond(3, 5, (3,)) == Settled(3, 5, frozenset({3}))
