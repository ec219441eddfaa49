"""Readers generated from a writer schema: Python source, written and compiled once when the schema is loaded.

fastavro walks the schema anew for each value; here the walk is unrolled, and one-byte lengths, counts and branches,
which are nearly all there are, take no call. What is read and what is refused is the same as with fastavro, except
that these, which no Avro writer writes, are refused where fastavro makes up a value: a boolean other than 0 and 1, a
negative index into a union or enum, a long of more than 64 bits, and a block of -2**63 items.

Work and memory stay in proportion to the bytes: nothing is recursive, every item of an array takes a byte at least,
and an array that claims more items than there are bytes is refused before it is begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from worker.rooms.kept import HEAD, Beginnings
from worker.rooms.lines import GLOBALS, PRIMITIVES, blocks, call, finite, fixed, indented, short
from worker.rooms.shape import PLAIN, PRIMITIVE, Compiled, Maker, Shape, Sizes, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

_COMMON = ("string", "double", "long", "boolean", "null")
_FEW = 2
_BRANCHES = 64  # that one byte can name


def generate(schema: Any, named: Mapping[str, Any], shape: Shape = PLAIN) -> Compiled:
    """A reader of the bodies that a schema wrote.

    Args:
        schema: the writer schema as fastavro parses it.
        named: its named types by their full names.
        shape: what to make of what is read.

    Raises:
        UnsupportedError: the schema is recursive, has logical types, or arrays of items that take no bytes.
    """
    source = _Source(named, shape)
    lines = ["def body(d, p):", " size = len(d)", *indented(source.read(schema, "v")), " if p != size:"]
    lines += ["  raise left_over(size, p)", " return v"]
    code = "\n".join([*source.lines, *lines])
    scope = GLOBALS | source.constants
    # No word of the schema stands in the source, but the names of fields as string literals.
    exec(compile(code, "<reader generated from a schema>", "exec"), scope)  # noqa: S102
    read: Compiled = scope["body"]
    return read


class _Source:
    """The source of a reader: `lines` of the functions it needs, and the `constants` that they name.

    The names in it are those of `lines`. A function is written once for each place of the schema
    that needs one, so that the source grows with the schema and no faster.
    """

    def __init__(self, named: Mapping[str, Any], shape: Shape) -> None:
        self._named = named
        self._shape = shape
        self._open: set[str] = set()
        self._functions: dict[object, str] = {}
        self._sizes = Sizes(named)
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}

    def read(self, schema: Any, into: str) -> list[str]:
        """The lines that read a value and put it into a variable."""
        if not isinstance(schema, Mapping):
            return self._union(schema, into) if isinstance(schema, list) else self._name(schema, into)
        if "logicalType" in schema:
            raise UnsupportedError("a logical type")
        kind = schema["type"]
        if kind in ("record", "error"):
            return self._record(schema, into)
        if kind in ("array", "map"):
            return call(self._items(kind, schema), into)
        if kind == "enum":
            return self._enum(schema["symbols"], into)
        return fixed(int(schema["size"]), into) if kind == "fixed" else self.read(kind, into)

    def _name(self, name: str, into: str) -> list[str]:
        if name in PRIMITIVES:
            lines = [line.replace("{v}", into) for line in PRIMITIVES[name]]
            return lines + finite(into) if self._shape.finite and name in ("float", "double") else lines
        if name not in self._named:
            raise UnsupportedError("an unknown type")
        return self.read(self._named[name], into)

    def _record(self, schema: Mapping[str, Any], into: str) -> list[str]:
        """One of primitives alone is read where it stands, as is the whole body; others have a function."""
        if not self._open or all(
            isinstance(field["type"], str) and field["type"] in PRIMITIVE for field in schema["fields"]
        ):
            return self._fields(schema, into)
        return call(self._once(schema["name"], lambda: [*self._fields(schema, "v"), "return v, p"]), into)

    def _fields(self, schema: Mapping[str, Any], into: str) -> list[str]:
        name = schema["name"]
        if name in self._open:
            raise UnsupportedError("a recursive type")
        self._open.add(name)
        values: dict[str, str] = {}
        lines: list[str] = []
        for at, field in enumerate(schema["fields"]):
            values[field["name"]] = f"{into}_{at}"
            lines += self._field(f"{name}.{field['name']}", field["type"], f"{into}_{at}")
        self._open.discard(name)
        return [*lines, f"{into} = {self._made(self._shape.makers.get(name), values)}"]

    def _made(self, maker: Maker | None, values: Mapping[str, str]) -> str:
        if maker is None:
            return "{" + ", ".join(f"{key!r}: {value}" for key, value in values.items()) + "}"
        given = [values[name] for name in maker.fields] + [self._constant(each) for each in maker.constants]
        return f"{self._constant(maker.make)}({', '.join(given)})"

    def _field(self, name: str, schema: Any, into: str) -> list[str]:
        if name in self._shape.unread and schema == {"type": "map", "values": "string"}:
            return call("unread_strings", into)
        if name in self._shape.kept and schema == {"type": "array", "items": "string"}:
            return self._kept(self._once("strings", lambda: self._array("string")), into)
        return self.read(schema, into)

    def _union(self, branches: list[Any], into: str) -> list[str]:
        """A chain over the indices of one byte; a function for an index of more bytes than it needs, or of nothing."""
        if not 0 < len(branches) <= _BRANCHES:
            raise UnsupportedError("a union of none or too many")
        rare = self._once(("union", id(branches)), lambda: self._rare(branches))
        return ["t = d[p]", "p += 1", *self._chain(branches, into, f"{into}, p = {rare}(d, p - 1)")]

    def _rare(self, branches: list[Any]) -> list[str]:
        chain = self._chain(branches, "v", "raise IndexError('no such branch')")
        return ["t, p = long_(d, p)", "t += t", *chain, "return v, p"]

    def _chain(self, branches: list[Any], into: str, otherwise: str) -> list[str]:
        lines: list[str] = []
        for at, branch in sorted(enumerate(branches), key=_rank if len(branches) > _FEW else None):
            lines += [f"{'elif' if lines else 'if'} t == {2 * at}:", *indented(self.read(branch, into))]
        return [*lines, "else:", f" {otherwise}"]

    def _enum(self, symbols: list[str], into: str) -> list[str]:
        name = self._constant(tuple(symbols))
        return [*self._name("long", "n"), "if n < 0:", " raise IndexError('no such symbol')", f"{into} = {name}[n]"]

    def _items(self, kind: str, schema: Mapping[str, Any]) -> str:
        if kind == "array":
            general = self._once(("blocks", id(schema)), lambda: self._array(schema["items"]))
            return self._once(("array", id(schema)), lambda: short(self.read(schema["items"], "v"), general))
        return self._once(("map", id(schema)), lambda: self._map(schema["values"]))

    def _array(self, items: Any) -> list[str]:
        if self._sizes.least(items) == 0:
            raise UnsupportedError("items of no bytes")
        return ["found = []", "add = found.append", *blocks([*self.read(items, "v"), "add(v)"])]

    def _map(self, values: Any) -> list[str]:
        """Every key takes a byte, so the values need not."""
        return ["found = {}", *blocks([*self._name("string", "k"), *self.read(values, "v"), "found[k] = v"])]

    def _kept(self, function: str, into: str) -> list[str]:
        """A list of the same bytes is made only once; what another function has read of them is whole."""
        kept = self._constant(Beginnings[list[str]]())
        return [
            f"for whole, {into}, n in {kept}.get(d[p:p + {HEAD}], ()):",
            " if d.startswith(whole, p):",
            "  p += n",
            "  break",
            "else:",
            f" {into}, e = {function}(d, p)",
            f" {kept}.learn(d[p:e], {into}, 4 * (e - p) + 64 * len({into}))",
            " p = e",
            f" {into} = {into} or None",
        ]

    def _once(self, key: object, body: Callable[[], list[str]]) -> str:
        """The name of the function of this key, which is written if it is not yet."""
        if key not in self._functions:
            lines = body()  # what it calls is written first
            self._functions[key] = f"read_{len(self._functions)}"
            end = [" size = len(d)"] if any("size" in line for line in lines) else []
            self.lines += [f"def {self._functions[key]}(d, p):", *end, *indented(lines)]
        return self._functions[key]

    def _constant(self, value: object) -> str:
        name = f"CONSTANT_{len(self.constants)}"
        self.constants[name] = value
        return name


def _rank(branch: tuple[int, Any]) -> int:
    """What cells of tables mostly are comes first."""
    return _COMMON.index(branch[1]) if branch[1] in _COMMON else len(_COMMON)
