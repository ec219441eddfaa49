"""Readers in C, and the plans that they are told: the same as `compiled` generates in Python, but four times as fast.

A reader in C is an accelerator and no authority. It reads what a reader in Python reads, to the same values, or raises;
what it refuses is read again in Python, which has the words for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker import extension
from worker.rooms.shape import PRIMITIVE, Compiled, Shape, Sizes, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

Plan = tuple[Any, ...]
"""A kind and its parts, as `_rooms.c` describes them."""


def reader(schema: Any, named: Mapping[str, Any], shape: Shape) -> Compiled | None:
    """A reader of the bodies that a schema wrote, as `compiled.generate` makes one; None where C was not built.

    Raises:
        UnsupportedError: the schema is recursive, has logical types, arrays of items that take no bytes, or a record
            without a field that is asked for; or the shape takes numbers that are not finite.
    """
    if extension.BUILT is None:
        return None
    if not shape.finite:
        raise UnsupportedError("numbers that are not finite")
    made: Compiled = extension.BUILT.Reader(_Planner(named, shape).plan(schema))
    return made


class _Planner:
    def __init__(self, named: Mapping[str, Any], shape: Shape) -> None:
        self._named = named
        self._shape = shape
        self._sizes = Sizes(named)
        self._open: set[str] = set()

    def plan(self, schema: Any) -> Plan:
        """How a value of this schema is read."""
        if isinstance(schema, str):
            return self._name(schema)
        if isinstance(schema, list):
            return "union", tuple(self.plan(each) for each in schema)
        if "logicalType" in schema:
            raise UnsupportedError("a logical type")
        kind = schema["type"]
        if kind in ("record", "error"):
            return self._record(schema)
        if kind == "array" and self._sizes.least(schema["items"]) == 0:
            raise UnsupportedError("items of no bytes")
        if kind in ("array", "map"):
            return kind, self.plan(schema["items" if kind == "array" else "values"])
        if kind == "enum":
            return kind, tuple(schema["symbols"])
        return (kind, int(schema["size"])) if kind == "fixed" else self.plan(kind)

    def _name(self, name: str) -> Plan:
        if name in PRIMITIVE:
            return ("long" if name == "int" else name,)
        if name not in self._named:
            raise UnsupportedError("an unknown type")
        return self.plan(self._named[name])

    def _record(self, schema: Mapping[str, Any]) -> Plan:
        name = schema["name"]
        if name in self._open:
            raise UnsupportedError("a recursive type")
        self._open.add(name)
        fields = [each["name"] for each in schema["fields"]]
        plans = tuple(self._field(f"{name}.{each['name']}", each["type"]) for each in schema["fields"])
        self._open.discard(name)
        maker = self._shape.makers.get(name)
        if maker is None:
            return "record", plans, None, tuple(range(len(fields))), tuple(fields)
        if not set(maker.fields) <= set(fields):
            raise UnsupportedError("a record that lacks a field")
        places = {each: place for place, each in enumerate(maker.fields)}  # what is in none is read and left out
        return "record", plans, maker.make, tuple(places.get(each, -1) for each in fields), maker.constants

    def _field(self, name: str, schema: Any) -> Plan:
        if name in self._shape.kept and schema == {"type": "array", "items": "string"}:
            return ("names",)
        return self.plan(schema)
