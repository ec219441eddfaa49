"""A connection to one schema of a PostgreSQL database: statements, transactions, and what goes wrong in one form.

In a statement `{s}` stands for the schema and `{t}` for a table in it. No error has the URI, nor anything of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson
import psycopg
from psycopg import errors, sql
from psycopg.types.json import set_json_loads

from worker.sandbox.store import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NAME_BYTES: Final = 63
# the sandbox waits for its database, and must not do so for ever
_CONNECT_SECONDS: Final = 5
_LOST_MILLISECONDS: Final = 10_000
_OPTIONS: Final = "-c statement_timeout=15s -c lock_timeout=10s -c timezone=UTC -c client_min_messages=warning"


class Link:
    """One connection; raises `UnavailableError` where it cannot be had, and from every call where it is lost."""

    def __init__(self, uri: str, schema: str) -> None:
        # PostgreSQL would cut a longer name, and then not find it again
        if len(schema.encode()) > NAME_BYTES or "\0" in uri + schema:
            raise UnavailableError("its schema or its address is no text that PostgreSQL takes")
        self._uri = uri
        self.schema = schema
        self._db = self._connected()

    @property
    def lost(self) -> bool:
        """The connection has ended; `again` makes another."""
        return self._db.closed

    def again(self) -> None:
        """Connect once more."""
        self._db.close()
        self._db = self._connected()

    def close(self) -> None:
        """End the connection."""
        self._db.close()

    def run(self, statement: str, parameters: Sequence[object] = (), table: str = "") -> list[tuple[Any, ...]]:
        """Run a statement; returns its rows."""
        with _guarded():
            cursor = self._db.execute(self._sql(statement, table), parameters)
            return cursor.fetchall() if cursor.description else []

    def copy(self, table: str, columns: Iterable[str], lines: Iterable[Sequence[object]]) -> None:
        """Insert many rows at once."""
        into = sql.SQL("COPY {t} ({}) FROM STDIN").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), t=sql.Identifier(self.schema, table)
        )
        with _guarded(), self._db.cursor() as cursor, cursor.copy(into) as copy:
            for line in lines:
                copy.write_row(line)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is run within is done, or nothing of it."""
        with _guarded(), self._db.transaction():
            yield

    def _sql(self, statement: str, table: str) -> sql.Composed:
        place = sql.Identifier(self.schema, table) if table else sql.SQL("")
        return sql.SQL(statement).format(s=sql.Identifier(self.schema), t=place)

    def _connected(self) -> psycopg.Connection:
        with _guarded():
            database = psycopg.connect(
                self._uri,
                autocommit=True,
                options=_OPTIONS,
                connect_timeout=_CONNECT_SECONDS,
                tcp_user_timeout=_LOST_MILLISECONDS,
                application_name="payload-worker sandbox",
            )
            set_json_loads(orjson.loads, database)
            return database


def name(text: str) -> str:
    """A name as it stands in a statement that `Link.run` formats."""
    return sql.Identifier(text).as_string().replace("{", "{{").replace("}", "}}").replace("%", "%%")


@contextmanager
def _guarded() -> Iterator[None]:
    """Whatever the database says becomes `UnavailableError`; its own words may have values in them."""
    try:
        yield
    except psycopg.Error as exc:
        raise UnavailableError(_reason(exc)) from None
    except UnicodeError:
        raise UnavailableError("its address cannot be read") from None


def _reason(exc: psycopg.Error) -> str:
    match exc:
        case errors.InsufficientPrivilege():
            return "its user may not do what the sandbox needs: make a schema and tables"
        case errors.LockNotAvailable():
            return "another sandbox, or a data mart with other credentials, is using the same schema"
        case errors.QueryCanceled():
            return "it takes too long to answer"
        case psycopg.ProgrammingError() if exc.sqlstate is None:
            return "its address is not one of PostgreSQL"
        case psycopg.OperationalError():
            return "it does not answer, or does not let this user in"
        case _:
            return f"it answered with the error {exc.sqlstate}"
