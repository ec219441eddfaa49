"""Cells as the subscription's schema declares their columns (contract §5.2): pure.

Numbers that came as texts become numbers; a cell that is not what it should be makes its record one that cannot be
processed. Cells of columns that nobody declared, lists among them, stay as they are.
"""

from __future__ import annotations

import re
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Final

import orjson

from worker.sandbox.store import Kind
from worker.sandbox.wire import as_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# of the schemas in an asset's properties, the input's own counts most
_DECLARED: Final = ("training_data_schema", "output_data_schema", "input_data_schema")
_KINDS: Final = {
    **dict.fromkeys(("double", "float", "decimal"), Kind.DOUBLE),
    **dict.fromkeys(("integer", "int", "long", "bigint", "short", "smallint", "byte", "tinyint"), Kind.INTEGER),
    **dict.fromkeys(("string", "text", "varchar"), Kind.TEXT),
    **dict.fromkeys(("boolean", "bool"), Kind.BOOLEAN),
}
# integers are those of a database
_BITS: Final = 63
_WHOLE: Final = re.compile(r"\s*[+-]?[0-9]{1,20}\s*")

# one entry for each cell that may need converting: its place in the row, its column, and what it is to be
Plan = tuple[tuple[int, str, Kind], ...]


def declared(properties: Mapping[str, Any]) -> dict[str, object]:
    """The types that the asset's schemas name, as they name them, by column."""
    types: dict[str, object] = {}
    for schema in _DECLARED:
        fields = as_object(properties.get(schema)).get("fields")
        for field in fields if isinstance(fields, list) else []:
            if isinstance(field, dict) and isinstance(field.get("name"), str) and "type" in field:
                types[field["name"]] = field["type"]
    return types


def declared_kinds(properties: Mapping[str, Any]) -> dict[str, Kind]:
    """The columns whose declared type is one that cells are converted to."""
    types = declared(properties).items()
    return {name: _KINDS[kind.lower()] for name, kind in types if isinstance(kind, str) and kind.lower() in _KINDS}


def plan(names: Sequence[str], kinds: Mapping[str, Kind]) -> Plan:
    """Which cells of rows of these columns are to be looked at."""
    return tuple((place, name, kinds[name]) for place, name in enumerate(names) if name in kinds) if kinds else ()


def convert(cells: list[Any], looked_at: Plan) -> None:
    """Convert a row's cells in place; raises `ValueError`, which names the column, where one cannot be."""
    for place, name, kind in looked_at:
        cell = cells[place]
        # most cells are what they should be
        if cell is not None and type(cell) is not _READY[kind]:
            try:
                cells[place] = _CONVERT[kind](cell)
            except ValueError:
                raise ValueError(f"the cell of {name} is not of the type {kind}") from None


def number(cell: object) -> float:
    """A finite number, also out of a text; raises `ValueError`."""
    match cell:
        case bool():  # which is an int to Python
            found = nan
        case int() | float():
            found = float(cell)
        case str() if "_" not in cell:  # Python takes 1_000 for a number
            found = float(cell)
        case _:
            found = nan
    if not isfinite(found):
        raise ValueError("no finite number")
    return found


def _integer(cell: object) -> int:
    match cell:
        case int() if not isinstance(cell, bool):
            found = cell
        case str() if _WHOLE.fullmatch(cell):  # not by way of a float, which has 53 bits
            found = int(cell)
        case _:
            found = int(number(cell))
            if found != number(cell):
                raise ValueError("a fraction")
    if found.bit_length() > _BITS:
        raise ValueError("too great")
    return found


def _text(cell: object) -> str:
    """What is no text is stored as its JSON."""
    return cell if isinstance(cell, str) else orjson.dumps(cell).decode()


def _boolean(cell: object) -> bool:
    found = {"true": True, "false": False}.get(cell.strip().lower()) if isinstance(cell, str) else None
    if found is None:
        raise ValueError(type(cell).__name__)
    return found


# cells of these types are ready; an integer may still be too great
_READY: Final = {Kind.TEXT: str, Kind.INTEGER: None, Kind.DOUBLE: float, Kind.BOOLEAN: bool}
_CONVERT: Final[Mapping[Kind, Callable[[object], object]]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.DOUBLE: number,
    Kind.BOOLEAN: _boolean,
}
