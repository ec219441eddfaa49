"""How far a span is: open until all before its end is read, also where its last offsets hold no record."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.model import Claim
from worker.replay.ends import ENDLESS, Ends
from worker.topics.spans import Span

CLAIM, OTHER = Claim("events", 0), Claim("events", 1)
OFFSETS = st.integers(0, 60)


def begun(begin: int, end: int) -> Ends:
    ends = Ends()
    ends.begin([(CLAIM, Span("events", 0, begin, end)), (OTHER, Span("events", 1, 7, 9))])
    return ends


@given(OFFSETS, st.integers(1, 60), st.sets(OFFSETS))
def test_a_span_is_open_until_all_before_its_end_is_read_and_no_longer(begin: int, count: int, holes: set[int]) -> None:
    end = begin + count
    ends = begun(begin, end)
    for offset in sorted({*range(begin, end - 1)} - holes):
        assert not ends.reached(CLAIM, offset + 1)
        assert ends.open[CLAIM] == end
        assert (ends.read, ends.left(CLAIM, 1000)) == (offset + 1 - begin, end - offset - 1)
    assert ends.reached(CLAIM, end)
    assert (ends.open, ends.read) == ({OTHER: 9}, count)


@given(OFFSETS, st.integers(1, 60), OFFSETS)
def test_a_record_behind_the_end_ends_a_span_and_is_not_counted(begin: int, count: int, behind: int) -> None:
    ends = begun(begin, begin + count)
    assert ends.reached(CLAIM, begin + count + behind)
    assert ends.read == count


def test_what_has_no_end_is_never_through() -> None:
    ends = begun(5, ENDLESS)
    assert not ends.reached(CLAIM, 10**15)
    assert ends.endless
    assert ends.left(CLAIM, 10**15 + 3) == 3
