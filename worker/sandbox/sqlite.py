"""The store in SQLite: in memory, or in a file that outlives the sandbox.

A layout is stored once and named by number. A record's number, its place in the order of arrival, is given
here and not by the database, so that a batch is a handful of statements however many records it holds.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from worker.sandbox.options import OptionsError
from worker.sandbox.store import Batch, DocumentKey, Layout, NewError, NewRecord, Row, TableKey, fresh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from worker.sandbox.curtain import Curtain

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    position INTEGER PRIMARY KEY, kind TEXT NOT NULL, data_mart_id TEXT NOT NULL, id TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, data_mart_id, id));
CREATE TABLE IF NOT EXISTS payload_tables (
    id INTEGER PRIMARY KEY, data_mart_id TEXT NOT NULL, subscription_id TEXT NOT NULL,
    UNIQUE (data_mart_id, subscription_id));
CREATE TABLE IF NOT EXISTS layouts (id INTEGER PRIMARY KEY, columns TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS records (
    sequence INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, scoring_id TEXT NOT NULL,
    scoring_timestamp TEXT NOT NULL, deployment_id TEXT NOT NULL, asset_revision TEXT,
    layout_id INTEGER NOT NULL, body TEXT NOT NULL,
    UNIQUE (table_id, scoring_id));
CREATE TABLE IF NOT EXISTS rows (
    record INTEGER NOT NULL, number INTEGER NOT NULL, table_id INTEGER NOT NULL,
    scoring_timestamp TEXT NOT NULL, prediction_probability REAL, cells TEXT NOT NULL,
    PRIMARY KEY (record, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rows_by_time ON rows (table_id, scoring_timestamp, record, number);
CREATE TABLE IF NOT EXISTS payload_errors (
    sequence INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, scoring_id TEXT NOT NULL, reason TEXT NOT NULL,
    body TEXT NOT NULL);
"""
_ROW = """
SELECT r.record, s.scoring_id, r.number, s.scoring_timestamp, s.deployment_id, s.asset_revision,
       r.prediction_probability, s.layout_id, r.cells
FROM rows r JOIN records s ON s.sequence = r.record
"""
# the records of a table behind one sequence, and up to another
_BETWEEN = "table_id = ? AND sequence > ? AND sequence <= ?"
# SQLite's limit of variables in a statement is far above; more at once is not faster
_LOOKUP = 500


