"""Groups and marks: every letter counted once, memory bounded; and which letter of an event still counts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from worker.dlq.groups import Groups
from worker.dlq.headers import Told
from worker.dlq.letters import Letter
from worker.dlq.marks import Marks
from worker.dlq.pacing import Pace
from worker.dlq.redriving import Successors
from worker.rooms.places import KIP

PLACES = st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 200_000) | st.integers(0, 2**63 - 1))


def letter(offset: int, time: int) -> Letter:
    return Letter("letters", 0, offset, time, None, None, (), None)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(-1, 99))), st.integers(1, 4))
def test_every_letter_is_counted_in_its_group_or_with_the_others(kinds: list[tuple[str, int]], cap: int) -> None:
    groups = Groups(["code"], cap)
    for offset, (kind, time) in enumerate(kinds):
        groups.add(letter(offset, time), {"code": kind})
    kept = list(dict.fromkeys(kind for kind, _ in kinds))[:cap]
    found: dict[Any, Any] = {group.key[0]: group for group in groups.largest()}
    assert list(found) == sorted(kept, key=lambda kind: (-found[kind].count, found[kind].example))
    for kind, group in found.items():
        times = [time for each, time in kinds if each == kind and time >= 0]
        assert group.count == sum(each == kind for each, _ in kinds)
        assert (group.first, group.last) == ((min(times), max(times)) if times else (-1, -1))
    assert groups.others.count == sum(kind not in kept for kind, _ in kinds)
    assert groups.total == len(kinds)


@given(st.lists(PLACES), st.lists(PLACES))
def test_marks_are_a_set_of_places(added: list[tuple[str, int, int]], asked: list[tuple[str, int, int]]) -> None:
    marks = Marks()
    for place in added:
        marks.add(*place)
    assert len(marks) == len(set(added))
    for place in (*added, *asked):
        assert marks.has(*place) is (place in set(added))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), unique=True))
def test_of_the_letters_of_an_event_only_the_newest_counts(letters: list[tuple[int, int]]) -> None:
    all_told = [Told(KIP, topic="t", partition=0, offset=at, redrives=count) for at, count in letters]
    successors = Successors()
    for told in all_told:
        successors.add(told)
    newest = {at: max(count for each, count in letters if each == at) for at, _ in letters}
    kept = [(told.offset, told.redrives) for told in all_told if not successors.newer(told)]
    assert sorted(kept) == sorted(newest.items())


def test_a_pace_lets_through_what_its_rate_allows_and_no_more() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(50, lambda: now[0], sleep)
    assert pace.slice == 10
    for _ in range(20):
        assert pace(10)
    assert 3.5 < now[0] < 4.01  # 200 at 50 a second, the first of them at once


def test_a_pace_that_was_stopped_lets_nothing_through() -> None:
    pace = Pace(None)
    assert pace(10)
    pace.stopped = True
    assert not pace(1)
