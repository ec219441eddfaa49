"""Writer schemas that make much of little: each a few lines of JSON that would cost seconds, or the process.

A record of two records of two records, forty times over, is a message of no bytes and a million million values; as an
array's items, one of a hundred fields of no bytes makes a hundred values of each byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS: Final = 100_000
"""Values that a schema may have when it is written out, each name replaced by what it names; a KiB of fixed is one."""

A_BYTE: Final = 16
"""Values that each byte of an item may stand for."""

FREE: Final = 100
"""Values of an item beyond that."""

_BYTES: Final = {"null": 0, "float": 4, "double": 8}
"""Bytes of primitives; all others take one at least."""


class _Size(NamedTuple):
    """Of a schema: values when it is written out; the most values of a message less `A_BYTE` for each of its bytes."""

    parts: int
    free: int


class _BombError(Exception):
    """The message says what is wrong with the schema."""


def bomb(parsed: Any) -> str | None:
    """What is wrong with a schema, as fastavro has parsed it, that is not recursive; None where nothing is."""
    try:
        _Sizes().of(parsed)
    except _BombError as error:
        return str(error)
    return None


class _Sizes:
    def __init__(self) -> None:
        self._known = {name: _Size(1, 1 - A_BYTE * size) for name, size in _BYTES.items()}

    def of(self, schema: Any) -> _Size:
        """The size of a schema; `_BombError` where it, or one within, is too large."""
        if isinstance(schema, str):
            return self._known.get(schema) or _Size(1, 1 - A_BYTE)
        size = self._union(schema) if isinstance(schema, list) else self._complex(schema["type"], schema)
        if size.parts > PARTS:
            raise _BombError(f"the schema has more than {PARTS} values when its names are written out")
        return size

    def _union(self, branches: list[Any]) -> _Size:
        sizes = [self.of(branch) for branch in branches]
        return _Size(1 + sum(each.parts for each in sizes), max((each.free for each in sizes), default=0) - A_BYTE)

    def _complex(self, kind: Any, schema: Mapping[str, Any]) -> _Size:
        if kind in ("record", "error"):
            sizes = [self.of(field["type"]) for field in schema["fields"]]
            return self._named(schema, 1 + sum(each.parts for each in sizes), 1 + sum(each.free for each in sizes))
        if kind == "fixed":
            return self._named(schema, 1 + int(schema["size"]) // 1024, 1 - A_BYTE * int(schema["size"]))
        if kind == "enum":
            return self._named(schema, 1, 1 - A_BYTE)
        return (
            self._items(schema["items" if kind == "array" else "values"]) if kind in ("array", "map") else self.of(kind)
        )

    def _named(self, schema: Mapping[str, Any], parts: int, free: int) -> _Size:
        size = self._known[schema["name"]] = _Size(parts, free)
        return size

    def _items(self, items: Any) -> _Size:
        size = self.of(items)
        if size.free > FREE:
            raise _BombError("the schema has items of many values and hardly any bytes: a message could make millions")
        return _Size(1 + size.parts, 1 - A_BYTE)
