"""The store in PostgreSQL, in one schema of a database: what a data mart's `setup` names, or the sandbox's `--store`.

The payload is in tables as people know them from the data mart (`postgres_tables.py`); tables that begin with
`sandbox_` are the sandbox's own books. One sandbox at a time has a schema. A connection that was lost is made anew by
the next call.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.postgres_books import Books
from worker.sandbox.postgres_link import Link
from worker.sandbox.postgres_link import name as quoted
from worker.sandbox.postgres_tables import OWN, Table
from worker.sandbox.store import Batch, DocumentKey, Layout, NewError, NewRecord, Row, TableKey, fresh
from worker.sandbox.wire import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.sandbox.curtain import Curtain

_REMOVE: Final = "DELETE FROM {s}.sandbox_documents WHERE kind = %s AND data_mart_id = %s AND id = %s"
# records of a table behind one sequence, and up to another
_BODIES: Final = """
SELECT sequence, body FROM {s}.sandbox_records WHERE table_id = %s AND sequence > %s AND sequence <= %s
ORDER BY sequence LIMIT %s
"""
_PAGE: Final = """
SELECT sequence FROM {s}.sandbox_records WHERE table_id = %s AND sequence > %s AND sequence <= %s
AND (%s::text IS NULL OR scoring_id = %s) ORDER BY sequence LIMIT %s
"""
_ROW: Final = (
    "SELECT r.sequence, r.scoring_id, p.sandbox_number, p.scoring_timestamp, p.deployment_id, p.asset_revision,"
    " p.prediction_probability, r.layout_id, p.sandbox_more"
)
_FROM: Final = " FROM {t} p JOIN {s}.sandbox_records r ON r.sequence = p.sandbox_record WHERE "


class PostgresStore:
    """`Store` over one connection, used from one thread at a time.

    Raises `UnavailableError` where the database cannot be connected to, or does not let its user have the schema.
    """

    def __init__(self, uri: str, schema: str, curtain: Curtain) -> None:
        self._curtain = curtain
        self._link = Link(uri, schema)
        self._books = self._read()

    def documents(self) -> list[tuple[DocumentKey, bytes]]:
        """As `Store.documents`."""
        rows = self._now().run("SELECT kind, data_mart_id, id, body FROM {s}.sandbox_documents ORDER BY position")
        return [(DocumentKey(*key), body.encode()) for *key, body in rows]

    def put(self, key: DocumentKey, body: bytes) -> None:
        """As `Store.put`."""
        self._now().run(
            "INSERT INTO {s}.sandbox_documents (kind, data_mart_id, id, body) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (kind, data_mart_id, id) DO UPDATE SET body = excluded.body",
            (*key, body.decode()),
        )

    def remove(self, keys: Iterable[DocumentKey]) -> None:
        """As `Store.remove`."""
        link = self._now()
        with link.transaction():
            for key in keys:
                link.run(_REMOVE, key)

    def add(self, batch: Batch, *, ignore_repeated: bool) -> int:
        """As `Store.add`."""
        link, books = self._now(), self._books
        # before the transaction: a table, a column or a layout that no row uses is harmless
        tables = {key: books.table(key, [r for r in batch.records if r.table == key]) for key in batch.tables()}
        layouts = {record.layout: books.layout(record.layout) for record in batch.records}
        with link.transaction():
            new = fresh(batch.records, self._stored(batch.records, tables), ignore_repeated=ignore_repeated)
            self._insert(new, tables, layouts)
            self._insert_errors(batch.errors, books.sequence + len(new) + 1, tables)
        self._curtain.hide(books.sequence)
        books.sequence += len(new) + len(batch.errors)
        for record in new:
            tables[record.table].layouts[record.layout] = None
        return len(new)

    def newest(self, table: TableKey, limit: int, offset: int) -> list[Row]:
        """As `Store.newest`."""
        order = "p.scoring_timestamp DESC, p.sandbox_record DESC, p.sandbox_number DESC"
        where = f"p.sandbox_record <= %s ORDER BY {order} LIMIT %s OFFSET %s"
        return self._rows(table, where, (self._curtain.upto(), limit, offset))

    def arrived(self, table: TableKey, after: int, limit: int, scoring_id: str | None) -> list[Row]:
        """As `Store.arrived`."""
        where = f"p.sandbox_record IN ({_PAGE}) ORDER BY p.sandbox_record, p.sandbox_number"
        wanted = (scoring_id, scoring_id)
        return self._rows(table, where, (self._books.number(table), after, self._curtain.upto(), *wanted, limit))

    def bodies(self, table: TableKey, after: int, limit: int) -> list[tuple[int, bytes]]:
        """As `Store.bodies`."""
        found = self._now().run(_BODIES, (self._books.number(table), after, self._curtain.upto(), limit))
        return [(sequence, body.encode()) for sequence, body in found]

    def errors(self, table: TableKey, limit: int) -> list[NewError]:
        """As `Store.errors`."""
        link, known = self._now(), self._books.tables.get(table)
        if known is None:
            return []
        select = "SELECT scoring_id, reason, body FROM {t} WHERE sequence <= %s ORDER BY sequence DESC LIMIT %s"
        found = link.run(select, (self._curtain.upto(), limit), known.errors)
        return [NewError(table, scoring_id, reason, body.encode()) for scoring_id, reason, body in found]

    def counts(self) -> dict[TableKey, int]:
        """As `Store.counts`."""
        self._now()
        return {table: self.count(table) for table in self._books.tables}

    def count(self, table: TableKey) -> int:
        """As `Store.count`."""
        link, known = self._now(), self._books.tables.get(table)
        if known is None:
            return 0
        ((number,),) = link.run(
            "SELECT count(*) FROM {t} WHERE sandbox_record <= %s", (self._curtain.upto(),), known.payload
        )
        return int(number)

    def layouts(self, table: TableKey) -> list[Layout]:
        """As `Store.layouts`."""
        self._now()
        return list(self._books.tables[table].layouts) if table in self._books.tables else []

    def drop(self, data_mart_id: str) -> None:
        """As `Store.drop`."""
        self._now()
        self._books.forget(data_mart_id)

    def close(self) -> None:
        """As `Store.close`."""
        self._link.close()

    def _now(self) -> Link:
        """The connection; where it was lost another one, and the books read anew."""
        if self._link.lost:
            self._link.again()
            self._books = self._read()
        return self._link

    def _read(self) -> Books:
        try:
            return Books(self._link)
        except BaseException:
            # without its books it is as good as lost
            self._link.close()
            raise

    def _stored(self, records: Sequence[NewRecord], tables: dict[TableKey, Table]) -> set[tuple[TableKey, str]]:
        """Those (table, scoring id) of the batch that are stored already."""
        asked: dict[TableKey, list[str]] = {}
        for record in records:
            asked.setdefault(record.table, []).append(record.scoring_id)
        select = "SELECT scoring_id FROM {s}.sandbox_records WHERE table_id = %s AND scoring_id = ANY(%s)"
        found = {key: self._link.run(select, (tables[key].id, ids)) for key, ids in asked.items()}
        return {(key, scoring_id) for key, rows in found.items() for (scoring_id,) in rows}

    def _insert(self, records: Sequence[NewRecord], tables: dict[TableKey, Table], layouts: dict[Layout, int]) -> None:
        numbered = list(enumerate(records, self._books.sequence + 1))
        books = ("sequence", "table_id", "scoring_id", "layout_id", "body")
        lines = ((n, tables[r.table].id, r.scoring_id, layouts[r.layout], r.body.decode()) for n, r in numbered)
        self._link.copy("sandbox_records", books, lines)
        for key, table in tables.items():
            rows = (line for n, r in numbered if r.table == key for line in table.lines(n, r))
            self._link.copy(table.payload, (*OWN, *table.kinds), rows)

    def _insert_errors(self, errors: Sequence[NewError], first: int, tables: dict[TableKey, Table]) -> None:
        for n, error in enumerate(errors, first):
            row = (n, error.scoring_id, error.reason, error.body.decode())
            self._link.run("INSERT INTO {t} VALUES (%s, %s, %s, %s)", row, tables[error.table].errors)

    def _rows(self, key: TableKey, where: str, parameters: Sequence[object]) -> list[Row]:
        link, table = self._now(), self._books.tables.get(key)
        if table is None:
            return []
        columns = "".join(f", p.{quoted(name)}" for name in table.kinds)
        found = link.run(_ROW + columns + _FROM + where, parameters, table.payload)
        return [self._row(table, row) for row in found]

    def _row(self, table: Table, row: tuple[Any, ...]) -> Row:
        sequence, scoring_id, number, at, deployment_id, revision, probability, layout_id, more, *held = row
        layout = self._books.layout_of[layout_id]
        cells = table.cells(layout, more, held)
        moment = timestamp(at.replace(tzinfo=UTC))
        return Row(sequence, scoring_id, number, moment, deployment_id, revision, probability, layout, cells)
