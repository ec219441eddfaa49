"""A dead letter as it lies in its topic, and what can be asked of it: the names that filters and groups have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.dlq.headers import Told, read
from worker.edges.envelopes import headers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Headers = Sequence[tuple[str, bytes | None]]
    Facts = Mapping[str, str | None]

EVENT_FACTS: Final = ("service", "binding", "asset", "deployment")
"""Facts that are in the event, so that it has to be decoded for them."""

IN_EVENT: Final = (*EVENT_FACTS, "subscription")
"""With the subscription, which the directory finds by them."""

NAMES: Final = (
    "disposition",
    "code",
    "status",
    "field",
    "topic",
    "partition",
    "offset",
    "group",
    "redrives",
    "schema",
    *IN_EVENT,
)
"""What a filter may name; topic, partition and offset are those where the record was first."""

LONGEST: Final = 120
"""Characters of a fact at most: what is longer is cut, so that groups are small."""


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """One record of a dead-letter topic, bytes untouched. `timestamp_ms` is -1 where it has none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    told: Told | None
    nameless: bool = False
    """A header's name is not UTF-8, so that none can be told, and a copy would be without them."""

    def __repr__(self) -> str:
        return self.place

    @property
    def place(self) -> str:
        """Where it lies, as people name it on the command line."""
        return f"{self.topic}:{self.partition}:{self.offset}"


def letter_of(message: Any) -> Letter:
    """The letter that a message is; without headers where one's name is not UTF-8: the library can tell none then."""
    headers = headers_of(message)
    time = message.timestamp()[1]
    return Letter(
        message.topic(),
        message.partition(),
        message.offset(),
        time,
        message.key(),
        message.value(),
        headers or (),
        read(headers or ()),
        headers is None,
    )


def told_facts(told: Told | None) -> dict[str, str | None]:
    """What the headers say, by the names of filters; None for what they do not."""
    if told is None:
        return {}
    facts = {
        "disposition": told.disposition,
        "code": told.code,
        "status": told.status,
        "field": field_of(told.detail) if told.own and told.detail else None,
        "topic": told.topic,
        "partition": told.partition,
        "offset": told.offset,
        "group": told.group,
        "redrives": told.redrives,
    }
    return {name: None if value is None else str(value)[:LONGEST] for name, value in facts.items()}


_PARTS = ("binding", "asset", "deployment", "scoring_id", "scored_at", "response_time_ms", "request", "response")
_COLUMN = re.compile(r"""(?:column|field) (['"])(.+?)\1""")
_PLACE = re.compile(r"((?:meta\.)?(?:fields|values|meta|labels))\b")


def field_of(detail: str) -> str | None:
    """The field that a detail of the worker's own names: `asset`, `request`, `request.age`; None where it names none.

    Details say a side and a place in it, perhaps with the column: where rows are counted, their numbers are left out.
    """
    head = re.match(r"\w+", detail)
    if head is None or head[0] not in _PARTS:
        return None
    side = head[0]
    if not detail.startswith(f"{side}: "):
        return side
    rest = detail[len(side) + 2 :]
    found = _COLUMN.search(rest)
    if found is not None:
        return f"{side}.{found[2]}"
    place = _PLACE.match(rest)
    return f"{side}.{place[1]}" if place is not None else side


class Known:
    """The facts of a letter, the costly ones only if they are asked for.

    `schema` and `event` are called at most once, `event` gives the facts of `EVENT_FACTS`, `subscription` takes them.
    """

    def __init__(
        self,
        letter: Letter,
        schema: Callable[[Letter], str | None],
        event: Callable[[Letter], Facts],
        subscription: Callable[[Facts], str | None],
    ) -> None:
        self._letter = letter
        self._facts = told_facts(letter.told)
        self._schema = schema
        self._event = event
        self._subscription = subscription

    def __getitem__(self, name: str) -> str | None:
        if name not in self._facts:
            self._find(name)
        return self._facts.get(name)

    def _find(self, name: str) -> None:
        if name == "schema":
            self._facts[name] = self._schema(self._letter)
        elif name in EVENT_FACTS:
            found = self._event(self._letter)
            self._facts |= {each: (found.get(each) or "")[:LONGEST] or None for each in EVENT_FACTS}
        elif name == "subscription":
            self._facts[name] = self._subscription(self._event(self._letter))
