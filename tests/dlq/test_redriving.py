"""A redrive over a box of given letters: what holds the position, and when it stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from worker.dlq.box import Found, Positions
from worker.dlq.headers import Told, read
from worker.dlq.letters import Known, Letter
from worker.dlq.redriving import Redrive, Successors
from worker.dlq.sending import Outgoing, Sender, Sources
from worker.edges.cluster import ClusterError
from worker.rooms.places import KIP

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from worker.dlq.box import Box


def letter(offset: int, redrives: int = 0, topic_id: str | None = None) -> Letter:
    """A letter whose record was at the same offset of `t`."""
    told = Told(KIP, topic="t", partition=0, offset=offset, redrives=redrives, topic_id=topic_id)
    return Letter("letters", 0, offset, 0, None, b"x", (), told)


class Given:
    """A box of letters at consecutive offsets from 0, so many a chunk; None is one that is not meant."""

    def __init__(self, *letters: Letter | None, chunk: int = 1) -> None:
        self.letters = letters
        self.chunk = chunk

    def read(self, _: Mapping[tuple[str, int], int]) -> Iterator[Found]:
        for at in range(0, len(self.letters), self.chunk):
            meant = [each for each in self.letters[at : at + self.chunk] if each is not None]
            end = min(at + self.chunk, len(self.letters))
            yield Found([(each, Known(each, _none, _nothing, _none)) for each in meant], {("letters", 0): end}, 1)


class Freely:
    """A pace that is stopped at its n-th look."""

    slice: int | None = None

    def __init__(self, looks: int = 1000) -> None:
        self.looks = looks

    @property
    def stopped(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    @stopped.setter
    def stopped(self, value: bool) -> None:
        raise AssertionError(value)

    def __call__(self, count: int) -> bool:
        return count >= 0


class Taking:
    """A writer that takes everything but these: some are too large, and at one the brokers have gone."""

    def __init__(self, large: Collection[int] = (), gone_at: int | None = None) -> None:
        self.taken: list[Outgoing] = []
        self._large = large
        self._gone_at = gone_at

    def write(self, records: Sequence[Outgoing]) -> list[Outgoing]:
        if any(first_offset(each) == self._gone_at for each in records):
            raise ClusterError("1 of 1 were not acknowledged")
        large = [each for each in records if first_offset(each) in self._large]
        self.taken += [each for each in records if each not in large]
        return large


def first_offset(record: Outgoing) -> int:
    """Where a record was first, as it says itself."""
    told = read(record.headers)
    assert told is not None
    assert told.offset is not None
    return told.offset


def _none(_: object) -> None:
    return None


def _nothing(_: object) -> dict[str, str | None]:
    return {}


def work_on(box: Given, most: int | None = None) -> Redrive:
    return Redrive(cast("Box", box), Sender(Sources({"t": 1}, {}, {("t", 0): 100})), Successors(), most)


def redrive(
    box: Given, *, looks: int = 1000, most: int | None = None, large: Collection[int] = ()
) -> tuple[Any, Positions, Taking]:
    """The tally, the positions that were kept last, and what was written."""
    kept: Positions = {}
    writer = Taking(large)
    return work_on(box, most).run({}, writer, kept.update, Freely(looks)), kept, writer


def test_what_was_sent_back_too_often_holds_the_position_so_that_it_is_told_each_time() -> None:
    tally, kept, writer = redrive(Given(letter(0), letter(1, redrives=3), letter(2)))
    assert tally.withheld == {"redriven-too-often": 1}
    assert tally.unsent == 1
    assert len(writer.taken) == 2
    assert kept == {("letters", 0): 1}


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_nothing_is_kept_of_what_the_brokers_have_not_acknowledged(chunk: int) -> None:
    kept: Positions = {}
    box = Given(*map(letter, range(5)), chunk=chunk)
    with pytest.raises(ClusterError):
        work_on(box).run({}, Taking(gone_at=3), kept.update, Freely())
    assert kept.get(("letters", 0), 0) == 3 - 3 % chunk


@pytest.mark.parametrize("chunk", [1, 2, 3, 6])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_where_it_ends_for_it_has_sent_enough_the_rest_is_still_to_be_sent(chunk: int, most: int) -> None:
    tally, kept, writer = redrive(Given(*map(letter, range(6)), chunk=chunk), most=most)
    assert [first_offset(each) for each in writer.taken] == list(range(most))
    assert (kept, tally.sent.total, tally.stopped) == ({("letters", 0): most}, most, False)


@pytest.mark.parametrize("chunk", [1, 3, 6])
def test_the_first_that_stays_holds_the_position_whatever_stays_behind_it(chunk: int) -> None:
    box = Given(letter(0), letter(1, redrives=3), letter(2), letter(3, redrives=3), letter(4), None, chunk=chunk)
    tally, kept, _ = redrive(box)
    assert (kept, tally.unsent) == ({("letters", 0): 1}, 2)


def test_what_is_too_large_for_its_topic_is_not_called_sent_and_holds_the_position() -> None:
    tally, kept, writer = redrive(Given(*map(letter, range(4)), chunk=2), large={1})
    assert [first_offset(each) for each in writer.taken] == [0, 2, 3]
    assert (tally.sent.total, tally.withheld, tally.unsent) == (3, {"too-large": 1}, 1)
    assert kept == {("letters", 0): 1}


def test_a_signal_is_heard_while_chunks_hold_no_letter_that_is_meant() -> None:
    tally, kept, _ = redrive(Given(None, None, None, None), looks=2)
    assert tally.stopped
    assert kept == {("letters", 0): 2}


def test_of_two_topics_of_one_name_a_letter_does_not_supersede_the_others() -> None:
    successors = Successors()
    successors.add(letter(5, 1, "old").told)
    assert not successors.newer(letter(5, 0, "new").told)
    assert successors.newer(letter(5, 0, "old").told)
    assert successors.newer(letter(5, 0).told), "a letter of before the header has the same event as far as is known"
