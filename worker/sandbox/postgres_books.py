"""The sandbox's own books in a schema of PostgreSQL: which tables there are, their columns, and what was stored when.

Read once when the schema is opened, and written through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from worker.sandbox.postgres_tables import ERRORS, PAYLOAD, Table, table_names, with_columns
from worker.sandbox.store import Layout, NewRecord, TableKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.sandbox.postgres_link import Link

_BOOKS: Final = """
CREATE TABLE IF NOT EXISTS {s}.sandbox_documents (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, data_mart_id text NOT NULL,
    id text NOT NULL, body text NOT NULL, UNIQUE (kind, data_mart_id, id));
CREATE TABLE IF NOT EXISTS {s}.sandbox_tables (
    id integer PRIMARY KEY, data_mart_id text NOT NULL, subscription_id text NOT NULL,
    payload text NOT NULL, errors text NOT NULL, kinds text NOT NULL, UNIQUE (data_mart_id, subscription_id));
CREATE TABLE IF NOT EXISTS {s}.sandbox_layouts (id integer PRIMARY KEY, columns text NOT NULL);
CREATE TABLE IF NOT EXISTS {s}.sandbox_records (
    sequence bigint PRIMARY KEY, table_id integer NOT NULL, scoring_id text NOT NULL, layout_id integer NOT NULL,
    body text NOT NULL, UNIQUE (table_id, scoring_id));
CREATE INDEX IF NOT EXISTS sandbox_records_in_order ON {s}.sandbox_records (table_id, sequence);
"""
# no table has this number
NO_TABLE: Final = 0


class Books:
    """`tables` and `layouts` by what they are; `sequence` is the last that was given to a record or an error."""

    def __init__(self, link: Link) -> None:
        self._link = link
        # two sandboxes on one schema would number their records alike; one that has just ended may take a moment
        link.run("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"payload-worker sandbox {link.schema}",))
        if not link.run("SELECT 1 FROM pg_namespace WHERE nspname = %s", (link.schema,)):
            link.run("CREATE SCHEMA {s}")
        link.run(_BOOKS)
        self.layouts = {_layout_of(columns): int(number) for number, columns in link.run(_LAYOUTS)}
        self.layout_of = {number: layout for layout, number in self.layouts.items()}
        self.tables = dict(map(self._read_table, link.run("SELECT * FROM {s}.sandbox_tables ORDER BY id")))
        last = [link.run(_LAST + "{t}", table=table.errors) for table in self.tables.values()]
        self.sequence = int(max(number for ((number,),) in [link.run(_LAST + "{s}.sandbox_records"), *last]))

    def number(self, key: TableKey) -> int:
        """The number of a payload table, or that of none."""
        return self.tables[key].id if key in self.tables else NO_TABLE

    def table(self, key: TableKey, records: Sequence[NewRecord]) -> Table:
        """A payload table with every column that its records need; made or widened where it is not."""
        table = self.tables.get(key) or self._made(key)
        self._widen(table, records)
        return table

    def layout(self, layout: Layout) -> int:
        """The number of a layout; a new one on first use."""
        if layout not in self.layouts:
            number = len(self.layouts) + 1
            columns = orjson.dumps([*layout]).decode()
            self._link.run("INSERT INTO {s}.sandbox_layouts VALUES (%s, %s)", (number, columns))
            self.layouts[layout], self.layout_of[number] = number, layout
        return self.layouts[layout]

    def forget(self, data_mart_id: str) -> None:
        """Drop the tables of a data mart, and all that is known of them."""
        dropped = {key: table for key, table in self.tables.items() if key.data_mart_id == data_mart_id}
        with self._link.transaction():
            for table in dropped.values():
                for name in (table.payload, table.errors):
                    self._link.run("DROP TABLE IF EXISTS {t}", table=name)
                self._link.run("DELETE FROM {s}.sandbox_records WHERE table_id = %s", (table.id,))
                self._link.run("DELETE FROM {s}.sandbox_tables WHERE id = %s", (table.id,))
        for key in dropped:
            del self.tables[key]

    def _made(self, key: TableKey) -> Table:
        number = max((table.id for table in self.tables.values()), default=NO_TABLE) + 1
        taken = {name for (name,) in self._link.run(_TAKEN, (self._link.schema,))}
        table = Table(number, *table_names(key, number, taken))
        with self._link.transaction():
            self._link.run(PAYLOAD, table=table.payload)
            self._link.run(ERRORS, table=table.errors)
            row = (number, *key, table.payload, table.errors, "{}")
            self._link.run("INSERT INTO {s}.sandbox_tables VALUES (%s, %s, %s, %s, %s, %s)", row)
        self.tables[key] = table
        return table

    def _widen(self, table: Table, records: Sequence[NewRecord]) -> None:
        missing = table.missing(records)
        if missing:
            kinds = table.kinds | missing
            with self._link.transaction():
                self._link.run(with_columns(missing), table=table.payload)
                written = (orjson.dumps(kinds).decode(), table.id)
                self._link.run("UPDATE {s}.sandbox_tables SET kinds = %s WHERE id = %s", written)
            table.kinds = kinds

    def _read_table(self, row: tuple[Any, ...]) -> tuple[TableKey, Table]:
        number, mart_id, subscription_id, payload, errors, kinds = row
        used = "SELECT layout_id FROM {s}.sandbox_records WHERE table_id = %s GROUP BY 1 ORDER BY min(sequence)"
        layouts = {self.layout_of[layout]: None for (layout,) in self._link.run(used, (number,))}
        return TableKey(mart_id, subscription_id), Table(number, payload, errors, orjson.loads(kinds), layouts)


def _layout_of(columns: str) -> Layout:
    return Layout(*map(tuple, orjson.loads(columns)))


_LAYOUTS: Final = "SELECT id, columns FROM {s}.sandbox_layouts ORDER BY id"
_LAST: Final = "SELECT coalesce(max(sequence), 0) FROM "
_TAKEN: Final = "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = %s"
