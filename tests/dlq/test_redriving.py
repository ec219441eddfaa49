"""A redrive over a box of given letters: what holds the position, and when it stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from worker.dlq.box import Found, Positions
from worker.dlq.headers import Told
from worker.dlq.letters import Known, Letter
from worker.dlq.redriving import Redrive, Successors
from worker.dlq.sending import Outgoing, Sender, Sources
from worker.rooms.places import KIP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.dlq.box import Box


def letter(offset: int, redrives: int = 0, topic_id: str | None = None) -> Letter:
    """A letter whose record was at the same offset of `t`."""
    told = Told(KIP, topic="t", partition=0, offset=offset, redrives=redrives, topic_id=topic_id)
    return Letter("letters", 0, offset, 0, None, b"x", (), told)


class Given:
    """A box of letters, one a chunk; a chunk may have none."""

    def __init__(self, *letters: Letter | None) -> None:
        self.letters = letters

    def read(self, _: Mapping[tuple[str, int], int]) -> Iterator[Found]:
        for at, each in enumerate(self.letters):
            known = [] if each is None else [(each, Known(each, _none, _nothing, _none))]
            yield Found(known, {("letters", 0): at + 1}, 1)


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
    """A writer that takes everything."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []

    def write(self, records: Sequence[Outgoing]) -> list[Outgoing]:
        self.taken += records
        return []


def _none(_: object) -> None:
    return None


def _nothing(_: object) -> dict[str, str | None]:
    return {}


def redrive(box: Given, *, most: int = 3, looks: int = 1000) -> tuple[Any, Positions, Taking]:
    """The tally, the positions that were kept last, and what was written."""
    kept: Positions = {}
    writer = Taking()
    work = Redrive(cast("Box", box), Sender(Sources({"t": 1}, {}, {("t", 0): 100}), most), Successors())
    return work.run({}, writer, kept.update, Freely(looks)), kept, writer


def test_what_was_sent_back_too_often_holds_the_position_so_that_it_is_told_each_time() -> None:
    tally, kept, writer = redrive(Given(letter(0), letter(1, redrives=3), letter(2)))
    assert tally.withheld == {"redriven-too-often": 1}
    assert tally.unsent == 1
    assert len(writer.taken) == 2
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