class SqliteStore:
    """`Store` over one SQLite connection, used from one thread at a time."""

    def __init__(self, path: Path | None, curtain: Curtain) -> None:
        self._curtain = curtain
        try:
            self._db = _connect(path)
        except sqlite3.Error as exc:
            raise OptionsError(f"The store {path} cannot be opened: {exc}") from exc
        self._tables = {TableKey(*key): int(number) for number, *key in self._all("SELECT * FROM payload_tables")}
        self._layouts: dict[Layout, int] = {}
        self._layout_of: dict[int, Layout] = {}
        for number, columns in self._all("SELECT id, columns FROM layouts"):
            self._know(number, Layout(*map(tuple, orjson.loads(columns))))
        # in the order of arrival; asked for with every page, and so not worked out of the records each time
        self._used: dict[int, dict[Layout, None]] = {}
        used = self._all("SELECT table_id, layout_id FROM records GROUP BY 1, 2 ORDER BY min(sequence)")
        for table, number in used:
            self._used.setdefault(table, {})[self._layout_of[number]] = None
        # one order for records and for errors, so that one curtain hides both
        ((self._sequence,),) = self._all(
            "SELECT max((SELECT coalesce(max(sequence), 0) FROM records),"
            " (SELECT coalesce(max(sequence), 0) FROM payload_errors))"
        )

    def documents(self) -> list[tuple[DocumentKey, bytes]]:
        """As `Store.documents`."""
        rows = self._all("SELECT kind, data_mart_id, id, body FROM documents ORDER BY position")
        return [(DocumentKey(*key), body.encode()) for *key, body in rows]

    def put(self, key: DocumentKey, body: bytes) -> None:
        """As `Store.put`."""
        self._db.execute(
            "INSERT INTO documents (kind, data_mart_id, id, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (kind, data_mart_id, id) DO UPDATE SET body = excluded.body",
            (*key, body.decode()),
        )

    def remove(self, keys: Iterable[DocumentKey]) -> None:
        """As `Store.remove`."""
        with self._transaction():
            self._db.executemany("DELETE FROM documents WHERE kind = ? AND data_mart_id = ? AND id = ?", keys)

    def add(self, batch: Batch, *, ignore_repeated: bool) -> int:
        """As `Store.add`."""
        # before the transaction: a table or a layout that no row uses is harmless, a number undone is not
        tables = {table: self._table(table) for table in batch.tables()}
        layouts = {record.layout: self._layout(record.layout) for record in batch.records}
        with self._transaction():
            new = fresh(batch.records, self._stored(batch.records, tables), ignore_repeated=ignore_repeated)
            self._insert(new, tables, layouts)
            self._insert_errors(batch.errors, self._sequence + len(new) + 1, tables)
        self._curtain.hide(self._sequence)
        self._sequence += len(new) + len(batch.errors)
        for record in new:
            self._used.setdefault(tables[record.table], {})[record.layout] = None
        return len(new)

    def newest(self, table: TableKey, limit: int, offset: int) -> list[Row]:
        """As `Store.newest`."""
        order = "r.scoring_timestamp DESC, r.record DESC, r.number DESC"
        sql = f"{_ROW} WHERE r.table_id = ? AND r.record <= ? ORDER BY {order} LIMIT ? OFFSET ?"
        return self._rows(sql, (self._tables.get(table), self._curtain.upto(), limit, offset))

    def arrived(self, table: TableKey, after: int, limit: int, scoring_id: str | None) -> list[Row]:
        """As `Store.arrived`."""
        wanted = f"{_BETWEEN}{'' if scoring_id is None else ' AND scoring_id = ?'}"
        page = f"SELECT sequence FROM records WHERE {wanted} ORDER BY sequence LIMIT ?"  # noqa: S608 - bound
        sql = f"{_ROW} WHERE r.record IN ({page}) ORDER BY r.record, r.number"
        given = () if scoring_id is None else (scoring_id,)
        return self._rows(sql, (self._tables.get(table), after, self._curtain.upto(), *given, limit))

    def bodies(self, table: TableKey, after: int, limit: int) -> list[tuple[int, bytes]]:
        """As `Store.bodies`."""
        sql = f"SELECT sequence, body FROM records WHERE {_BETWEEN} ORDER BY sequence LIMIT ?"  # noqa: S608 - bound
        found = self._all(sql, (self._tables.get(table), after, self._curtain.upto(), limit))
        return [(number, body.encode()) for number, body in found]

    def errors(self, table: TableKey, limit: int) -> list[NewError]:
        """As `Store.errors`."""
        columns = "SELECT scoring_id, reason, body FROM payload_errors"
        sql = f"{columns} WHERE table_id = ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?"
        found = self._all(sql, (self._tables.get(table), self._curtain.upto(), limit))
        return [NewError(table, scoring_id, reason, body.encode()) for scoring_id, reason, body in found]

    def counts(self) -> dict[TableKey, int]:
        """As `Store.counts`."""
        sql = "SELECT table_id, count(*) FROM rows WHERE record <= ? GROUP BY table_id"
        counted = dict(self._all(sql, (self._curtain.upto(),)))
        return {table: counted.get(number, 0) for table, number in self._tables.items()}

    def count(self, table: TableKey) -> int:
        """As `Store.count`."""
        sql = "SELECT count(*) FROM rows WHERE table_id = ? AND record <= ?"
        ((number,),) = self._all(sql, (self._tables.get(table), self._curtain.upto()))
        return int(number)

    def layouts(self, table: TableKey) -> list[Layout]:
        """As `Store.layouts`."""
        used = self._used.get(self._tables[table], {}) if table in self._tables else {}
        return list(used)

    def drop(self, data_mart_id: str) -> None:
        """As `Store.drop`."""
        dropped = {table: number for table, number in self._tables.items() if table.data_mart_id == data_mart_id}
        with self._transaction():
            for column in ("rows.table_id", "records.table_id", "payload_errors.table_id", "payload_tables.id"):
                name, _, key = column.partition(".")
                sql = f"DELETE FROM {name} WHERE {key} = ?"  # noqa: S608 - names of our own
                self._db.executemany(sql, [(number,) for number in dropped.values()])
        for table, number in dropped.items():
            del self._tables[table]
            self._used.pop(number, None)

    def close(self) -> None:
        """As `Store.close`."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _stored(self, records: Sequence[NewRecord], tables: dict[TableKey, int]) -> set[tuple[TableKey, str]]:
        """Those (table, scoring id) of the batch that are stored already."""
        ids: dict[TableKey, list[str]] = {}
        for record in records:
            ids.setdefault(record.table, []).append(record.scoring_id)
        return {(table, found) for table, asked in ids.items() for found in self._stored_ids(tables[table], asked)}

    def _stored_ids(self, table: int, asked: list[str]) -> Iterator[str]:
        for start in range(0, len(asked), _LOOKUP):
            some = asked[start : start + _LOOKUP]
            marks = ",".join("?" * len(some))
            select = "SELECT scoring_id FROM records WHERE table_id = ?"
            sql = f"{select} AND scoring_id IN ({marks})"
            yield from (scoring_id for (scoring_id,) in self._all(sql, (table, *some)))

    def _insert(self, records: Sequence[NewRecord], tables: dict[TableKey, int], layouts: dict[Layout, int]) -> None:
        numbered = list(enumerate(records, self._sequence + 1))
        self._db.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (seq, tables[r.table], r.scoring_id, r.scoring_timestamp, r.deployment_id, r.asset_revision,
                 layouts[r.layout], r.body.decode())
                for seq, r in numbered
            ],
        )  # fmt: skip
        self._db.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)",
            [
                (seq, n, tables[r.table], r.scoring_timestamp, row.prediction_probability, row.cells.decode())
                for seq, r in numbered
                for n, row in enumerate(r.rows, 1)
            ],
        )

    def _insert_errors(self, errors: Sequence[NewError], first: int, tables: dict[TableKey, int]) -> None:
        self._db.executemany(
            "INSERT INTO payload_errors (sequence, table_id, scoring_id, reason, body) VALUES (?, ?, ?, ?, ?)",
            [(n, tables[e.table], e.scoring_id, e.reason, e.body.decode()) for n, e in enumerate(errors, first)],
        )

    def _table(self, key: TableKey) -> int:
        """The number of a payload table; a new one on first use."""
        if key not in self._tables:
            sql = "INSERT INTO payload_tables (data_mart_id, subscription_id) VALUES (?, ?) RETURNING id"
            ((self._tables[key],),) = self._all(sql, key)
        return self._tables[key]

    def _layout(self, layout: Layout) -> int:
        """The number of a layout; a new one on first use."""
        if layout not in self._layouts:
            columns = orjson.dumps([*layout]).decode()
            ((number,),) = self._all("INSERT INTO layouts (columns) VALUES (?) RETURNING id", (columns,))
            self._know(number, layout)
        return self._layouts[layout]

    def _know(self, number: int, layout: Layout) -> None:
        self._layouts[layout] = number
        self._layout_of[number] = layout

    def _rows(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        found = self._all(sql, parameters)
        return [Row._make((*head, self._layout_of[layout], cells.encode())) for *head, layout, cells in found]

    def _all(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._db.execute(sql, parameters).fetchall()


def _connect(path: Path | None) -> sqlite3.Connection:
    """A connection without implicit transactions; what a power cut takes from a sandbox is no loss."""
    database = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
    try:
        database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;")
        database.executescript(_SCHEMA)
    except BaseException:
        database.close()
        raise
    return database
