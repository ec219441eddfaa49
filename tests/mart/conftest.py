"""A sandbox whose engines have deployed what the examples say, and commands that are run against it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.mart.command import API_KEY, EXAMPLES, SECRETS, Command
from worker.config import PREFIX
from worker.sandbox.options import Options
from worker.sandbox.serve import RunningSandbox, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX) or name in SECRETS]:
        monkeypatch.delenv(name)


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    """A sandbox of its own, with nothing bound, that knows one key."""
    with running(Options(assets=EXAMPLES / "assets.json", api_key=API_KEY)) as started:
        yield started


@pytest.fixture
def mart(sandbox: RunningSandbox) -> Command:
    """Commands for its data mart, which is not there yet."""
    return Command(sandbox.url)


@pytest.fixture
def full(mart: Command) -> Command:
    """A data mart with a binding and a subscription."""
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "custom", "--name", "loans")
    mart.did("subscriptions", "add", "action", "--prediction", "p")
    return mart
