"""A PostgreSQL of the tests' own: made in a directory of its own, on a free loopback port, ended with the session."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

if TYPE_CHECKING:
    import psycopg

USER: Final = "mart"
_START_SECONDS: Final = 60
_FAST: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "50"}


@cache
def missing() -> str | None:
    """What PostgreSQL's tests lack here, or None where they lack nothing."""
    if _programs() is None:
        return "no PostgreSQL server is installed (Debian: apt install postgresql)"
    try:
        import psycopg  # noqa: F401, PLC0415 - only whether it is there
    except ImportError:
        return "psycopg is not installed"
    return None if os.getuid() or _other_user() else "PostgreSQL does not run as root, and there is no other user"


@cache
def _programs() -> Path | None:
    """Where `initdb` and `postgres` are: on the PATH, else where Debian puts the newest."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    paths = [*([Path(found)] if found else []), *reversed(debian)]
    return next((path.resolve().parent for path in paths), None)


@cache
def _other_user() -> str | None:
    """Who runs it where the tests run as root: PostgreSQL refuses to."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)


class Postgres:
    """The server, from `start` to `stop`; it can be stopped and started again with what it holds."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="mart-postgres-"))
        self._as: dict[str, Any] = {}
        self._server: subprocess.Popen[bytes] | None = None
        self.password = secrets.token_hex(8)
        self.port = _free_port()

    def __enter__(self) -> Self:
        if not os.getuid():
            entry = pwd.getpwnam(_other_user() or "nobody")
            os.chown(self._home, entry.pw_uid, entry.pw_gid)
            self._as = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        secret = self._home / "secret"
        secret.write_text(self.password)
        secret.chmod(0o644)  # within a directory that is its owner's
        command = ["-D", self._home / "data", "-U", USER, "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8"]
        self._run("initdb", *command, "--locale=C", "--no-sync")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def uri(self) -> str:
        """The URI of its one database, with the password."""
        return self.uri_of(USER, self.password)

    def uri_of(self, user: str, password: str) -> str:
        """The same for another user."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = _FAST | {"port": str(self.port), "listen_addresses": "127.0.0.1"}
        flags = [f"--{name}={value}" for name, value in settings.items()]
        with (self._home / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._program("postgres"), "-D", self._home / "data", "-k", self._home, *flags],
                stdout=log, stderr=log, cwd=self._home, **self._as,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._home / "log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once; connections are cut, what was committed stays."""
        if self._server is not None:
            self._server.send_signal(2)
            self._server.wait(_START_SECONDS)
            self._server = None

    def connect(self) -> psycopg.Connection:
        """A connection of its owner."""
        import psycopg  # noqa: PLC0415 - perhaps not there

        return psycopg.connect(self.uri, autocommit=True)

    def all(self, statement: str, *tables: tuple[str, str]) -> list[tuple[Any, ...]]:
        """What a statement finds, if it is one that finds; each `{}` in it is one of the tables."""
        from psycopg import sql  # noqa: PLC0415 - perhaps not there

        with self.connect() as database:
            cursor = database.execute(sql.SQL(statement).format(*(sql.Identifier(*table) for table in tables)))
            return cursor.fetchall() if cursor.description else []

    def tables(self, schema: str) -> dict[str, dict[str, str]]:
        """The payload and error tables of a schema: the type of each column by name."""
        found: dict[str, dict[str, str]] = {}
        for where, table, column, kind in self.all(
            "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
        ):
            if where == schema and table.startswith("Payload"):
                found.setdefault(table, {})[column] = kind
        return found

    def empty(self, *schemas: str) -> None:
        """Drop schemas; a sandbox that uses one still is cut off."""
        with self.connect() as database:
            database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name <> ''")
            for schema in schemas:
                database.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'.encode())

    def _answers(self) -> bool:
        try:
            with self.connect():
                return True
        except _operational():
            return False

    def _run(self, name: str, *arguments: object) -> None:
        command = [self._program(name), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd=self._home, **self._as)

    def _program(self, name: str) -> str:
        return str((_programs() or Path()) / name)


def _operational() -> type[Exception]:
    import psycopg  # noqa: PLC0415 - perhaps not there

    return psycopg.OperationalError


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def required() -> None:
    """Skip the test that calls this where PostgreSQL cannot be had."""
    if (reason := missing()) is not None:
        pytest.skip(f"needs PostgreSQL: {reason}")
