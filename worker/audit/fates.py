"""What can have become of an event, in words for people and tools, and ranges of offsets that share a fate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Fate(StrEnum):
    """Of one event. The first is well; those in `GAPS` are not; the others are known and somebody's to do."""

    HELD = "held"
    DEAD_LETTERED = "dead-lettered"
    OPEN = "open"
    UNREAD = "unread"
    MISSING = "missing"
    IN_PART = "stored-in-part"
    NO_LETTER = "refused-without-letter"


GAPS = (Fate.MISSING, Fate.IN_PART, Fate.NO_LETTER)

MEANINGS = {
    Fate.HELD: "the data mart holds it",
    Fate.DEAD_LETTERED: "refused, and in the dead-letter topic",
    Fate.OPEN: "at or above the group's committed offset: still the worker's to deliver",
    Fate.UNREAD: "the group has no committed offset on its partition: never read",
    Fate.MISSING: "acknowledged by the group, but the data mart does not hold it",
    Fate.IN_PART: "acknowledged by the group, but the data mart holds only some of its rows",
    Fate.NO_LETTER: "acknowledged by the group and not deliverable, but no dead letter of it is there",
}


class Found(NamedTuple):
    """The fate of one event; `why` as its dead letter, or the worker's rooms, have it; empty where nobody says."""

    offset: int
    fate: Fate
    why: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """Events of one partition that share a fate; `last` is the last one's offset, `count` how many they are."""

    topic: str
    partition: int
    first: int
    last: int
    count: int
    fate: Fate
    why: str = ""

    def __str__(self) -> str:
        where = str(self.first) if self.first == self.last else f"{self.first} to {self.last}"
        return f"{self.topic}[{self.partition}]@{where}"


def folded(topic: str, partition: int, found: Iterable[Found]) -> Iterator[Range]:
    """Neighbours of one fate as ranges; offsets at which nothing lies do not part neighbours, other events do."""
    run: Range | None = None
    for offset, fate, why in found:
        if run is not None and (run.fate, run.why) == (fate, why):
            run = replace(run, last=offset, count=run.count + 1)
            continue
        if run is not None:
            yield run
        run = Range(topic, partition, offset, offset, 1, fate, why)
    if run is not None:
        yield run
