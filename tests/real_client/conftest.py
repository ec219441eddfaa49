"""IBM's client in its own environment, sandboxes for it, and what became of every flow.

All that it drives, it drives on a sandbox that keeps everything in SQLite and on one that uses PostgreSQL: data marts
are set up there with its credentials, and what needs no database of its own is kept there too.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import pytest

from tests.real_client import install
from tests.real_client.driver import Drivers, Steps
from tests.real_client.engines import CUSTOM, ENGINES
from tests.real_client.flows import API_KEY, FLOWS, Flow, plan
from tests.sandbox.database import Postgres, required
from tests.sandbox.engine import engine
from worker.sandbox.options import Options
from worker.sandbox.serve import RunningSandbox, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REQUIRED: Final = os.environ.get("REQUIRE_REAL_CLIENT") == "1"
AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A sandbox, and the URI of the PostgreSQL that its data marts are set up with, if they are."""

    sandbox: RunningSandbox
    uri: str | None


class Places:
    """The sandboxes of the session, each started when it is first asked for."""

    def __init__(self) -> None:
        self._all = ExitStack()
        self._started: dict[str, Place] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._all.close()

    def at(self, store: str) -> Place:
        """The sandbox on `sqlite` or `postgresql`; skips where there is no PostgreSQL."""
        if store not in self._started:
            uri = self._postgres() if store == "postgresql" else None
            options = Options(store=uri, databases="given" if uri else "own", api_key=API_KEY, store_delay_ms=200)
            place = Place(self._all.enter_context(running(options)), uri)
            for told in ENGINES:
                if told is not CUSTOM:
                    place.sandbox.tell_assets({"engine": told.tell, "resources": [told.resource]})
            self._started[store] = place
        return self._started[store]

    def _postgres(self) -> str:
        required()
        return self._all.enter_context(Postgres()).uri


@pytest.fixture(scope="session")
def drive() -> Iterator[Drivers]:
    """Carries out plans with IBM's client (see `drive.py`)."""
    with Drivers(python_of(install.V1), AT_ONCE) as drivers:
        yield drivers


@pytest.fixture(scope="session")
def drive_v2() -> Iterator[Drivers]:
    """Carries out plans with the SDK of v2 (see `drive_v2.py`)."""
    with Drivers(python_of(install.V2), AT_ONCE) as drivers:
        yield drivers


def python_of(client: install.Client) -> Path:
    """The Python that has a client; skips, or fails where it must be had, where it cannot be."""
    try:
        return install.make(client)
    except install.InstallError as error:
        if REQUIRED:
            pytest.fail(f"REQUIRE_REAL_CLIENT=1: {error}")
        pytest.skip(f"needs IBM's client: {error}")


@pytest.fixture(scope="session")
def places() -> Iterator[Places]:
    """The sandboxes, which know one key and what Azure and SageMaker have deployed."""
    with Places() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    """What a sandbox keeps its data in, each in turn."""
    return str(request.param)


@pytest.fixture
def sandbox(places: Places, store: str) -> RunningSandbox:
    """The sandbox on that."""
    return places.at(store).sandbox


@pytest.fixture(scope="session")
def custom_engine() -> Iterator[tuple[str, list[str | None]]]:
    """A custom engine that tells of its one deployment: its URL, and the Authorization headers that it got."""
    with engine(200, json.dumps({"count": 1, "resources": [CUSTOM.resource]}).encode()) as started:
        yield started


@pytest.fixture(scope="session")
def driven(
    drive: Drivers, places: Places, custom_engine: tuple[str, list[str | None]]
) -> Callable[[str], dict[str, Steps]]:
    """Every flow's steps on a store, by the flow's name: driven once, some at once, each in a data mart to itself."""
    done: dict[str, dict[str, Steps]] = {}

    def all_of(store: str) -> dict[str, Steps]:
        if store not in done:
            place = places.at(store)
            plans = [plan(flow, place.sandbox.url, custom_engine[0], place.uri) for flow in FLOWS]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                done[store] = dict(zip((flow.name for flow in FLOWS), pool.map(drive, plans), strict=True))
        return done[store]

    return all_of


@pytest.fixture
def all_steps(driven: Callable[[str], dict[str, Steps]], store: str) -> dict[str, Steps]:
    """Every flow's steps, by the flow's name."""
    return driven(store)


@pytest.fixture(params=FLOWS, ids=lambda flow: flow.name)
def flow(request: pytest.FixtureRequest) -> Flow:
    """Each flow in turn."""
    found: Flow = request.param
    return found


@pytest.fixture
def steps(flow: Flow, all_steps: dict[str, Steps]) -> Steps:
    """The steps of the flow."""
    return all_steps[flow.name]
