"""The plain case, which nearly all records are: names, and rows of as many cells, in a table or in compact JSON.

What is taken here is what `tables` would take, in the same form; for all else, flaws among them, there is None, and
`tables` has to look. Names that were found good are kept, so that only the rows of a record are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from worker.rooms.kept import HEAD, LARGEST, Beginnings, Kept
from worker.rooms.normalise import tables
from worker.rooms.normalise.unfit import Unfit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.model import Body, Table

_VALUES = (b'],"values":', b'], "values": ')
_SCALARS = frozenset({str, int, float, bool, type(None)})

_good: Kept[int, Sequence[str]] = Kept()
"""Names without a flaw, by their identity: readers give the same list for the same names."""

_begun: Beginnings[list[str]] = Beginnings()
"""The names of a JSON body without a flaw in them, by all its bytes before its rows."""


def of_table(table: Table) -> tables.Grid | None:
    """The grid of a sound table; None where it is not plain, or not as it should be."""
    if not table.sound or table.meta is not None:
        return None
    fields = table.fields
    if fields is None or (_good.get(id(fields)) is not fields and not _look_at(fields)):
        return None
    width = len(fields)
    values = table.values
    for row in values:
        if len(row) != width:
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


def of_body(body: Body) -> tables.Grid | None:
    """The grid of a body in the normal form.

    If the text before the rows makes an object of names and `null`, then so it does of any value in its place.
    """
    data = body.data
    if body.content_type != "application/json" or not data.endswith(b"}"):
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
    if tables.GOOD is not None:
        good = tables.GOOD(values, len(fields), tables.MAX_DEPTH)
    else:
        closely = data.find(b"{", at) >= 0 or data.count(b"[", at) >= tables.MAX_DEPTH
        good = _fit(values, len(fields), closely=closely)
    return {"fields": fields, "values": values} if good else None


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
