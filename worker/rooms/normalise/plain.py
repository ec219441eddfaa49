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


def of_table(table: Body | Table) -> tables.Grid | None:
    """The grid of a table; None where it is not plain, not as it should be, or no table."""
    if not isinstance(table, Table):
        return None
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


def of_any(content: Body | Table) -> tables.Grid | None:
    """The grid of a table, or of a body in the normal form.

    If the text before the rows makes an object of names and `null`, then so it does of any value in its place.
    """
    if isinstance(content, Table):
        return of_table(content)
    data = content.data
    if content.content_type != "application/json" or not data.endswith(b"}"):
        return None
    fields: list[str] | None
    for begun, fields, at in _begun.get(data[:HEAD], ()):  # noqa: B007 - they are used behind the loop
        if data.startswith(begun):
            break
    else:
        at = _rows_at(data)
        fields = _names(data[:at]) if at > 0 else None
    if fields is None:
        return None
    try:
        values = orjson.loads(data[at:-1])
    except orjson.JSONDecodeError:
        return None
    if values.__class__ is not list:
        return None
    closely = data.find(b"{", at) >= 0 or data.count(b"[", at) >= tables.MAX_DEPTH
    return {"fields": fields, "values": values} if _fit(values, len(fields), closely=closely) else None


def _fit(values: list[Any], width: int, *, closely: bool) -> bool:
    """Whether values of JSON are rows; its numbers are finite and within range.

    So their cells need no closer look if there is no object among them, nor as many brackets as nest too deeply.
    """
    for row in values:
        if row.__class__ is not list or len(row) != width:
            return False
        if closely and not _SCALARS.issuperset(map(type, row)) and tables.flaw(row, tables.MAX_DEPTH) is not None:
            return False
    return True


def _rows_at(data: bytes) -> int:
    """Where the rows begin in the compact form, or as Python writes it; negative in any other."""
    for values in _VALUES:
        at = data.find(values, 0, LARGEST)
        if at >= 0:
            return at + len(values)
    return -1


def _names(begun: bytes) -> list[str] | None:
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
