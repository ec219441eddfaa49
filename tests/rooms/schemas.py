"""Writer schemas of producers that are not where the worker is: a version ahead, one behind, or nowhere good."""

from __future__ import annotations

import copy
import io
from typing import Any, Final

import fastavro

from worker.edges.schemas import reader_schema


def changed(name: str, **more: Any) -> dict[str, Any]:
    """The event's schema with one field changed."""
    schema: dict[str, Any] = copy.deepcopy(reader_schema())
    next(field for field in schema["fields"] if field["name"] == name).update(more)
    return schema


def grown(*fields: dict[str, Any], at: int | None = None) -> dict[str, Any]:
    """The event's schema with more fields, at its end or before one."""
    schema: dict[str, Any] = copy.deepcopy(reader_schema())
    end = len(schema["fields"]) if at is None else at
    schema["fields"][end:end] = fields
    return schema


def without(*names: str) -> dict[str, Any]:
    """The event's schema without some of its fields."""
    schema: dict[str, Any] = copy.deepcopy(reader_schema())
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in names]
    return schema


SITE: Final = {"type": "record", "name": "Site", "fields": [{"name": "city", "type": "string"}]}
AHEAD: Final = grown(
    {"name": "region", "type": ["null", "string"], "default": None},
    {
        "name": "tier",
        "type": {"type": "enum", "name": "Tier", "symbols": ["gold", "silver"], "default": "gold"},
        "default": "gold",
    },
    {"name": "site", "type": ["null", SITE], "default": None},
    at=2,
)
"""One version ahead: more fields, in the middle, of kinds that the worker has never seen."""

AHEAD_ONLY: Final[dict[str, Any]] = {"region": "eu", "tier": "silver", "site": {"city": "Łódź"}}
"""What its events have more."""

BEHIND: Final = without("response_time_ms", "attributes")
"""One version behind: before some fields were added."""

RECURSIVE: Final = grown(
    {
        "name": "tree",
        "type": ["null", {"type": "record", "name": "Tree", "fields": [{"name": "next", "type": ["null", "Tree"]}]}],
        "default": None,
    }
)
"""One that no message may be read with."""

ENDLESS: Final = grown({"name": "nothing", "type": {"type": "array", "items": "null"}, "default": []})
"""Another: five bytes could make millions of items."""


def doubling(depth: int, core: dict[str, Any]) -> dict[str, Any]:
    """Each record has the one before twice."""
    for at in range(depth):
        fields = [{"name": "a", "type": core}, {"name": "b", "type": core["name"]}]
        core = {"type": "record", "name": f"D{at}", "fields": fields}
    return core


BOMB: Final = grown({"name": "bomb", "type": doubling(40, {"type": "record", "name": "Z", "fields": []})})
"""And one more: no byte at all, and more values than any machine holds."""


def written(schema: Any, record: dict[str, Any]) -> bytes:
    """The Avro body of a record that has at least the fields of a schema."""
    parsed = fastavro.parse_schema(copy.deepcopy(schema))
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, parsed, {field["name"]: record[field["name"]] for field in schema["fields"]})
    return stream.getvalue()
