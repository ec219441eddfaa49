"""A writer schema made ready to read with: checked to be safe to decode, and resolved against the reader schema."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastavro
from fastavro.schema import SchemaParseException, fingerprint, parse_schema, to_parsing_canonical_form

from worker.rooms.binary import TrailingBytesError
from worker.rooms.compiled import UnsupportedError, generate
from worker.rooms.events import EVENT, SHAPE, event_of

if TYPE_CHECKING:
    from worker.model import Event

__all__ = ["Reader", "TrailingBytesError", "UnsafeSchemaError", "compile_reader"]

_SIZES = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
"""The fewest bytes that a value of a primitive type takes (Avro specification, binary encoding)."""


class UnsafeSchemaError(Exception):
    """A schema that cannot be used to read events; the message says why."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads bodies written with one writer schema into the shape of the reader schema.

    `fingerprint` is the CRC-64-AVRO fingerprint of the writer schema's canonical form. `generated` makes an event of
    the whole of some bytes from a position; None where there is only the general way.
    """

    name: str
    fingerprint: int
    _writer: Any
    _reader: Any
    generated: Callable[[bytes, int], Event] | None = None

    def event(self, value: bytes, start: int) -> Event:
        """The event that the whole of `value` from `start` stands for, read in the fastest way there is.

        Raises:
            Exception: as `read`.
        """
        return event_of(self.read(value, start)) if self.generated is None else self.generated(value, start)

    def read(self, value: bytes, start: int) -> Any:
        """Decode the whole of `value` from `start`.

        Raises:
            Exception: of many kinds, for bytes that this schema did not write; ValueError for bytes left over.
        """
        stream = io.BytesIO(value)
        stream.seek(start)
        record = fastavro.schemaless_reader(stream, self._writer, self._reader)
        if stream.tell() != len(value):
            raise TrailingBytesError(len(value) - stream.tell())
        return record


def compile_reader(name: str, writer: Any, reader: Any) -> Reader:
    """Make a reader of bodies written with `writer` (a schema as parsed JSON), in the shape of `reader`.

    Raises:
        UnsafeSchemaError: not a schema, or one whose messages could exhaust the process.
    """
    try:
        named: dict[str, Any] = {}
        parsed = parse_schema(_raw_timestamps(writer), named)
        canonical = to_parsing_canonical_form(parsed)
    except (SchemaParseException, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UnsafeSchemaError(f"{name}: not an Avro schema ({type(error).__name__}: {error})") from error
    _Guard().check(writer)
    shape = parse_schema(_raw_timestamps(reader))
    same = canonical == to_parsing_canonical_form(shape)
    mark = int(fingerprint(canonical, "CRC-64-AVRO"), 16)
    return Reader(
        name,
        int.from_bytes(mark.to_bytes(8, "big"), "little"),
        parsed,
        None if same else shape,
        _generated(parsed, named, same=same),
    )


def _generated(parsed: Any, named: Mapping[str, Any], *, same: bool) -> Callable[[bytes, int], Event] | None:
    """A reader for a writer schema that needs no resolution; None where fastavro has to read."""
    if not same or not isinstance(parsed, Mapping) or parsed.get("name") != EVENT:
        return None
    try:
        return generate(parsed, named, SHAPE)
    except (UnsupportedError, RecursionError):
        return None


def _raw_timestamps(schema: Any) -> Any:
    """The schema without `timestamp-micros`: such a long is wanted as it is, not as a datetime."""
    if isinstance(schema, list):
        return [_raw_timestamps(branch) for branch in schema]
    if not isinstance(schema, Mapping):
        return schema
    plain = {key: value if key in ("default", "doc") else _raw_timestamps(value) for key, value in schema.items()}
    if plain.get("logicalType") == "timestamp-micros":
        del plain["logicalType"]
    return plain


class _Guard:
    """Refuses what kills a decoder: recursion (deep stacks) and arrays of items that take no bytes (endless lists)."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._open: set[str] = set()

    def check(self, schema: Any) -> int:
        """The fewest bytes that a value of `schema` takes."""
        if isinstance(schema, list):
            return 1 + min((self.check(branch) for branch in schema), default=0)
        if isinstance(schema, str):
            return self._named(schema)
        kind = schema["type"]
        if kind in ("record", "error"):
            return self._record(schema)
        if kind in ("enum", "fixed"):
            return self._remember(schema, 1 if kind == "enum" else int(schema["size"]))
        if kind in ("array", "map"):
            return self._items(kind, schema["items" if kind == "array" else "values"])
        return self.check(kind)

    def _named(self, name: str) -> int:
        if name in _SIZES:
            return _SIZES[name]
        short = name.rpartition(".")[2]
        if short in self._open:
            raise UnsafeSchemaError(f"the schema is recursive (in {short}): nested data could exhaust the process")
        return self._done.get(short, 0)

    def _record(self, schema: Mapping[str, Any]) -> int:
        short = str(schema["name"]).rpartition(".")[2]
        self._open.add(short)
        size = sum(self.check(field["type"]) for field in schema["fields"])
        self._open.discard(short)
        return self._remember(schema, size)

    def _remember(self, schema: Mapping[str, Any], size: int) -> int:
        self._done[str(schema["name"]).rpartition(".")[2]] = size
        return size

    def _items(self, kind: str, items: Any) -> int:
        if self.check(items) == 0:
            raise UnsafeSchemaError(f"the schema has {kind} items of no bytes: five bytes could make millions")
        return 1
