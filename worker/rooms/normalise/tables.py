"""The normal form (§6) and its rules: names, rows and cells are checked here, whichever engine they are from.

Nothing is converted. A cell is null, a boolean, an integer, a float, a string, or arrays of those; the data
mart converts by the subscription's schema, so a numeric string stays a string and an integer an integer.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from worker import extension
from worker.rooms.normalise.unfit import Code, Unfit, kind, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.model import Table

# `{"fields": [...], "values": [[...]]}`, and `meta` and `labels` where they were given.
Grid = dict[str, Any]

# An image is 4 arrays deep; orjson writes no more than 254, and the posted record takes some of them.
MAX_DEPTH = 32

_ARRAYS = (list, tuple)

_SOUND = None if extension.BUILT is None else extension.BUILT.sound
"""Whether there is no flaw, in C."""

GOOD = None if extension.BUILT is None else extension.BUILT.rows
"""Whether values are rows of so many cells without a flaw, in C."""

_FLAWS = {
    Code.NOT_FINITE: "is not a finite number",
    Code.INT_RANGE: "is an integer beyond 64 bits",
    Code.CELL_TYPE: "is neither null, boolean, number, string nor an array of those",
    Code.TOO_DEEP: f"is nested deeper than {MAX_DEPTH} arrays",
}


def from_table(table: Table, *, named: bool) -> Grid:
    """The table as it is, checked; without `fields` it is unstructured, which is refused where `named`."""
    fields = table.fields or None  # an Avro array cannot be null, so no names may also come as an empty one
    grid = build(fields, table.values, "values", named=named)
    if table.meta is not None:
        grid["meta"] = _meta(table.meta, len(grid["values"]))
    return grid


def from_normal(document: Mapping[str, Any], *, named: bool) -> Grid:
    """The normal form as a JSON object: `values`, `fields` unless unstructured, perhaps `meta` and `labels`.

    Other keys are left out.
    """
    grid = build(document.get("fields"), document.get("values"), "values", named=named)
    if len(document) > len(grid):
        if (meta := document.get("meta")) is not None:
            grid["meta"] = _meta(meta, len(grid["values"]))
        if (labels := document.get("labels")) is not None:
            grid["labels"] = _unnamed(labels, "labels")
    return grid


def from_objects(objects: object, place: str) -> Grid:
    """An array of objects, one a row: each with the columns of the first, in whatever order, taken by key."""
    if type(objects) is not list:
        raise Unfit(Code.SHAPE, f"{place} is {kind(objects)}, not an array of objects")
    if not objects:
        return {"fields": [], "values": []}
    first = objects[0]
    for at, row in enumerate(objects):
        if type(row) is not dict:
            raise Unfit(Code.SHAPE, f"{place}[{at}] is {kind(row)}, not an object")
        if row.keys() != first.keys():
            raise _odd_columns(first, row, f"{place}[{at}]")
    if not first:
        raise Unfit(Code.NO_FIELDS, f"{place} has objects without columns")
    fields = list(first)
    return {"fields": fields, "values": _rows([[row[name] for name in fields] for row in objects], fields, place)}


def build(fields: object, values: object, place: str, *, named: bool) -> Grid:
    """A checked table of `fields` and `values`; `place` is what the rows are called where they are from."""
    if fields is not None:
        known = names(fields)
        return {"fields": known, "values": _rows(values, known, place)}
    if named:
        raise Unfit(Code.NO_FIELDS, f"no fields stand beside {place}")
    return {"values": _unnamed(values, place)}


def names(fields: object) -> Sequence[str]:
    """The names as they are, checked: at least one, each a string and no other's."""
    if type(fields) is not list and type(fields) is not tuple:
        raise Unfit(Code.SHAPE, f"fields is {kind(fields)}, not an array of names")
    try:
        "".join(fields)  # four times as fast as a look at each type
    except TypeError:
        at = next(at for at, name in enumerate(fields) if not isinstance(name, str))
        raise Unfit(Code.FIELD_NAME, f"fields[{at}] is {kind(fields[at])}, not a string") from None
    if len(set(fields)) != len(fields):
        twice, _ = Counter(fields).most_common(1)[0]
        raise Unfit(Code.REPEATED_FIELD, f"the field {quoted(twice)} occurs more than once")
    if not fields:
        raise Unfit(Code.NO_FIELDS, "fields is empty")
    return fields


