"""The plain case, which nearly all records are: names, and rows of as many cells, in a table or in compact JSON.

What is taken here is what `tables` would take, in the same form; for all else, flaws among them, there is None, and
`tables` has to look. Names that were found good are kept, so that only the rows of a record are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from worker.model import Table
from worker.rooms.kept import HEAD, LARGEST, Beginnings, Kept
from worker.rooms.normalise import tables
from worker.rooms.normalise.unfit import Unfit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.model import Body

_VALUES = (b'],"values":', b'], "values": ')
_SCALARS = frozenset({str, int, float, bool, type(None)})

_good: Kept[int, Sequence[str]] = Kept()
"""Names without a flaw, by their identity: readers give the same list for the same names."""

_begun: Beginnings[list[str]] = Beginnings()
"""The names of a JSON body without a flaw in them, by all its bytes before its rows."""


def grid(content: Body | Table) -> tables.Grid | None:
    """The grid of a table or body; None where it is not plain, or not as it should be."""
    return _of_table(content) if content.__class__ is Table else _of_body(content)  # type: ignore[arg-type]


def _of_table(table: Table) -> tables.Grid | None:
    fields = table.fields
    if fields is None or table.meta is not None:
        return None
    if _good.get(id(fields)) is not fields and not _look_at(fields):
        return None
    width = len(fields)
    values = table.values
    if values.__class__ is not list:
        return None
    for row in values:
        if row.__class__ is not list or len(row) != width or not _sound(row):
            return None
    return {"fields": fields, "values": values}


def _look_at(fields: Sequence[str]) -> bool:
    """Whether names are good, to be kept by their identity as long as they are kept themselves."""
    try:
        tables.names(fields)
    except Unfit:
        return False
    _good.keep(id(fields), fields, 4 * sum(map(len, fields)) + 64 * len(fields))
    return True


def _sound(row: list[Any]) -> bool:
    """Whether all cells may stand in a table; arrays of those are looked at by `tables`."""
    for cell in row:
        of = cell.__class__
        if of is str or cell is None:
            continue
        if of is float:
            if cell - cell != 0.0:  # true of NaN and the infinities alone
                return False
        elif of is int:
            if not -(2**63) <= cell < 2**64:
                return False
        elif of is list:
            if tables.flaw(cell, tables.MAX_DEPTH - 1) is not None:
                return False
        elif of is not bool:
            return False
    return True


def _of_body(body: Body) -> tables.Grid | None:
    """If the text before the rows makes an object of names and `null`, then so it does of any value in its place."""
    if body.content_type != "application/json":
        return None
    data = body.data
    if data[-1:] != b"}":
        return None
    for begun, fields, at in _begun.get(data[:HEAD], ()):
        if data.startswith(begun):
            return _of_rows(data, at, fields)
    at = _rows_at(data)
    names = None if at < 0 else _begin(data[:at])
    return None if names is None else _of_rows(data, at, names)


def _of_rows(data: bytes, at: int, fields: list[str]) -> tables.Grid | None:
    """The grid of a body whose rows are all that stands from `at` to the last bracket.

    From JSON numbers are finite and within range; and cells without an object among them, or as many brackets as it
    takes to nest too deeply, need no closer look.
    """
    try:
        values = orjson.loads(data[at:-1])
    except orjson.JSONDecodeError:
        return None
    if values.__class__ is not list:
        return None
    width = len(fields)
    shallow = data.find(b"{", at) < 0 and data.count(b"[", at) < tables.MAX_DEPTH
    for row in values:
        if row.__class__ is not list or len(row) != width:
            return None
        if not shallow and not _SCALARS.issuperset(map(type, row)) and tables.flaw(row, tables.MAX_DEPTH) is not None:
            return None
    return {"fields": fields, "values": values}


def _rows_at(data: bytes) -> int:
    """Where the rows begin in the compact form, or as Python writes it; negative in any other."""
    for values in _VALUES:
        at = data.find(values, 0, LARGEST)
        if at >= 0:
            return at + len(values)
    return -1


def _begin(begun: bytes) -> list[str] | None:
    """The names that a body begins with, if there is no flaw in them."""
    try:
        document = orjson.loads(begun + b"null}")
    except orjson.JSONDecodeError:
        return None
    if type(document) is not dict or document.keys() != {"fields", "values"} or document["values"] is not None:
        return None
    try:
        tables.names(document["fields"])
    except Unfit:
        return None
    fields: list[str] = document["fields"]
    _begun.learn(begun, fields, 4 * len(begun) + 64 * len(fields))
    return fields
