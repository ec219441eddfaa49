"""The books of the demo: what was sent against what is there; pure.

Each event that was sent must have met exactly the fate that its producer knows it deserved: stored in its engine's
subscription with the very values that were scored, or in the dead-letter topic for the very reason. Whatever else
is found is a gap: an event in neither place or in both, one with another fate, and anything that nobody sent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Place(NamedTuple):
    """Where a record is in the topic of events."""

    partition: int
    offset: int


class Reason(NamedTuple):
    """Why a record is dead-lettered, by the words of its headers."""

    disposition: str
    code: str

    def __str__(self) -> str:
        return f"dead-lettered as {self.disposition} ({self.code})"


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that is stored: in whose subscription, and what it holds of request and response."""

    engine: str
    content: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"stored for {self.engine}"


Fate = Kept | Reason


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as its producer knows it; `scoring_id`: its own, or the one that its place gives it."""

    engine: str
    place: Place
    scoring_id: str
    due: Fate

    def __str__(self) -> str:
        return f"{self.engine} event at {self.place.partition}/{self.place.offset} ({self.scoring_id})"


@dataclass(frozen=True, slots=True)
class Line:
    """One engine's events: `lettered` counts by disposition those that are in the dead-letter topic."""

    engine: str
    sent: int
    stored: int
    lettered: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Account:
    """What the comparison came to; it is balanced when there is no gap."""

    lines: Sequence[Line]
    gaps: Sequence[str]

    @property
    def balanced(self) -> bool:
        """Whether every event is accounted for."""
        return not self.gaps


def account(
    sent: Sequence[Sent], stored: Mapping[str, Sequence[Kept]], lettered: Mapping[Place, Sequence[Reason]]
) -> Account:
    """Compare what was sent with what is stored (by scoring id) and dead-lettered (by place).

    A place may be in the dead-letter topic twice, as delivery is at least once: the reasons must still be the same.
    A scoring id may be stored once.
    """
    fates = {each.place: _fates(each, stored, lettered) for each in sent}
    gaps = [gap for each in sent if (gap := _gap(each, fates[each.place])) is not None]
    gaps += _strangers(sent, stored, lettered)
    return Account(_lines(sent, fates), gaps)


def uncommitted(ends: Mapping[int, int], committed: Mapping[int, int]) -> list[str]:
    """Partitions whose committed position is not their end: something in them is not settled."""
    return [
        f"partition {partition}: committed {committed.get(partition, 0)} of {end}"
        for partition, end in sorted(ends.items())
        if committed.get(partition, 0) != end
    ]


def _fates(event: Sent, stored: Mapping[str, Sequence[Kept]], lettered: Mapping[Place, Sequence[Reason]]) -> list[Fate]:
    return [*stored.get(event.scoring_id, ()), *dict.fromkeys(lettered.get(event.place, ()))]


def _gap(event: Sent, fates: Sequence[Fate]) -> str | None:
    """What is wrong with an event that met these fates; None where it is what was due."""
    match fates:
        case []:
            return f"{event}: neither stored nor dead-lettered"
        case [fate]:
            return None if fate == event.due else f"{event}: {_otherwise(event.due, fate)}"
        case _:
            return f"{event}: {' and '.join(map(str, fates))}"


def _otherwise(due: Fate, fate: Fate) -> str:
    if isinstance(due, Kept) and isinstance(fate, Kept) and due.engine == fate.engine:
        return "stored with other values than were scored"
    return f"{fate}, not {due}"


def _strangers(sent: Iterable[Sent], stored: Iterable[str], lettered: Iterable[Place]) -> list[str]:
    sent = list(sent)
    ids = set(stored) - {each.scoring_id for each in sent}
    places = set(lettered) - {each.place for each in sent}
    return [f"stored, though nobody sent it: {each}" for each in sorted(ids)] + [
        f"dead-lettered, though nobody sent it: {each.partition}/{each.offset}" for each in sorted(places)
    ]


def _lines(sent: Iterable[Sent], fates: Mapping[Place, Sequence[Fate]]) -> list[Line]:
    groups: defaultdict[str, list[Sent]] = defaultdict(list)
    for each in sent:
        groups[each.engine].append(each)
    return [_line(engine, [fates[each.place] for each in events]) for engine, events in groups.items()]


def _line(engine: str, fates: Sequence[Sequence[Fate]]) -> Line:
    stored = sum(any(isinstance(fate, Kept) for fate in met) for met in fates)
    lettered = Counter(fate.disposition for met in fates for fate in met if isinstance(fate, Reason))
    return Line(engine, len(fates), stored, lettered)
