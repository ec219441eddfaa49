"""The keeper of the directory: one fetch at a time, stale while the data mart is down, one lookup an interval."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.edges.peer import answer, peer
from worker.config import Mart
from worker.edges.directory import WANTED_INTERVAL, DirectoryKeeper, fetch_directory
from worker.edges.snapshot import Snapshot, SnapshotError
from worker.mart.client import MartClient, MartError
from worker.mart.token import FetchedToken, ReadyToken, iam_fetcher
from worker.model import Target
from worker.rooms.directory import Binding, Deployment, Directory, Subscription
from worker.sandbox.seed import DATA_MART_ID, Seeded, seed
from worker.sandbox.serve import RunningSandbox, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


# --- on disk ----------------------------------------------------------------------------------------------------------


def test_a_worker_that_starts_while_the_mart_is_down_has_the_directory_of_the_last_one(
    client: MartClient, sandbox: RunningSandbox, shared: tuple[RunningSandbox, dict[str, Seeded]], tmp_path: Path
) -> None:
    first = DirectoryKeeper(client, 60, Clock(), Snapshot(tmp_path / "directory.json", "m"))
    fetched = polled(first)
    assert fetched is not None
    until_there(tmp_path / "directory.json")
    sandbox.fault({"match": MART, "action": {"status": 503}})
    second = DirectoryKeeper(client, 60, Clock(), Snapshot(tmp_path / "directory.json", "m"))
    found = second.poll(wanted=False)
    deadline = time.monotonic() + 10
    while found is None and time.monotonic() < deadline:
        time.sleep(0.01)
        found = second.poll(wanted=False)
    assert found is not None
    assert second.error
    assert found.begun == float("-inf"), "what it does not know is not rejected for it"
    for engine, each in shared[1].items():
        assert found.resolve(engine, each.asset_id, None) == fetched.resolve(engine, each.asset_id, None)


def test_a_snapshot_is_not_used_once_a_directory_was_fetched(
    client: MartClient, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    clock = Clock()
    keeper = DirectoryKeeper(client, 60, clock, Snapshot(tmp_path / "directory.json", "m"))
    assert polled(keeper) is not None
    sandbox.fault({"match": MART, "action": {"status": 503}})
    clock.now += 60
    assert polled(keeper) is None
    assert keeper.error


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "not a snapshot"),
        (b"[]", "not a snapshot"),
        (b'{"version": 1, "mart": "m", "bindings": [{"id": 1}], "subscriptions": []}', "not a snapshot"),
        (b'{"version": 2, "mart": "m"}', "another release"),
        (b'{"version": 1, "mart": "other", "bindings": [], "subscriptions": []}', "another data mart"),
    ],
)
def test_a_file_that_is_no_snapshot_of_this_mart_is_named_and_not_used(
    tmp_path: Path, text: bytes, complaint: str
) -> None:
    path = tmp_path / "directory.json"
    path.write_bytes(text)
    with pytest.raises(SnapshotError, match=complaint) as caught:
        Snapshot(path, "m").load(0)
    assert str(path) in str(caught.value)


def test_a_snapshot_that_cannot_be_written_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"missing/directory\.json: .*; check mart\.snapshot"):
        Snapshot(tmp_path / "missing" / "directory.json", "m").save(Directory([], [], 0))


def test_without_a_file_there_is_no_snapshot(tmp_path: Path) -> None:
    assert Snapshot(tmp_path / "directory.json", "m").load(0) is None


def test_ten_thousand_subscriptions_take_less_than_fifty_megabytes_and_come_back_equal_from_disk(
    tmp_path: Path,
) -> None:
    tracemalloc.start()
    try:
        features = [f"feature_{number}" for number in range(14)]
        directory = Directory(
            [Binding(f"b-{number}", f"binding {number}", "custom_machine_learning") for number in range(10)],
            [_many(number, features) for number in range(10_000)],
            0,
        )
        for number in range(10_000):
            assert isinstance(directory.resolve(None, f"asset-{number}", None), Target)
        assert tracemalloc.get_traced_memory()[0] < 50_000_000
    finally:
        tracemalloc.stop()
    snapshot = Snapshot(tmp_path / "directory.json", "m")
    snapshot.save(directory)
    found = snapshot.load(0)
    assert found is not None
    assert found.known == directory.known
    assert list(found.bindings) == list(directory.bindings)


def _many(number: int, features: list[str]) -> Subscription:
    """As it would be fetched: no text is shared with another's."""
    return Subscription(
        f"subscription-{number:032}",
        f"b-{number % 10}",
        f"asset-{number}",
        f"name of asset {number}",
        (Deployment(f"deployment-{number:032}", f"name {number}"),),
        tuple("".join(list(name)) for name in features),
        logging_enabled=True,
    )


def until_there(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
