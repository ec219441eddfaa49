"""How many events each language sends: 200, or what `--events` says (`make examples ARGS="--events 10000"`)."""

from __future__ import annotations

import pytest

from tests.conftest import REQUIRED
from tests.producers.languages import LANGUAGES, BuildError, Language
from tests.way.conftest import stage

__all__ = ["stage"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--events`; it is known where this directory is named on the command line."""
    parser.addoption("--events", type=int, default=200, help="how many events each example producer sends")


@pytest.fixture
def events(pytestconfig: pytest.Config) -> int:
    """How many simple events to send."""
    return int(pytestconfig.getoption("--events", default=200))


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    """Each language, built; skipped where its toolchain is not here, or cannot fetch what it needs.

    Where a real broker is required, as in CI, a build that fails is a failure.
    """
    found = LANGUAGES[request.param]
    if (lack := found.lacks()) is not None:
        pytest.skip(lack)
    try:
        found.make()
    except BuildError as error:
        if REQUIRED:
            raise
        pytest.skip(str(error))
    return found
