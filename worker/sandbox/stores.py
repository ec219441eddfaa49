"""Every data mart's own database: what its `setup` names (contract §2), else the sandbox's store.

The control plane's documents are in the sandbox's store always; a data mart's payload is where its document says.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from worker.sandbox.curtain import Curtain
from worker.sandbox.options import OptionsError
from worker.sandbox.sqlite import SqliteStore
from worker.sandbox.store import DATA_MART, UnavailableError
from worker.sandbox.wire import as_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from worker.sandbox.options import Options
    from worker.sandbox.store import Batch, DocumentKey, Layout, NewError, Row, Store, TableKey

SCHEMA: Final = "aios"
POSTGRES: Final = "postgresql"
_SCHEMES: Final = ("postgres://", "postgresql://")


class Database(NamedTuple):
    """A schema of a PostgreSQL database."""

    uri: str
    schema: str


def database_of(body: dict[str, Any]) -> Database | None:
    """The PostgreSQL database that a data mart's body names, or None where it names none.

    Of other databases (Db2) the sandbox has none: their data marts are kept in its own store.
    """
    configuration = as_object(body.get("database_configuration"))
    credentials = as_object(configuration.get("credentials"))
    kind = configuration.get("database_type", credentials.get("db_type"))
    if body.get("internal_database") is True or kind != POSTGRES:
        return None
    return Database(str(credentials.get("uri") or ""), schema_of(body))


def schema_of(body: dict[str, Any]) -> str:
    """The schema in which a data mart's tables are (§5)."""
    location = as_object(as_object(body.get("database_configuration")).get("location"))
    return str(location.get("schema") or SCHEMA)


class MartStores:
    """`Store` for all data marts: `own`, and one for each database, opened when it is first needed."""

    def __init__(self, own: Store, connect: Callable[[Database], Store]) -> None:
        self._own = own
        self._connect = connect
        self._databases: dict[str, Database] = {}
        self._opened: dict[Database, Store] = {}
        self._opening = Lock()

    def open(self, body: dict[str, Any]) -> None:
        """Connect to the database that a data mart's body names; raises `UnavailableError` where it cannot be used.

        This takes as long as the database does; it may be called in another thread.
        """
        if (database := database_of(body)) is not None:
            self._store(database)

    def documents(self) -> Iterator[tuple[DocumentKey, bytes]]:
        """As `Store.documents`."""
        for key, body in self._own.documents():
            self._learn(key, body)
            yield key, body

    def put(self, key: DocumentKey, body: bytes) -> None:
        """As `Store.put`."""
        self._own.put(key, body)
        self._learn(key, body)

    def remove(self, keys: Iterable[DocumentKey]) -> None:
        """As `Store.remove`."""
        gone = list(keys)
        self._own.remove(gone)
        for key in gone:
            if key.kind == DATA_MART:
                self._databases.pop(key.data_mart_id, None)

    def add(self, batch: Batch, *, ignore_repeated: bool) -> int:
        """As `Store.add`."""
        (mart_id,) = {table.data_mart_id for table in batch.tables()}
        return self._of(mart_id).add(batch, ignore_repeated=ignore_repeated)

    def newest(self, table: TableKey, limit: int, offset: int) -> list[Row]:
        """As `Store.newest`."""
        return self._of(table.data_mart_id).newest(table, limit, offset)

    def arrived(self, table: TableKey, after: int, limit: int, scoring_id: str | None) -> list[Row]:
        """As `Store.arrived`."""
        return self._of(table.data_mart_id).arrived(table, after, limit, scoring_id)

    def bodies(self, table: TableKey, after: int, limit: int) -> list[tuple[int, bytes]]:
        """As `Store.bodies`."""
        return self._of(table.data_mart_id).bodies(table, after, limit)

    def errors(self, table: TableKey, limit: int) -> list[NewError]:
        """As `Store.errors`."""
        return self._of(table.data_mart_id).errors(table, limit)

    def counts(self) -> dict[TableKey, int]:
        """As `Store.counts`; of each data mart what is in the database that it has now."""
        used = {database: self._store(database) for database in set(self._databases.values())}
        every = [(None, self._own), *used.items()]
        return {
            table: count
            for database, store in every
            for table, count in store.counts().items()
            if self._databases.get(table.data_mart_id) == database
        }

    def count(self, table: TableKey) -> int:
        """As `Store.count`."""
        return self._of(table.data_mart_id).count(table)

    def layouts(self, table: TableKey) -> list[Layout]:
        """As `Store.layouts`."""
        return self._of(table.data_mart_id).layouts(table)

    def drop(self, data_mart_id: str) -> None:
        """As `Store.drop`."""
        self._of(data_mart_id).drop(data_mart_id)

    def close(self) -> None:
        """As `Store.close`."""
        for store in chain(self._opened.values(), [self._own]):
            store.close()

    def _learn(self, key: DocumentKey, body: bytes) -> None:
        """Where a data mart's payload is from now on; what is in another database stays there."""
        if key.kind == DATA_MART:
            database = database_of(orjson.loads(body))
            if database is None:
                self._databases.pop(key.data_mart_id, None)
            else:
                self._databases[key.data_mart_id] = database

    def _of(self, data_mart_id: str) -> Store:
        database = self._databases.get(data_mart_id)
        return self._own if database is None else self._store(database)

    def _store(self, database: Database) -> Store:
        with self._opening:
            if database not in self._opened:
                self._opened[database] = self._connect(database)
            return self._opened[database]


def open_stores(options: Options) -> MartStores:
    """The stores of a sandbox with these options; raises `OptionsError` where its own cannot be had."""
    seconds = options.store_delay_ms / 1000
    own = _own(options.store, Curtain(seconds))

    def connect(database: Database) -> Store:
        shared = options.databases == "own" or database == (options.store, SCHEMA)
        return own if shared else _postgres(database, Curtain(seconds))

    return MartStores(own, connect)


def _own(where: Path | str | None, curtain: Curtain) -> Store:
    if not isinstance(where, str) or not where.startswith(_SCHEMES):
        return SqliteStore(None if where is None else Path(where), curtain)
    try:
        return _postgres(Database(where, SCHEMA), curtain)
    except UnavailableError as exc:
        raise OptionsError(f"The PostgreSQL database of the store cannot be used: {exc}") from None


def _postgres(database: Database, curtain: Curtain) -> Store:
    """A store in PostgreSQL, whose driver is loaded only where there is one."""
    try:
        from worker.sandbox.postgres import PostgresStore  # noqa: PLC0415 - as the docstring says
    except ImportError:
        raise UnavailableError("psycopg is not installed here") from None
    return PostgresStore(database.uri, database.schema, curtain)