def _rows(values: object, columns: Sequence[str], place: str) -> Sequence[Any]:
    """The rows, checked. One flat array of cells is one row, as the service counts it (§6)."""
    if not isinstance(values, _ARRAYS):
        raise Unfit(Code.SHAPE, f"{place} is {kind(values)}, not an array of rows")
    width = len(columns)
    if GOOD is not None and GOOD(values, width, MAX_DEPTH):
        return values
    for at, row in enumerate(values):
        if type(row) is not list and type(row) is not tuple:
            if _is_flat(values, width):
                return _rows([values], columns, place)
            raise Unfit(Code.SHAPE, f"{place}[{at}] is {kind(row)}, not an array of cells")
        if len(row) != width:
            raise Unfit(Code.ROW_WIDTH, f"{place}[{at}] has {len(row)} cells for {width} fields")
        if (found := flaw(row, MAX_DEPTH)) is not None:
            code, (column, *inner) = found
            raise Unfit(code, f"{place}[{at}], column {quoted(columns[column])}{_path(inner)} {_FLAWS[code]}")
    return values


def _unnamed(values: object, place: str) -> Sequence[Any]:
    """Values without names: each is a row of its own, an image or a text, and may be any cell."""
    if not isinstance(values, _ARRAYS):
        raise Unfit(Code.SHAPE, f"{place} is {kind(values)}, not an array")
    if (found := flaw(values, MAX_DEPTH)) is not None:
        code, path = found
        raise Unfit(code, f"{place}{_path(path)} {_FLAWS[code]}")
    return values


def flaw(cells: Sequence[Any], room: int) -> tuple[Code, tuple[int, ...]] | None:
    """The first cell that may not stand in a table, and the way to it; nested no deeper than `room` arrays."""
    return None if _SOUND is not None and _SOUND(cells, room) else first_flaw(cells, room)


def first_flaw(cells: Sequence[Any], room: int) -> tuple[Code, tuple[int, ...]] | None:
    """The same in Python alone, where it is the hottest loop of the room."""
    for at, cell in enumerate(cells):
        of = type(cell)
        if of is str or cell is None or of is bool:
            continue
        if of is float:
            if cell - cell != 0.0:  # true of NaN and the infinities alone, and cheaper than a call
                return Code.NOT_FINITE, (at,)
        elif of is int:
            if not -(2**63) <= cell < 2**64:  # what orjson can write
                return Code.INT_RANGE, (at,)
        elif of is list or of is tuple:
            inner = first_flaw(cell, room - 1) if room > 1 else (Code.TOO_DEEP, ())
            if inner is not None:
                return inner[0], (at, *inner[1])
        else:
            return Code.CELL_TYPE, (at,)
    return None


def _meta(meta: object, rows: int) -> Grid:
    """Columns that are no features, in the same form, one meta row a row (§6)."""
    if not isinstance(meta, dict):
        raise Unfit(Code.SHAPE, f"meta is {kind(meta)}, not an object")
    grid = build(meta.get("fields"), meta.get("values"), "meta.values", named=True)
    if len(grid["values"]) != rows:
        raise Unfit(Code.ROW_COUNTS, f"meta has {len(grid['values'])} rows beside {rows}")
    return grid


def _is_flat(values: Sequence[Any], width: int) -> bool:
    return len(values) == width and not any(isinstance(cell, _ARRAYS) for cell in values)


def _odd_columns(first: Mapping[str, Any], row: Mapping[str, Any], place: str) -> Unfit:
    for name in first:
        if name not in row:
            return Unfit(Code.COLUMNS, f"{place} has no column {quoted(name)}")
    extra = next(name for name in row if name not in first)
    return Unfit(Code.COLUMNS, f"{place} has a column {quoted(extra)} that the first row lacks")


def _path(path: Sequence[int]) -> str:
    return "".join(f"[{at}]" for at in path)
