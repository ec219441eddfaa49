"""Events that know their id: encoded once, with the id spliced in, so that half a million are a matter of seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from tests.way.events import body, confluent, event

TAG = 8
NUMBER = 8
LENGTH = TAG + 1 + NUMBER
_PLACE = "#" * LENGTH


def identity(tag: str, number: int) -> str:
    """The id of an event: always of one length, for Avro writes the length before the text."""
    return f"{tag:>{TAG}}-{number:0{NUMBER}}"


@dataclass(frozen=True, slots=True)
class Template:
    """An encoded event, in two parts around its scoring id."""

    head: bytes
    tail: bytes

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """From an event (see `tests.way.events.event`); its own scoring id is replaced."""
        head, found, tail = confluent({**record, "scoring_id": _PLACE}).partition(_PLACE.encode())
        if not found or _PLACE.encode() in tail:
            raise ValueError("an event of which no template can be made")
        return cls(head, tail)

    def value(self, scoring_id: str) -> bytes:
        """The record's value, in Confluent's framing."""
        return self.head + scoring_id.encode() + self.tail


def scoring(sector: str = "steel", asset: str = "action", rows: int = 1) -> Template:
    """A custom engine's scoring; `sector` is a text that faults can look for in what is posted."""
    request = {
        "fields": ["age", "hours", "income", "sector"],
        "values": [[number, 37.5, None, sector] for number in range(rows)],
    }
    response = {"fields": ["prediction", "probability"], "values": [["yes", [0.25, 0.75]]] * rows}
    return Template.of(event(asset, body(request), body(response)))


GOOD = scoring()
