"""What decides: from what was produced, received, stored, dead-lettered and committed, whether anything was lost.

Pure. The claim, by event and not by count: *produced = stored or dead-lettered*, and *a committed offset is at no time
above the settled prefix*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

NAMED = 3
"""Events that a fault names; there may be as many as there are events."""


class Early(NamedTuple):
    """A commit passed this event before it was settled."""

    partition: int
    offset: int
    event: str


class Prefixes:
    """Looks at each offset once, when a commit first passes it: so it costs the same however often it is asked.

    `log` holds the ids of each partition in the order of their offsets, and grows while events are produced.
    """

    def __init__(self, log: Sequence[Sequence[str]]) -> None:
        self._log = log
        self._passed = [0] * len(log)
        self.backwards = 0
        """Commits that moved a position back: what is between will be read again."""
        self._latest = [0] * len(log)

    def covered(self, committed: Mapping[int, int]) -> list[Early]:
        """The events that these positions pass and none did before; each is early unless it is settled by now."""
        found: list[Early] = []
        for partition, position in committed.items():
            self.backwards += position < self._latest[partition]
            self._latest[partition] = position
            start = self._passed[partition]
            ids = self._log[partition][start:position]
            found += [Early(partition, start + number, event) for number, event in enumerate(ids)]
            self._passed[partition] = max(start, position)
        return found

    def early(self, committed: Mapping[int, int], settled: Callable[[str], bool]) -> list[Early]:
        """Those newly covered that are not settled; `settled` must know all that was settled before the commit."""
        return [each for each in self.covered(committed) if not settled(each.event)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found at the end, by event.

    `received`: how often it was taken in a post that was answered so; `seen`: how often in one whose answer a fault
    took away; `stored`: what the data mart holds; `lettered`: the dispositions of its dead letters.
    """

    produced: AbstractSet[str]
    received: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)
    stored: AbstractSet[str] = frozenset()
    lettered: Mapping[str, Sequence[str]] = field(default_factory=dict)
    early: Sequence[Early] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The books.

    Sets of events: `missing` are in neither place, `both` in both, `strangers` were never produced, `unposted` are
    stored and were never posted, `unstored` were received and are not stored. `duplicates` counts receptions of an
    event that had been received, `letters_again` dead letters of one that had a dead letter.
    """

    events: int
    missing: frozenset[str]
    both: frozenset[str]
    strangers: frozenset[str]
    unposted: frozenset[str]
    unstored: frozenset[str]
    duplicates: int
    dead_lettered: int
    letters_again: int
    early: tuple[Early, ...]

    def faults(self, *, both: bool = False) -> list[str]:
        """What contradicts the claim, in words; `both`: an event may be stored and dead-lettered."""
        sets = {
            "missing": self.missing,
            "stored and dead-lettered": frozenset() if both else self.both,
            "never produced": self.strangers,
            "stored and never posted": self.unposted,
            "received and not stored": self.unstored,
            "committed before it was settled": frozenset(each.event for each in self.early),
        }
        return [f"{len(events)} {name}: {_named(events)}" for name, events in sets.items() if events]


def judge(evidence: Evidence) -> Judgement:
    """Close the books."""
    stored, lettered = evidence.stored, evidence.lettered.keys()
    posted = evidence.received.keys() | evidence.seen.keys()
    return Judgement(
        events=len(evidence.produced),
        missing=frozenset(evidence.produced - stored - lettered),
        both=frozenset(stored & lettered),
        strangers=frozenset((stored | lettered | posted) - evidence.produced),
        unposted=frozenset(stored - posted),
        unstored=frozenset(evidence.received.keys() - stored),
        duplicates=_again(evidence.received.values()),
        dead_lettered=len(lettered),
        letters_again=_again(len(each) for each in evidence.lettered.values()),
        early=tuple(evidence.early),
    )


def _again(counts: Iterable[int]) -> int:
    return sum(count - 1 for count in counts if count > 1)


def _named(events: AbstractSet[str]) -> str:
    first = sorted(events)[:NAMED]
    return ", ".join(first) + (" …" if len(events) > NAMED else "")
