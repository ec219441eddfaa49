"""What is made of a record in the reader schema's shape: an `Event`, whichever reader has read it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

from worker.model import Body, Event, Table
from worker.rooms.shape import Maker, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPACE: Final = "openscale.payload."
EVENT: Final = f"{_SPACE}PayloadEvent"
"""The full name of the record that is an event."""

_BODY: Final = f"{_SPACE}Body"
_TABLE: Final = f"{_SPACE}Table"
_CELLS: Final = ("fields", "values", "meta")
PARTS: Final = tuple(each.name for each in fields(Event))
"""What an event is made of, in the order in which it is given to `Event`."""

SHAPE: Final = Shape(
    makers={
        EVENT: Maker(Event, PARTS),
        _BODY: Maker(Body, ("content_type", "data")),
        _TABLE: Maker(Table, _CELLS),
    },
    kept=frozenset({f"{_TABLE}.fields"}),
    unread=frozenset({f"{EVENT}.attributes"}),
)
"""How a reader makes an `Event` at once: as `event_of` does of a record that fastavro has read."""

SOUND: Final = replace(SHAPE, makers={**SHAPE.makers, _TABLE: Maker(Table, _CELLS, (True,))}, finite=True)
"""The same of events whose numbers are all finite: then there is no cell, by the schema, that may not be posted."""


def event_of(record: Mapping[str, Any], unit: int) -> Event:
    """The event that a record tells of, `scored_at` in units of that many microseconds.

    Raises:
        KeyError, TypeError: it is no event.
    """
    scored_at = record["scored_at"]
    return Event(
        record["binding"],
        record["asset"],
        record["deployment"],
        record["scoring_id"],
        scored_at if scored_at is None else scored_at * unit,
        record["response_time_ms"],
        _content(record["request"]),
        _content(record["response"]),
        record["attributes"],
    )


def _content(record: Mapping[str, Any]) -> Body | Table:
    if "data" in record:
        return Body(record["content_type"], record["data"])
    return Table(record["fields"] or None, record["values"], record["meta"])
