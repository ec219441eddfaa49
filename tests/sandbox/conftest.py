"""A sandbox of its own for every test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.mart import Mart
from worker.sandbox.serve import RunningSandbox, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    """A sandbox with the default options, and nothing in it."""
    with running() as started:
        yield started


@pytest.fixture
def mart(sandbox: RunningSandbox) -> Iterator[Mart]:
    """A client of a data mart with a subscription of every engine."""
    client = Mart(sandbox)
    yield client
    client.close()
