"""What is known of one event; no value of it, no key, no header's text that another program wrote."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from worker.topics.times import shown

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Of a record in Kafka."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Lies:
    """A record with the event: the first, or a copy that was sent back. `state`: committed, open or unread.

    `committed` is the group's offset of its partition, None where it has none. `half`: request or response, where the
    record is one of a scoring's two.
    """

    place: Place
    timestamp: str
    key_bytes: int | None
    value_bytes: int | None
    state: str
    committed: int | None
    redrives: int = 0
    half: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter of it; `detail` only where a worker wrote it: that names fields and places, never values."""

    place: Place
    timestamp: str
    disposition: str | None
    code: str | None
    status: int | None
    detail: str | None
    redrives: int


@dataclass(slots=True)
class Life:
    """Of one event; `lies` has its first record, where that is still there, and then its copies.

    Of a scoring that comes as two records it has both; `alone` says that the other one was not found.
    """

    first: Place
    lies: list[Lies] = field(default_factory=list)
    framing: str | None = None
    schema: str | None = None
    binding: str | None = None
    subscription: str | None = None
    deployment: str | None = None
    scoring_id: str | None = None
    scoring_timestamp: str | None = None
    expected_rows: int = 0
    refusal: str | None = None
    alone: str | None = None
    letters: list[Letter] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    verdict: str = ""

    def judge(self) -> None:
        """Say in a word what became of it."""
        last = self._last
        letters = max((each.redrives for each in self.letters), default=-1)
        if self.rows and len(self.rows) >= self.expected_rows:
            self.verdict = "stored"
        elif last is not None and last.redrives > letters and last.state != "committed":
            self.verdict = last.state
        elif self.letters and (last is None or last.redrives <= letters):
            self.verdict = "dead-lettered"
        elif self.subscription is None or self.scoring_id is None:
            self.verdict = "not-known"
        else:
            self.verdict = "stored-in-part" if self.rows else "missing"

    @property
    def _last(self) -> Lies | None:
        """The record that counts: the last copy; of the halves of a scoring the older, with which both are settled."""
        last = self.lies[-1] if self.lies else None
        if last is None or last.half is None:
            return last
        times = max(each.redrives for each in self.lies)
        return min((each for each in self.lies if each.redrives == times), key=lambda each: each.place)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """As people read it."""
        yield f"{self.first}  {self.verdict}: {MEANINGS[self.verdict]}"
        for each in self.lies:
            yield from _lies(each)
        told = f"{self.framing}, {self.schema}" if self.schema else self.framing or "not to be read"
        yield f"  framing       {told}"
        if self.subscription:
            yield f"  binding       {self.binding}"
            yield f"  subscription  {self.subscription}"
            yield f"  deployment    {self.deployment}"
        if self.alone:
            yield f"  other half    {self.alone}"
        yield f"  scoring id    {self.scoring_id or '-'}"
        if self.refusal:
            yield f"  refused       {self.refusal}"
        for letter in self.letters:
            yield from _letter(letter)
        shown_rows = ", ".join([*self.rows[:_SHOWN], *(["…"] if len(self.rows) > _SHOWN else [])])
        yield f"  rows          {len(self.rows)} of {self.expected_rows or '?'} in the data mart  {shown_rows}".rstrip()


_SHOWN = 5
MEANINGS = {
    "stored": "the data mart holds all rows of it",
    "stored-in-part": "the group has acknowledged it, but the data mart holds only some of its rows",
    "dead-lettered": "it was refused, and lies in the dead-letter topic",
    "open": "at or above the group's committed offset: still the worker's to deliver",
    "unread": "the group has no committed offset on its partition",
    "not-known": "the group has acknowledged it and no dead letter of it is there; whose it is cannot be told, so that "
    "it was not looked for in the data mart",
    "missing": "the group has acknowledged it, but neither the data mart nor the dead-letter topic holds it",
}


def _lies(each: Lies) -> Iterator[str]:
    name = "redriven" if each.redrives else each.half or "lies"
    name = f"{name} {each.half}" if each.redrives and each.half else name
    sizes = f"key {_size(each.key_bytes)}, value {_size(each.value_bytes)}"
    yield f"  {name:<13} {each.place}, of {each.timestamp}, {sizes}"
    committed = "no offset" if each.committed is None else f"offset {each.committed}"
    yield f"  group         {each.state}: the group has committed {committed}"


def _letter(each: Letter) -> Iterator[str]:
    status = f", status {each.status}" if each.status else ""
    yield f"  dead letter   {each.place}: {each.disposition or '?'} ({each.code or '?'}){status}"
    if each.detail:
        yield f"                {each.detail}"


def _size(size: int | None) -> str:
    return "none" if size is None else f"{size} bytes"


def lies(place: Place, milliseconds: int, key: bytes | None, value: bytes | None, committed: int | None) -> Lies:
    """A record as it lies there."""
    state = "unread" if committed is None else "open" if place.offset >= committed else "committed"
    return Lies(place, shown(milliseconds), _length(key), _length(value), state, committed)


def _length(data: bytes | None) -> int | None:
    return None if data is None else len(data)
