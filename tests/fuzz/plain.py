"""Avro and the payload event read as the specifications have it: plainly, strictly, with none of the worker's code.

What this refuses is no Avro; what it reads is what a row may be made of. It is slow, and knows what the corpus has.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[bytes, int], tuple[Any, int]]


class NotAvroError(Exception):
    """The bytes are no event that was written with the schema."""


class Plain:
    """Reads the bodies of one writer schema, given as parsed JSON; `unit`: microseconds in one of `scored_at`."""

    def __init__(self, schema: Any, unit: int = 1) -> None:
        self._names: dict[str, Read] = {}
        self._lies: list[int] = []
        self._read = self._reader(schema)
        self._unit = unit

    @property
    def lied(self) -> bool:
        """Whether in the last body a block had another size than it said: who skips blocks is then free to refuse."""
        return bool(self._lies)

    def event(self, body: bytes) -> dict[str, Any]:
        """The event's fields by name; contents as tuples of two (a body) or three (a table).

        Raises:
            NotAvroError: it is none.
        """
        self._lies.clear()
        try:
            record, end = self._read(body, 0)
            if end != len(body):
                raise NotAvroError
            return self._event(record)
        except (EOFError, IndexError, KeyError, TypeError, UnicodeDecodeError, struct.error) as error:
            raise NotAvroError from error

    def _event(self, record: dict[str, Any]) -> dict[str, Any]:
        found = {name: _text(record.get(name)) for name in ("binding", "deployment", "scoring_id")}
        found |= {name: record.get(name) for name in ("scored_at", "response_time_ms")}
        found["attributes"] = record.get("attributes", {})
        found["asset"] = record["asset"]
        if not isinstance(found["asset"], str):
            raise NotAvroError
        if found["scored_at"] is not None:
            found["scored_at"] *= self._unit
        return found | {part: _content(record[part]) for part in ("request", "response")}

    # --- a reader of each kind of schema ------------------------------------------------------------------------------

    def _reader(self, schema: Any) -> Read:
        if isinstance(schema, list):
            return _union([self._reader(each) for each in schema])
        if isinstance(schema, str):
            return _PRIMITIVES.get(schema) or self._names[schema.rpartition(".")[2]]
        kind = schema["type"]
        if kind == "array":
            return _blocks(self._reader(schema["items"]), self._lies)
        if kind == "map":
            return _map(self._reader(schema["values"]), self._lies)
        if kind in ("record", "enum", "fixed"):
            return self._named(kind, schema)
        return self._reader(kind)

    def _named(self, kind: str, schema: Any) -> Read:
        if kind == "record":
            read = _record([(field["name"], self._reader(field["type"])) for field in schema["fields"]])
        else:
            read = _enum(schema["symbols"]) if kind == "enum" else _fixed(schema["size"])
        self._names[schema["name"].rpartition(".")[2]] = read
        return read


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise NotAvroError


def _content(record: dict[str, Any]) -> tuple[Any, ...]:
    if "data" in record:
        return record["content_type"], record["data"]
    meta = record["meta"]
    return record["fields"], [[_cell(each) for each in row] for row in record["values"]], meta


def _cell(value: Any) -> Any:
    """Bytes are read as text, as Avro promotes them; what the worker's cells do not have is refused."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [_cell(each) for each in value]
    if isinstance(value, dict):
        raise NotAvroError
    return value


# --- Avro's binary encoding -------------------------------------------------------------------------------------------


def _long(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 63:
            raise NotAvroError
    if number >> 64:
        raise NotAvroError
    return number >> 1 ^ -(number & 1), at


def _boolean(data: bytes, at: int) -> tuple[bool, int]:
    if data[at] > 1:
        raise NotAvroError
    return data[at] == 1, at + 1


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _long(data, at)
    if not 0 <= size <= len(data) - at:
        raise NotAvroError
    return data[at : at + size], at + size


def _string(data: bytes, at: int) -> tuple[str, int]:
    found, at = _bytes(data, at)
    return found.decode(), at


def _of_struct(form: str) -> Read:
    packed = struct.Struct(form)
    return lambda data, at: (packed.unpack_from(data, at)[0], at + packed.size)


_PRIMITIVES: Final[dict[str, Read]] = {
    "null": lambda _, at: (None, at),
    "boolean": _boolean,
    "int": _long,
    "long": _long,
    "float": _of_struct("<f"),
    "double": _of_struct("<d"),
    "bytes": _bytes,
    "string": _string,
}


def _fixed(size: int) -> Read:
    def read(data: bytes, at: int) -> tuple[bytes, int]:
        if size > len(data) - at:
            raise NotAvroError
        return data[at : at + size], at + size

    return read


def _index(count: int, data: bytes, at: int) -> tuple[int, int]:
    index, at = _long(data, at)
    if not 0 <= index < count:
        raise NotAvroError
    return index, at


def _enum(symbols: list[str]) -> Read:
    def read(data: bytes, at: int) -> tuple[str, int]:
        index, at = _index(len(symbols), data, at)
        return symbols[index], at

    return read


def _union(branches: list[Read]) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        index, at = _index(len(branches), data, at)
        return branches[index](data, at)

    return read


def _record(fields: list[tuple[str, Read]]) -> Read:
    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        found = {}
        for name, field in fields:
            found[name], at = field(data, at)
        return found, at

    return read


def _blocks(item: Read, lies: list[int]) -> Read:
    """The size in bytes that stands behind a negative count is for those who skip: one that is wrong is only noted."""

    def block(data: bytes, at: int, count: int, found: list[Any]) -> int:
        size = None
        if count < 0:
            size, at = _long(data, at)
        if abs(count) >> 63:
            raise NotAvroError
        start = at
        for _ in range(abs(count)):
            value, at = item(data, at)
            found.append(value)
        if size is not None and at - start != size:
            lies.append(start)
        return at

    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        count, at = _long(data, at)
        while count:
            count, at = _long(data, block(data, at, count, found))
        return found, at

    return read


def _map(values: Read, lies: list[int]) -> Read:
    def pair(data: bytes, at: int) -> tuple[tuple[str, Any], int]:
        key, at = _string(data, at)
        value, at = values(data, at)
        return (key, value), at

    pairs = _blocks(pair, lies)

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        found, at = pairs(data, at)
        return dict(found), at

    return read
