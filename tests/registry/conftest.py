"""The registry that these tests share, for the session; those that kill one start their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.registry.apicurio import NEEDS, REQUIRED, Apicurio, missing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def apicurio() -> Iterator[Apicurio]:
    """A real registry; where none can be had the test is skipped, or fails where real parts are required."""
    lack = missing()
    if lack is not None and not REQUIRED:
        pytest.skip(f"{NEEDS} ({lack})")
    with Apicurio() as running:
        yield running
