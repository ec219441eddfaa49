"""Halves of scorings in the audit, without Kafka: how they are joined, where they are looked for, what they count."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.audit.books import Books
from worker.audit.entering import Entries
from worker.audit.fates import Fate, Range
from worker.audit.pairing import AROUND, Pairing, rings
from worker.audit.showing import Repairs
from worker.audit.walking import Seen
from worker.model import Claim, Disposition, Envelope, Half, Pair, Refusal, Side, apart
from worker.topics.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

T = "events"
CLAIM = Claim(T, 0)
ASKED, ANSWERED = Side.REQUEST, Side.RESPONSE


def record(offset: int, claim: Claim = CLAIM) -> Envelope:
    return Envelope(claim, offset, 0, None, b"body", ())


def pairing(lettered: frozenset[int] = frozenset(), records: int = 100, size: int = 1 << 40) -> Pairing:
    return Pairing(lambda half: half.offset in lettered, records, size)


SIDES = st.lists(st.tuples(st.sampled_from(Side), st.sampled_from("abc"), st.booleans()), max_size=30)


@given(SIDES, st.integers(2, 12))
def test_every_half_is_in_one_pair_or_alone_and_no_more_wait_than_may(
    came: list[tuple[Side, str, bool]], records: int
) -> None:
    lettered = frozenset(offset for offset, (_, _, given_up) in enumerate(came) if given_up)
    found = pairing(lettered, records)
    ends: Counter[int] = Counter()
    for offset, (side, key, _) in enumerate(came):
        pairs, alone = found.join([(Half(side, key), record(offset))])
        for pair in pairs:
            assert came[pair.request.offset][:2] == (ASKED, key)
            assert came[pair.response.offset][:2] == (ANSWERED, key)
        ends.update(each.offset for each in apart(pairs))
        ends.update(each.envelope.offset for each in alone)
        assert len(list(found.held())) <= records
    ends.update(each.envelope.offset for each in found.rest())
    assert ends == Counter(range(len(came)))
    assert list(found.held()) == []


def joined(*halves: tuple[Side, int], lettered: frozenset[int]) -> tuple[list[tuple[int, int]], dict[int, str]]:
    """Offsets of requests and responses that were joined, and the reasons of the others by offset."""
    found = pairing(lettered)
    pairs, alone = found.join([(Half(side, "k"), record(offset)) for side, offset in halves])
    left = [*alone, *found.rest()]
    told = {each.envelope.offset: each.refusal.code for each in left}
    return [(each.request.offset, each.response.offset) for each in pairs], told


def test_a_half_that_was_given_up_makes_room_for_the_client_s_next_try() -> None:
    halves = ((ASKED, 1), (ASKED, 10), (ANSWERED, 11))
    assert joined(*halves, lettered=frozenset({1})) == ([(10, 11)], {1: "unpaired-request"})
    assert joined(*halves, lettered=frozenset({10})) == ([(1, 11)], {10: "duplicate-request"})
    assert joined(*halves, lettered=frozenset()) == ([(1, 11)], {10: "duplicate-request"})


def test_halves_of_two_partitions_are_not_joined() -> None:
    found = pairing()
    pairs, _ = found.join([(Half(ASKED, "k"), record(1)), (Half(ANSWERED, "k"), record(2, Claim(T, 1)))])
    assert pairs == []
    assert {each.refusal.code for each in found.rest()} == {"unpaired-request", "unpaired-response"}


@given(st.integers(0, 300_000), st.integers(1, 50), st.integers(0, 300_000), st.integers(0, 5_000))
def test_rings_read_every_offset_around_a_span_once_and_none_of_it(begin: int, size: int, more: int, low: int) -> None:
    span = Span(T, 0, low + begin, low + begin + size)
    log = Span(T, 0, low, span.end + more)
    found = [each for ring in rings([span], {(T, 0): log}) for each in ring]
    assert sum(each.count for each in found) == min(begin, AROUND[-1]) + min(more, AROUND[-1])
    ordered = sorted([*found, span])
    assert all(a.end == b.begin for a, b in pairwise(ordered))


# --- what is entered in the books -------------------------------------------------------------------------------


def seen(envelope: Envelope, scoring_id: str = "a", *, alone: bool = False) -> Seen:
    refusal = Refusal(Disposition.VALIDATION, "unpaired-request", "") if alone else None
    return Seen(envelope, "s", scoring_id, 0 if alone else 2, None, refusal, alone=alone)


def fates(books: Books) -> dict[int, tuple[Fate, str]]:
    return {each.offset: (each.fate, each.why) for _, found in books.fates() for each in found}


@pytest.fixture
def books() -> Iterator[Books]:
    with closing(Books([Span(T, 0, 10, 30)], {(T, 0): 20})) as made:
        yield made


@pytest.mark.parametrize(("rows", "fate"), [(2, Fate.HELD), (1, Fate.IN_PART), (0, Fate.MISSING)])
def test_both_records_of_a_pair_have_the_fate_of_its_rows_and_are_one_event(
    books: Books, rows: int, fate: Fate
) -> None:
    entries = Entries(books, None)
    entries.enter(seen(Pair.of(record(12), record(15))))
    for number in range(rows):
        books.row("s", f"a-{number + 1}")
    assert books.compare() == (0 if fate is Fate.HELD else 2)
    assert fates(books) == {12: (fate, ""), 15: (fate, "")}
    assert (books.pairs, books.duplicates, books.rows_held) == (1, 0, 2 if rows == 2 else 0)
    assert (books.windows["s"].events, entries.reach) == (1, {})


def test_two_pairs_of_one_id_are_told_once(books: Books) -> None:
    entries = Entries(books, None)
    for request, response in ((12, 15), (17, 16)):
        entries.enter(seen(Pair.of(record(request), record(response))))
    books.compare()
    assert books.duplicates == 1


def test_a_pair_is_as_settled_as_its_older_half(books: Books) -> None:
    entries = Entries(books, None)
    entries.enter(seen(Pair.of(record(25), record(12)), "across the commit, held"))
    entries.enter(seen(Pair.of(record(13), record(26)), "across the commit, gone"))
    entries.enter(seen(Pair.of(record(27), record(28)), "behind it"))
    books.row("s", "across the commit, held-1")
    books.row("s", "across the commit, held-2")
    books.compare()
    told = {offset: fate for offset, (fate, _) in fates(books).items()}
    assert told == {
        12: Fate.HELD, 25: Fate.HELD, 13: Fate.MISSING, 26: Fate.MISSING, 27: Fate.OPEN, 28: Fate.OPEN,
    }  # fmt: skip


def copied(offset: int, first: int) -> Envelope:
    """A record that was at `first`, was dead-lettered and sent back."""
    names = zip(("topic", "partition", "offset"), (T, 0, first), strict=True)
    headers = [(f"__dlq.errors.{name}", str(each).encode()) for name, each in names]
    return Envelope(CLAIM, offset, 0, None, b"body", [*headers, ("payload-worker.redrive.count", b"1")])


def test_halves_that_were_sent_back_count_for_their_first_places_and_are_as_settled_as_the_older(books: Books) -> None:
    entries = Entries(books, None)
    for first in (11, 12, 13, 14):
        books.letter((T, 0, first), 0, "validation (unpaired-request)")
    entries.enter(seen(Pair.of(copied(18, 11), copied(22, 12)), "a"))
    entries.enter(seen(Pair.of(copied(23, 13), copied(24, 14)), "b"))
    books.compare()
    missing, open_ = (Fate.MISSING, "redriven"), (Fate.OPEN, "redriven")
    assert fates(books) == {11: missing, 12: missing, 13: open_, 14: open_}
    assert [entries.given_up(each) for each in (record(11), copied(18, 11), record(15))] == [True, False, False]


def test_of_a_pair_across_the_edge_one_record_counts_and_the_other_is_in_reach(books: Books) -> None:
    entries = Entries(books, None)
    entries.enter(seen(Pair.of(record(7), record(12)), "a"))
    entries.enter(seen(Pair.of(record(33), record(18)), "b"))
    entries.enter(seen(Pair.of(record(2), record(3)), "not of the span"))
    assert set(fates(books)) == {12, 18}
    assert (books.pairs, entries.reach) == (0, {(T, 0): (7, 33)})


def test_a_half_alone_is_explained_by_its_letter_its_row_or_its_openness_and_is_a_gap_without(books: Books) -> None:
    entries = Entries(books, None)
    books.letter((T, 0, 11), 0, "validation (unpaired-request)")
    assert [entries.lacks(record(offset)) for offset in (9, 11, 12, 20)] == [False, False, True, False]
    for offset in (11, 12, 13, 20):
        entries.enter(seen(record(offset), f"id-{offset}", alone=True))
    books.row("s", "id-12-1")
    assert books.compare() == 1
    assert fates(books) == {
        11: (Fate.DEAD_LETTERED, "validation (unpaired-request)"),
        12: (Fate.HELD, ""),
        13: (Fate.NO_LETTER, "validation (unpaired-request)"),
        20: (Fate.OPEN, ""),
    }


def test_both_records_of_another_subscription_s_pair_are_left_out(books: Books) -> None:
    entries = Entries(books, "other")
    entries.enter(seen(Pair.of(record(12), record(15))))
    assert (entries.aside, fates(books)) == (2, {})


# --- repairs ----------------------------------------------------------------------------------------------------


def repairs(*gaps: tuple[int, Fate, str], reach: dict[tuple[str, int], tuple[int, int]] | None = None) -> list[str]:
    found = Repairs(None, None, {T}, reach)
    for offset, fate, why in gaps:
        found.add(Range(T, 0, offset, offset, 1, fate, why))
    return [each.partition("--offset-from ")[2] for each in found.commands()]


def test_one_replay_spans_all_gaps_of_a_partition_so_that_it_has_both_halves_of_each() -> None:
    gaps = ((3, Fate.MISSING, ""), (9, Fate.MISSING, ""), (20, Fate.IN_PART, ""))
    assert repairs(*gaps) == ["3 --offset-to 21"]
    assert repairs(*gaps, reach={(T, 0): (1, 30)}) == ["1 --offset-to 31"]
    assert repairs(*gaps, reach={(T, 0): (5, 6)}) == ["3 --offset-to 21"]


def test_half_a_scoring_is_not_to_be_sent_again() -> None:
    alone = (5, Fate.NO_LETTER, "validation (unpaired-response)")
    assert repairs(alone) == []
    assert repairs(alone, (7, Fate.NO_LETTER, "validation (row-counts)")) == ["7 --offset-to 8 --dead-letter"]
