"""A sandbox of its own for every test, and one PostgreSQL for all that need one.

A module that says `pytestmark = ON_EVERY_STORE` (`mart.py`) is run on SQLite and on PostgreSQL.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.database import Postgres, required
from tests.sandbox.mart import Mart, Start
from worker.sandbox.options import Options
from worker.sandbox.serve import RunningSandbox, running
from worker.sandbox.stores import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; skips where there is none."""
    required()
    with Postgres() as server:
        yield server


@pytest.fixture
def store(request: pytest.FixtureRequest) -> str | None:
    """Where the sandbox of this test keeps everything: memory, or an empty schema in PostgreSQL."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    server: Postgres = request.getfixturevalue("postgres")
    server.empty(SCHEMA)
    return server.uri


@pytest.fixture
def start(store: str | None) -> Start:
    """Starts a sandbox with options, on this test's store unless they name another."""

    def started(**options: Any) -> AbstractContextManager[RunningSandbox]:
        return running(replace(Options(store=store), **options))

    return started


@pytest.fixture
def sandbox(start: Start) -> Iterator[RunningSandbox]:
    """A sandbox with the default options, and nothing in it."""
    with start() as started:
        yield started


@pytest.fixture
def mart(sandbox: RunningSandbox) -> Iterator[Mart]:
    """A client of a data mart with a subscription of every engine."""
    client = Mart(sandbox)
    yield client
    client.close()
