"""The keeper of the directory: one fetch at a time, stale while the data mart is down, one lookup an interval."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.edges.peer import answer, peer
from worker.config import Mart
from worker.edges.directory import WANTED_INTERVAL, DirectoryKeeper, fetch_directory
from worker.mart.client import MartClient, MartError
from worker.mart.token import FetchedToken, ReadyToken, iam_fetcher
from worker.model import Target
from worker.sandbox.seed import DATA_MART_ID, Seeded, seed
from worker.sandbox.serve import RunningSandbox, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.rooms.directory import Directory

MART = {"path": "^/v1/data_marts"}


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[RunningSandbox, dict[str, Seeded]]]:
    """A sandbox with a subscription of every engine."""
    with running() as started:
        yield started, seed(started.url)


@pytest.fixture
def sandbox(shared: tuple[RunningSandbox, dict[str, Seeded]]) -> Iterator[RunningSandbox]:
    """The same without faults."""
    shared[0].heal()
    yield shared[0]
    shared[0].heal()


@pytest.fixture
def client(sandbox: RunningSandbox) -> Iterator[MartClient]:
    """A client with a token of the sandbox."""
    settings = Mart.model_validate(
        {"url": sandbox.url, "data_mart_id": DATA_MART_ID, "api_key": "k", "timeout_seconds": 5}
    )
    with httpx.Client() as http:
        made = MartClient(settings, FetchedToken(iam_fetcher(http, sandbox.url, "k")))
        yield made
        made.close()


def polled(keeper: DirectoryKeeper, *, wanted: bool = False, seconds: float = 10) -> Directory | None:
    """Poll until what is being fetched has come in."""
    before, deadline = keeper.fetches, time.monotonic() + seconds
    found = keeper.poll(wanted=wanted)
    while found is None and keeper.fetches > before - 1 and time.monotonic() < deadline:
        time.sleep(0.01)
        found = keeper.poll(wanted=False)
        if keeper.error:
            return None
    return found


def test_every_engines_subscription_is_found_with_its_ids_and_features(
    client: MartClient, shared: tuple[RunningSandbox, dict[str, Seeded]]
) -> None:
    directory = fetch_directory(client, 5.0)
    assert (directory.begun, directory.subscriptions) == (5.0, 4)
    for engine, each in shared[1].items():
        for asset in (each.subscription_id, each.asset_id):
            target = directory.resolve(engine, asset, None)
            assert isinstance(target, Target)
            found = (target.binding_id, target.subscription_id, target.deployment_id, target.features)
            assert found == (each.binding_id, each.subscription_id, each.deployment_id, each.features)


def test_a_snapshot_is_handed_out_once_and_fetched_again_after_the_interval(client: MartClient) -> None:
    clock = Clock()
    keeper = DirectoryKeeper(client, 60, clock)
    first = polled(keeper)
    assert first is not None
    assert first.begun == 1000.0
    clock.now += 59.9
    assert keeper.poll(wanted=False) is None
    assert keeper.fetches == 1
    clock.now += 0.1
    second = polled(keeper)
    assert second is not None
    assert (second.begun, keeper.fetches) == (1060.0, 2)


def test_a_storm_of_unknown_assets_costs_one_fetch_an_interval(client: MartClient) -> None:
    clock = Clock()
    keeper = DirectoryKeeper(client, 60, clock)
    polled(keeper)
    for _ in range(500):
        keeper.poll(wanted=True)
    assert keeper.fetches == 1
    clock.now += WANTED_INTERVAL
    for _ in range(500):
        keeper.poll(wanted=True)
    assert keeper.fetches == 2


def test_a_fetch_that_hangs_is_the_only_one(client: MartClient, sandbox: RunningSandbox) -> None:
    sandbox.fault({"match": MART, "action": {"delay_ms": 400}, "times": 1})
    clock = Clock()
    keeper = DirectoryKeeper(client, 1, clock)
    for _ in range(5):
        assert keeper.poll(wanted=True) is None
        clock.now += 100
    assert keeper.fetches == 1
    assert polled(keeper) is not None


@pytest.mark.parametrize(
    "action",
    [
        {"status": 500},
        {"status": 429},
        {"status": 401},
        {"status": 403},
        {"status": 404},
        {"status": 200, "body": "<html>log in</html>"},
        {"status": 200, "body": []},
        {"status": 200, "body": {"service_bindings": 5}},
        {"status": 200, "body": {"service_bindings": [{}]}},
        {"status": 200, "body": {"service_bindings": [5]}},
        {"status": 200, "body": "[" * 100_000},
        {"reset": "before"},
    ],
    ids=lambda action: str(action)[:40],
)
def test_what_goes_wrong_is_said_and_tried_again_sooner(
    client: MartClient, sandbox: RunningSandbox, action: dict[str, Any]
) -> None:
    clock = Clock()
    keeper = DirectoryKeeper(client, 60, clock)
    sandbox.fault({"match": MART, "action": action})
    assert polled(keeper) is None
    assert keeper.error
    assert "Bearer" not in keeper.error
    sandbox.heal()
    clock.now += WANTED_INTERVAL
    assert polled(keeper) is not None or keeper.poll(wanted=False) is not None or _later(keeper)
    assert keeper.error is None


def _later(keeper: DirectoryKeeper) -> Directory | None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if (found := keeper.poll(wanted=False)) is not None:
            return found
        time.sleep(0.01)
    return None


def test_an_error_names_what_was_asked_and_no_token() -> None:
    settings = {"url": "http://127.0.0.1:1", "data_mart_id": "dm", "token": "s3cret", "timeout_seconds": 1}
    mart = MartClient(Mart.model_validate(settings), ReadyToken("s3cret"))
    with pytest.raises(
        MartError, match=r"GET http://127\.0\.0\.1:1/v1/data_marts/dm/service_bindings: no answer"
    ) as caught:
        mart.bindings()
    mart.close()
    assert "s3cret" not in str(caught.value)


def subscription(name: str, **entity: Any) -> dict[str, Any]:
    asset = {"asset": {"asset_id": name, "name": name}}
    return {"metadata": {"guid": name}, "entity": {**asset, **entity}}


def told(*subscriptions: Any) -> Directory:
    """The directory that a data mart with these subscriptions in one binding gives."""
    binding = {"metadata": {"guid": "b"}, "entity": {"name": "n", "service_type": "custom_machine_learning"}}
    answers = iter([{"service_bindings": [binding]}, {"subscriptions": list(subscriptions)}])
    with peer(
        lambda connection: connection.sendall(answer(200, json.dumps(next(answers)).encode(), "Connection: close"))
    ) as other:
        settings = {"url": f"http://127.0.0.1:{other.port}", "data_mart_id": "dm", "token": "t", "timeout_seconds": 5}
        client = MartClient(Mart.model_validate(settings), ReadyToken("t"))
        try:
            return fetch_directory(client, 0)
        finally:
            client.close()


@pytest.mark.parametrize(
    ("entity", "features", "deployment"),
    [
        ({}, (), "generic_deployment"),
        ({"deployments": None, "asset_properties": None, "configurations": None}, (), "generic_deployment"),
        ({"deployments": [{"deployment_id": "d"}]}, (), "d"),
        ({"asset_properties": {"feature_fields": ["y", "x"]}}, ("y", "x"), "generic_deployment"),
        (
            {"asset_properties": {"feature_fields": [], "input_data_schema": {"fields": [{"name": "z"}]}}},
            ("z",),
            "generic_deployment",
        ),
        ({"asset_properties": {"input_data_schema": None}}, (), "generic_deployment"),
        ({"configurations": [{"type": "payload_logging", "enabled": True}]}, (), "generic_deployment"),
        ({"configurations": [{"type": "quality", "enabled": False}]}, (), "generic_deployment"),
    ],
)
def test_what_a_subscription_leaves_out_is_left_out(
    entity: dict[str, Any], features: tuple[str, ...], deployment: str
) -> None:
    target = told(subscription("s", **entity)).resolve(None, "s", None)
    assert target == Target("b", "s", deployment, "custom_machine_learning", features)


def test_logging_that_is_off_is_seen() -> None:
    found = told(subscription("s", configurations=[{"type": "payload_logging", "enabled": False}]))
    assert getattr(found.resolve(None, "s", None), "code", None) == "logging-disabled"


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"metadata": {"guid": "x"}, "entity": {}},
        subscription("x", deployments=[{}]),
        {"metadata": {"guid": ["x"]}, "entity": {"asset": {"asset_id": [], "name": {}}}},
        {"metadata": {"guid": "x"}, "entity": {"asset": {"asset_id": "x", "name": ["x"]}}},
    ],
)
def test_a_subscription_of_an_odd_shape_does_not_hide_the_others(odd: Any) -> None:
    """One that somebody adds by hand stops every worker that starts after it."""
    assert isinstance(told(odd, subscription("s")).resolve(None, "s", None), Target)
