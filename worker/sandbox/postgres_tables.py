"""A payload table in PostgreSQL: `Payload_{subscription}` with a column for each of the model's, and its error table.

A column whose type the subscription declared has that type in the database, any other is `json`. What cannot be a
column, or does not fit into one (names that PostgreSQL does not take, more columns than a row holds, a text with NUL),
is kept in the column `sandbox_more`, a JSON object by name: no record is lost for its names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from worker.sandbox.postgres_link import NAME_BYTES
from worker.sandbox.postgres_link import name as quoted
from worker.sandbox.schema import BASE, PROBABILITY
from worker.sandbox.store import Kind, Layout

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from worker.sandbox.store import NewRecord, TableKey

# the columns of every payload table: the data mart's own, and what the sandbox needs to find a row's record
OWN: Final = (*BASE, PROBABILITY, "sandbox_more", "sandbox_record", "sandbox_number")
PAYLOAD: Final = """
CREATE TABLE {t} (
    scoring_id text PRIMARY KEY, scoring_timestamp timestamp(3) NOT NULL, deployment_id text NOT NULL,
    asset_revision text, prediction_probability double precision,
    sandbox_more json, sandbox_record bigint NOT NULL, sandbox_number integer NOT NULL);
CREATE INDEX ON {t} (scoring_timestamp, sandbox_record, sandbox_number);
CREATE INDEX ON {t} (sandbox_record);
"""
ERRORS: Final = """
CREATE TABLE {t} (
    sequence bigint PRIMARY KEY, scoring_id text NOT NULL, reason text NOT NULL, body text NOT NULL);
"""
# what every table of PostgreSQL has of itself
_SYSTEM: Final = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
# a row has 8 kB, and a long cell takes 18 bytes of it
_MAX_COLUMNS: Final = 400
_JSON: Final = "json"
_TYPES: Final[Mapping[str, str]] = {
    Kind.TEXT: "text",
    Kind.INTEGER: "bigint",
    Kind.DOUBLE: "double precision",
    Kind.BOOLEAN: "boolean",
    _JSON: "json",
}
_FITS: Final[Mapping[str, type]] = {Kind.TEXT: str, Kind.INTEGER: int, Kind.DOUBLE: float, Kind.BOOLEAN: bool}


@dataclass(slots=True)
class Table:
    """A payload table: its number in the sandbox's books, its tables' names, and its columns' kinds by name."""

    id: int
    payload: str
    errors: str
    kinds: dict[str, str] = field(default_factory=dict)
    # in the order of arrival; asked for with every page
    layouts: dict[Layout, None] = field(default_factory=dict)

    def missing(self, records: Iterable[NewRecord]) -> dict[str, str]:
        """The columns, each with its kind, that the records have, and that the table lacks and could have."""
        new: dict[str, str] = {}
        for record in records:
            if record.layout in self.layouts:
                continue
            for name in record.layout.names:
                room = len(self.kinds) + len(new) < _MAX_COLUMNS
                if room and name not in self.kinds and _usable(name):
                    new.setdefault(name, record.kinds.get(name, _JSON))
        return new

    def lines(self, sequence: int, record: NewRecord) -> Iterable[Sequence[object]]:
        """A record's rows: cells for `OWN`, then for the columns of `kinds`."""
        names = record.layout.names
        for number, row in enumerate(record.rows, 1):
            cells = dict(zip(names, orjson.loads(row.cells), strict=True))
            held = [_held(cells, name, kind) for name, kind in self.kinds.items()]
            yield (
                f"{record.scoring_id}-{number}", record.scoring_timestamp, record.deployment_id, record.asset_revision,
                row.prediction_probability, orjson.dumps(cells).decode() if cells else None, sequence, number, *held,
            )  # fmt: skip

    def cells(self, layout: Layout, more: dict[str, Any] | None, held: Sequence[Any]) -> bytes:
        """A stored row's cells as JSON, in the order of its layout."""
        found = dict(zip(self.kinds, held, strict=True)) | (more or {})
        return orjson.dumps([found.get(name) for name in layout.names])


def _held(cells: dict[str, Any], name: str, kind: str) -> object:
    """What a column holds of a row, taken out of its cells; None where it cannot hold it, and the cell stays."""
    cell = cells.get(name)
    if cell is None:
        cells.pop(name, None)
    elif kind == _JSON:
        return orjson.dumps(cells.pop(name)).decode()
    elif type(cell) is _FITS[kind] and not (isinstance(cell, str) and "\0" in cell):
        return cells.pop(name)
    return None


def _usable(name: str) -> bool:
    taken = name in OWN or name in _SYSTEM or "\0" in name
    return not taken and 0 < len(name.encode()) <= NAME_BYTES


def with_columns(columns: Mapping[str, str]) -> str:
    """The statement that gives a table more columns."""
    added = (f"ADD COLUMN {quoted(name)} {_TYPES[kind]}" for name, kind in columns.items())
    return "ALTER TABLE {t} " + ", ".join(added)


def table_names(key: TableKey, number: int, taken: Collection[str]) -> tuple[str, str]:
    """The names of a new payload table and of its error table; `taken` are the schema's tables.

    `Payload_{subscription}`, unless that is too long or is taken, by another data mart in this schema perhaps.
    """
    suffixes = [key.subscription_id, *(f"{number}_{n}" for n in range(len(taken) + 1))]
    both = ((f"Payload_{suffix}", f"PayloadError_{suffix}") for suffix in suffixes)
    return next(pair for pair in both if all(len(n.encode()) <= NAME_BYTES and n not in taken for n in pair))
