"""Letters sent back, chunk by chunk: planned first, counted, paced, and safe to be run again.

What makes it safe: a position is kept only behind what is acknowledged, so an interrupted run loses nothing; a record
keeps its identity, so what is sent twice is stored once; and of an event that was sent back and refused again, only the
newest letter counts, so that it is not sent once for each of its letters.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from worker.dlq.groups import Groups
from worker.dlq.marks import Marks
from worker.dlq.sending import Outgoing, Withheld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from worker.dlq.box import Box, Found, Positions
    from worker.dlq.content import Done
    from worker.dlq.headers import Told
    from worker.dlq.letters import Known, Letter
    from worker.dlq.sending import Sender

PASSED: Final = frozenset({"untouched", "superseded"})
"""Reasons that will not change: letters withheld for any other hold the position, for a later run may send them."""

EXAMPLES: Final = 3


class Writes(Protocol):
    """Where records go."""

    def write(self, records: Sequence[Outgoing]) -> list[Outgoing]:
        """Write records until they are acknowledged; those that are too large for their topic."""


class Paces(Protocol):
    """When records may go."""

    slice: int | None
    """How many go at once, at most; None: any number."""
    stopped: bool
    """A signal came: nothing more is to be begun."""

    def __call__(self, count: int) -> bool:
        """Wait until so many may be written; False: stop here."""


class Successors:
    """Which events were sent back and refused again, and how often."""

    def __init__(self) -> None:
        self._marks: dict[tuple[int, str | None], Marks] = {}

    def add(self, told: Told | None) -> None:
        """See a letter."""
        if told is not None and told.redrives and told.place is not None:
            self._marks.setdefault((told.redrives, told.topic_id), Marks()).add(*told.place)

    def newer(self, told: Told | None) -> bool:
        """Whether there is a newer letter of the same event: of the same place, in the same topic if that is known."""
        if told is None or told.place is None:
            return False
        place, same = told.place, {told.topic_id, None}
        newer = ((count, topic_id) for count, topic_id in self._marks if count > told.redrives)
        return any(self._marks[each].has(*place) for each in newer if told.topic_id is None or each[1] in same)


@dataclass(slots=True)
class Tally:
    """What is to be done, or was. `withheld` by reason, `reasons` with an example of each; `changed` by change."""

    sent: Groups = field(default_factory=lambda: Groups(("disposition", "code")))
    withheld: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    changed: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, Sequence[Done]]] = field(default_factory=list)
    parked: int = 0
    stopped: bool = False

    def count(self, letter: Letter, facts: Known, found: Outgoing | Withheld) -> None:
        """Take in what becomes of a letter."""
        if isinstance(found, Withheld):
            self.withheld[found.code] += 1
            self.reasons.setdefault(found.code, f"{found.detail} ({letter.place})")
            return
        self.sent.add(letter, facts)
        self.changed.update({str(done.change) for done in found.done})
        if found.done and len(self.examples) < EXAMPLES:
            self.examples.append((letter.place, found.done))

    @property
    def unsent(self) -> int:
        """Letters that were meant and did not go, though they were not sent back before."""
        return sum(count for code, count in self.withheld.items() if code not in ("untouched", "superseded"))


Entry = tuple["Letter", "Known", "Outgoing | Withheld"]


class Redrive:
    """One redrive of the letters of a box. `most`: how many are sent, at most; None: all."""

    def __init__(self, box: Box, sender: Sender, successors: Successors, most: int | None = None) -> None:
        self._box = box
        self._sender = sender
        self._successors = successors
        self._most = most

    def plan(self, positions: Mapping[tuple[str, int], int]) -> Tally:
        """What would be done from these positions on; raises `ClusterError`, `RegistryError`."""
        tally = Tally()
        for found, entries in self._chunks(positions):
            tally.parked += found.parked
            for entry in entries:
                tally.count(*entry)
                if self._enough(tally):
                    return tally
        return tally

    def run(
        self,
        positions: Mapping[tuple[str, int], int],
        writer: Writes,
        keep: Callable[[Positions], None],
        pace: Paces,
        advance: Callable[[int], None] = lambda _: None,
    ) -> Tally:
        """Do it.

        Args:
            positions: where to begin.
            writer: where the records go.
            keep: keeps positions behind which nothing is left to do.
            pace: when.
            advance: told how many letters more are done.

        Raises:
            ClusterError: a record was not acknowledged, or Kafka does not answer: what is not kept is to be done again.
            RegistryError: a repair needs the registry.
        """
        tally, held = Tally(), _Held()
        for found, entries in self._chunks(positions):
            if pace.stopped:  # chunks without a letter that is meant are not asked of the pace
                tally.stopped = True
                break
            tally.parked += found.parked
            held.wait_for(found.unknown)
            done = 0
            while done < len(entries):
                piece = _piece(entries, done, self._left(tally), pace)
                if piece is None:
                    tally.stopped = not self._enough(tally)
                    break
                self._write(piece, writer, tally, held)
                done += len(piece)
                advance(len(piece))
            keep(held.positions(found.reached, entries[done:]))
            if done < len(entries) or self._enough(tally):
                break
        return tally

    def _write(self, piece: Sequence[Entry], writer: Writes, tally: Tally, held: _Held) -> None:
        large = writer.write([found for _, _, found in piece if isinstance(found, Outgoing)])
        too_large = {id(each) for each in large}
        for letter, facts, found in piece:
            last = Withheld("too-large", "its topic takes no record of that size") if id(found) in too_large else found
            tally.count(letter, facts, last)
            held.see(letter, last)

    def _chunks(self, positions: Mapping[tuple[str, int], int]) -> Iterator[tuple[Found, list[Entry]]]:
        for found in self._box.read(positions):
            yield found, [(*each, self._prepared(each[0])) for each in found.letters]

    def _prepared(self, letter: Letter) -> Outgoing | Withheld:
        if self._successors.newer(letter.told):
            return Withheld("superseded", "it was sent back and refused again: a newer letter of the event counts")
        return self._sender.prepare(letter)

    def _left(self, tally: Tally) -> int | None:
        return None if self._most is None else self._most - tally.sent.total

    def _enough(self, tally: Tally) -> bool:
        return self._most is not None and tally.sent.total >= self._most


class _Held:
    """How far each partition may be kept: not beyond a letter that a later run may send."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, int], int] = {}

    def see(self, letter: Letter, found: Outgoing | Withheld) -> None:
        if isinstance(found, Withheld) and found.code not in PASSED:
            self._hold(letter)

    def wait_for(self, unknown: Sequence[Letter]) -> None:
        """Stay before letters of whom nobody knows yet whether they are meant."""
        for letter in unknown:
            self._hold(letter)

    def positions(self, reached: Positions, undone: Sequence[Entry]) -> Positions:
        """What of `reached` may be kept, where these of it are still to be done."""
        for letter, _, _ in undone:
            self._hold(letter)
        return {place: min(offset, self._first.get(place, offset)) for place, offset in reached.items()}

    def _hold(self, letter: Letter) -> None:
        self._first.setdefault((letter.topic, letter.partition), letter.offset)


def _piece(entries: Sequence[Entry], begin: int, left: int | None, pace: Paces) -> list[Entry] | None:
    """The next entries to be done at once, with as many to be sent as are left; None: none."""
    end, sending = begin, 0
    while end < len(entries):
        sends = isinstance(entries[end][2], Outgoing)
        if sends and sending in (left, pace.slice):
            break
        sending += sends
        end += 1
    return list(entries[begin:end]) if end > begin and pace(sending) else None
