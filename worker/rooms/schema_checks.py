"""What a writer schema must be before messages are read with it: harmless, and readable as an event."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import fastavro

from worker.rooms.schema_bombs import bomb

_SIZES = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
"""The fewest bytes that a value of a primitive type takes (Avro specification, binary encoding)."""

_SAMPLES: dict[str, Any] = {
    "null": None,
    "boolean": False,
    "int": 0,
    "long": 0,
    "float": 0.0,
    "double": 0.0,
    "bytes": b"",
    "string": "",
}

_UNITS = {None: 1, "timestamp-micros": 1, "timestamp-millis": 1000}
"""Microseconds in one of what `scored_at` may be given in; a bare long is taken for microseconds."""


class DangerousError(Exception):
    """A schema with which no message may, or can, be read; the message says why."""


def without_logical_types(schema: Any, *left_out: str) -> Any:
    """The schema without logical types: what was written is wanted as it is, not as a date, a UUID or a decimal.

    `left_out`: other keys that are not wanted either.
    """
    if isinstance(schema, list):
        return [without_logical_types(branch, *left_out) for branch in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {key: value for key, value in schema.items() if key != "logicalType" and key not in left_out}
    return {
        key: value if key in ("default", "doc") else without_logical_types(value, *left_out)
        for key, value in kept.items()
    }


def microseconds(writer: Any) -> int:
    """How many microseconds one of the writer's `scored_at` is.

    Raises:
        DangerousError: it is in a unit that is not known here, or in several.
    """
    fields = writer.get("fields", ()) if isinstance(writer, Mapping) else ()
    names = {field["name"]: field for field in fields} | {
        a: field for field in fields for a in field.get("aliases", ())
    }
    kinds = {
        branch.get("logicalType") if isinstance(branch, Mapping) else None
        for branch in _branches(names.get("scored_at", {}).get("type", "null"))
        if branch != "null"
    }
    if not kinds <= _UNITS.keys() or len({_UNITS[kind] for kind in kinds}) > 1:
        raise DangerousError("scored_at must be a timestamp-micros or a timestamp-millis")
    return max((_UNITS[kind] for kind in kinds), default=1)


def _branches(schema: Any) -> list[Any]:
    return schema if isinstance(schema, list) else [schema]


def check(parsed: Any) -> None:
    """Refuse what kills a decoder: recursion (deep stacks), arrays of items of no bytes (endless lists), and bombs.

    Args:
        parsed: a schema as fastavro has parsed it: names are full.

    Raises:
        DangerousError: the schema has any of them.
    """
    _Sizes().least(parsed)
    found = bomb(parsed)
    if found is not None:
        raise DangerousError(found)


class _Sizes:
    def __init__(self) -> None:
        self._known: dict[str, int] = dict(_SIZES)
        self._open: set[str] = set()

    def least(self, schema: Any) -> int:
        """The fewest bytes that a value of `schema` takes."""
        if isinstance(schema, list):
            return 1 + min((self.least(branch) for branch in schema), default=0)
        if isinstance(schema, str):
            return self._named(schema)
        return self._complex(schema["type"], schema)

    def _complex(self, kind: Any, schema: Mapping[str, Any]) -> int:
        size = 1
        if kind in ("record", "error"):
            size = self._record(schema)
        elif kind == "array":
            self._refuse_endless(schema["items"])
        elif kind == "map":
            self.least(schema["values"])
        elif kind in ("enum", "fixed"):
            size = self._known[schema["name"]] = 1 if kind == "enum" else int(schema["size"])
        else:
            size = self.least(kind)
        return size

    def _named(self, name: str) -> int:
        if name in self._open:
            raise DangerousError(f"the schema is recursive (in {name}): nested data could exhaust the process")
        return self._known[name]

    def _record(self, schema: Mapping[str, Any]) -> int:
        name = schema["name"]
        self._open.add(name)
        size = self._known[name] = sum(self.least(field["type"]) for field in schema["fields"])
        self._open.discard(name)
        return size

    def _refuse_endless(self, items: Any) -> None:
        if self.least(items) == 0:
            raise DangerousError("the schema has array items of no bytes: five bytes could make millions")


def check_resolution(writer: Any, reader: Any, named: Mapping[str, Any]) -> None:
    """Read samples of the writer's data as an event.

    Raises:
        DangerousError: not one can be read, so no message could be.
    """
    problem: Exception | None = None
    for branch in range(4):
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, writer, _sample(writer, named, branch))
        stream.seek(0)
        try:
            fastavro.schemaless_reader(stream, writer, reader)
        except Exception as error:  # noqa: BLE001 - of several kinds, and all say that it cannot be read
            problem = error
        else:
            return
    raise DangerousError(f"its messages cannot be read as events: {str(problem)[:200]}")


def _sample(schema: Any, named: Mapping[str, Any], branch: int) -> Any:
    """A small value of a schema, with the given branch of each union, or its last."""
    if isinstance(schema, list):
        chosen = schema[min(branch, len(schema) - 1)]
        value = _sample(chosen, named, branch)
        full = named.get(chosen, chosen) if isinstance(chosen, str) else chosen
        return (full["name"], value) if isinstance(full, Mapping) and "name" in full else value
    if isinstance(schema, str):
        return _SAMPLES[schema] if schema in _SAMPLES else _sample(named[schema], named, branch)
    kind = schema["type"]
    if kind in ("record", "error"):
        return {field["name"]: _sample(field["type"], named, branch) for field in schema["fields"]}
    if kind == "enum":
        return schema["symbols"][0]
    flat = {"array": [], "map": {}, "fixed": bytes(schema.get("size", 0))}
    return flat[kind] if kind in flat else _sample(kind, named, branch)
