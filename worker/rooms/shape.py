"""What readers make of what they read, and which schemas they are made for: shared by `compiled` and `native`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Compiled = Callable[[bytes, int], Any]
"""Reads the whole of some bytes from a position; raises whatever bad bytes run into."""

_LEAST: Final = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
PRIMITIVE: Final = frozenset(_LEAST)
"""The names of the primitive types."""


class UnsupportedError(Exception):
    """A schema that no reader can be made from; fastavro has to read what it wrote."""


@dataclass(frozen=True, slots=True)
class Maker:
    """What a record is made with: `make(*fields, *constants)`; fields that `fields` does not name are left out."""

    make: Callable[..., Any]
    fields: tuple[str, ...]
    constants: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """What is made of what is read; without any, what fastavro makes.

    `makers` are by the full name of a record. `kept` are fields `record.field`, arrays of strings, that are the same in
    many records: equal bytes may give the same list, and an empty one is None. `unread` are maps of strings that are
    seldom looked at, and need only be checked. `finite`: a NaN or an infinity is not read, but raises.
    """

    makers: Mapping[str, Maker] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    finite: bool = False


PLAIN: Final = Shape()


@dataclass(frozen=True, slots=True)
class Sizes:
    """The fewest bytes that a value of a schema takes; for what has parts, 0 or some. `named`: types by full name."""

    named: Mapping[str, Any]
    _known: dict[str, int] = field(default_factory=dict)

    def least(self, schema: Any) -> int:
        """Those of one schema, as fastavro parses it."""
        if isinstance(schema, str):
            return _LEAST[schema] if schema in _LEAST else self.least(self.named[schema])
        if isinstance(schema, list) or schema["type"] in ("array", "map", "enum"):
            return 1
        if schema["type"] == "fixed":
            return int(schema["size"])
        return self._of_record(schema) if "fields" in schema else self.least(schema["type"])

    def _of_record(self, schema: Mapping[str, Any]) -> int:
        name = schema["name"]
        if name not in self._known:
            self._known[name] = 0  # should it hold itself, which is refused where it is read
            self._known[name] = max((self.least(each["type"]) for each in schema["fields"]), default=0)
        return self._known[name]
