"""The audit's books, without Kafka and without a data mart: what goes in decides what comes out, for all events."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.audit.auditing import ours
from worker.audit.books import Books
from worker.audit.buckets import Buckets
from worker.audit.fates import Fate, Found, folded
from worker.audit.marks import PAGE, Marks
from worker.audit.showing import Repairs
from worker.dlq.headers import Told
from worker.rooms.places import CONNECT, KIP
from worker.topics.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

T = "events"
NUMBERS = st.integers(0, 2**64 - 1)


@given(st.dictionaries(st.integers(0, 10**12), st.integers(1, 255)))
def test_marks_are_what_was_set_and_in_order(given_: dict[int, int]) -> None:
    marks = Marks()
    for offset, mark in given_.items():
        marks[offset] = mark
    assert list(marks) == sorted(given_.items())
    assert marks[10**13] == 0
    assert marks.size <= PAGE * len(given_)


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 2**16 - 1)), max_size=300), st.integers(1, 40))
def test_buckets_give_back_what_was_written(given_: list[tuple[int, int]], times: int) -> None:
    with Buckets("<QH") as buckets:
        for _ in range(times):
            for each in given_:
                buckets.add(*each)
        found = [each for number in range(256) for each in buckets.bucket(number)]
        assert buckets.count == len(given_) * times
    assert sorted(found) == sorted(given_ * times)


@given(st.lists(st.sampled_from(list(Fate)[:4])))
def test_ranges_have_every_event_once_in_order_and_neighbours_differ(fates: list[Fate]) -> None:
    ranges = list(folded(T, 0, (Found(3 * number, fate) for number, fate in enumerate(fates))))
    assert [each.fate for each in ranges for _ in range(each.count)] == fates
    assert all(a.fate is not b.fate and a.last < b.first for a, b in pairwise(ranges))


def books(count: int = 20, committed: Mapping[int, int] | None = None) -> Books:
    spans = [Span(T, partition, 0, count) for partition in range(2)]
    marks = {0: count, 1: count} if committed is None else committed
    return Books(spans, {(T, partition): offset for partition, offset in marks.items()})


def fates(of: Books) -> dict[tuple[int, int], tuple[Fate, str]]:
    return {(span.partition, each.offset): (each.fate, each.why) for span, found in of.fates() for each in found}


@given(st.sets(st.tuples(st.integers(0, 1), st.integers(0, 19))), st.data())
def test_what_was_produced_and_is_not_held_is_missing_exactly(
    produced: set[tuple[int, int]], data: st.DataObject
) -> None:
    held = data.draw(st.sets(st.sampled_from(sorted(produced)))) if produced else set()
    with closing(books()) as found:
        for place in produced:
            found.event((T, *place), "s", f"id-{place}", 1, None)
        for place in held:
            found.row("s", f"id-{place}-1")
        assert found.compare() == len(produced - held)
        told = fates(found)
    assert {place for place, (fate, _) in told.items() if fate is Fate.HELD} == held
    assert {place for place, (fate, _) in told.items() if fate is Fate.MISSING} == produced - held


def test_what_is_found_at_a_later_look_is_held() -> None:
    with closing(books()) as found:
        for offset in range(3):
            found.event((T, 0, offset), "s", f"id-{offset}", 1, None)
        found.row("s", "id-0-1")
        assert found.compare() == 2
        found.row("s", "id-1-1")
        found.row("s", "of another time-1")
        assert found.compare() == 1
        assert [fate for fate, _ in fates(found).values()] == [Fate.HELD, Fate.HELD, Fate.MISSING]


def test_an_event_is_held_when_all_of_its_rows_are() -> None:
    with closing(books()) as found:
        found.event((T, 0, 0), "s", "a", 3, None)
        found.event((T, 0, 1), "s", "b", 3, None)
        for row in ("a-1", "a-2", "a-2", "b-1", "b-2", "b-3", "b-4"):
            found.row("s", row)
        assert found.compare() == 1
        assert fates(found) == {(0, 0): (Fate.IN_PART, ""), (0, 1): (Fate.HELD, "")}
        assert found.rows_held == 3


def test_a_row_of_another_subscription_is_not_the_event_s() -> None:
    with closing(books()) as found:
        found.event((T, 0, 0), "s", "a", 1, None)
        found.row("other", "a-1")
        assert found.compare() == 1


def test_one_id_produced_twice_is_one_row_and_told() -> None:
    with closing(books()) as found:
        found.event((T, 0, 0), "s", "a", 1, None)
        found.event((T, 1, 5), "s", "a", 1, None)
        found.row("s", "a-1")
        assert found.compare() == 0
        assert (found.duplicates, found.rows_held) == (1, 1)


@pytest.mark.parametrize(
    ("committed", "expected"), [({0: 6}, Fate.MISSING), ({0: 5}, Fate.OPEN), ({}, Fate.UNREAD), ({1: 9}, Fate.UNREAD)]
)
def test_the_committed_offset_tells_the_open_from_the_missing(committed: dict[int, int], expected: Fate) -> None:
    with closing(books(committed=committed)) as found:
        found.event((T, 0, 5), "s", "a", 1, None)
        found.compare()
        assert fates(found) == {(0, 5): (expected, "")}


def test_a_letter_explains_what_is_not_held_also_where_its_offset_is_not_committed_yet() -> None:
    with closing(books(committed={0: 1})) as found:
        for offset in (0, 7):
            found.letter((T, 0, offset), 0, "decode (not-avro)")
            found.refused((T, 0, offset), "decode (not-avro)")
        found.compare()
        assert set(fates(found).values()) == {(Fate.DEAD_LETTERED, "decode (not-avro)")}


def test_another_group_s_letter_explains_nothing_and_one_that_names_no_group_of_ours_does() -> None:
    mine = Told(KIP, own=True, group="mine")
    assert ours(mine, "mine")
    assert not ours(replace(mine, group="theirs"), "mine"), "our group may have lost what theirs has refused"
    assert ours(replace(mine, group=None), "mine"), "a slim letter does not say whose it is"
    assert ours(Told(CONNECT, own=False, group="sink"), "mine"), "other tools' groups are none of workers"


def test_what_is_refused_and_in_no_letter_is_a_gap_with_the_reason() -> None:
    with closing(books()) as found:
        found.refused((T, 0, 0), "decode (not-avro)")
        found.compare()
        assert fates(found) == {(0, 0): (Fate.NO_LETTER, "decode (not-avro)")}


def copied(letters: list[int], copy_at: int, *, held: bool) -> tuple[Fate, str]:
    """The fate of an event at 0 that was dead-lettered after so many redrives each, and sent back once."""
    with closing(books(committed={0: 10})) as found:
        for redrives in letters:
            found.letter((T, 0, 0), redrives, "rejected (x)")
        found.event((T, 0, 0), "s", "a", 1, None)
        assert found.copy((T, 0, copy_at), (T, 0, 0), 1)
        found.event((T, 0, 0), "s", "a", 1, None)
        if held:
            found.row("s", "a-1")
        found.compare()
        told = fates(found)
        assert found.duplicates == 0
    return told.pop((0, 0))


def test_a_redriven_record_counts_for_the_place_it_first_had() -> None:
    assert copied([0], 5, held=True) == (Fate.HELD, "")
    assert copied([0], 5, held=False) == (Fate.MISSING, "redriven")
    assert copied([0], 15, held=False) == (Fate.OPEN, "redriven")
    assert copied([0, 1], 5, held=False) == (Fate.DEAD_LETTERED, "rejected (x)")


def test_a_copy_of_a_place_outside_of_the_span_counts_for_nothing_in_it() -> None:
    with closing(books()) as found:
        assert not found.copy((T, 0, 5), (T, 0, 400), 1)
        assert not found.copy((T, 0, 5), ("other", 0, 1), 1)
        assert (found.copies, fates(found)) == (2, {})


def test_reasons_without_end_share_the_last() -> None:
    with closing(books(300)) as found:
        for offset in range(300):
            found.refused((T, 0, offset), f"reason {offset}")
        told = fates(found)
    assert [told[0, offset][1] for offset in (0, 253, 254, 299)] == [
        "reason 0",
        "reason 253",
        "other reasons",
        "other reasons",
    ]


def gaps(count: int) -> Iterator[str]:
    repairs = Repairs("s")
    for gap in folded(T, 3, (Found(10 * n, Fate.MISSING, str(n)) for n in range(count))):
        repairs.add(gap)
    return repairs.commands()


def test_a_repair_names_the_gap_with_an_exclusive_end() -> None:
    flags = "--topic events --partition 3 --offset-from {} --offset-to {} --subscription s"
    assert list(gaps(2)) == [f"payload-worker replay {flags.format(begin, begin + 1)}" for begin in (0, 10)]


def test_many_gaps_of_a_partition_are_one_replay_over_all_of_them() -> None:
    assert len(list(gaps(10))) == 10
    (command,) = gaps(35)
    assert "--offset-from 0 --offset-to 341 " in command


def test_a_repair_of_what_has_no_letter_writes_one_and_names_the_settings() -> None:
    repairs = Repairs(None, Path("my.toml"))
    fates = [Fate.MISSING, Fate.NO_LETTER, Fate.MISSING]
    for gap in folded(T, 3, (Found(n, fate) for n, fate in enumerate(fates))):
        repairs.add(gap)
    found = {command.partition(" --offset-from ")[2] for command in repairs.commands()}
    assert found == {
        "0 --offset-to 1 --config my.toml",
        "2 --offset-to 3 --config my.toml",
        "1 --offset-to 2 --config my.toml --dead-letter",
    }
