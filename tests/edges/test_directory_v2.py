"""The directory by the v2 API: the same as by v1, with the data set that the records of each subscription go to."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from tests.edges.peer import answer, peer
from worker.config import Mart
from worker.edges.directory import DirectoryKeeper, fetch_directory
from worker.edges.snapshot import Snapshot
from worker.mart.client import MartClient, MartError, token_source
from worker.mart.token import ReadyToken
from worker.model import Refusal, Target
from worker.sandbox.seed import DATA_MART_ID, seed
from worker.sandbox.serve import running

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from worker.rooms.directory import Directory

BASE = f"/openscale/{DATA_MART_ID}/v2"


def settings(url: str, **more: Any) -> Mart:
    return Mart.model_validate({"api": "v2", "url": url, "data_mart_id": DATA_MART_ID, "token": "t", **more})


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """The URL of a data mart with a subscription of every engine."""
    with running() as started:
        seed(started.url)
        yield started.url


WAYS_IN = ({"api_key": "k"}, {"username": "u", "password": "p"})


@pytest.mark.parametrize("way", WAYS_IN, ids=["iam", "cp4d"])
def test_both_apis_tell_of_the_same_subscriptions(sandbox: str, way: dict[str, str]) -> None:
    found = {}
    for api in ("v1", "v2"):
        mart = settings(sandbox, api=api, **{"token": None, **way})
        with httpx.Client() as tokens:
            client = MartClient(mart, token_source(mart, tokens))
            found[api] = fetch_directory(client, 0)
            assert client.show()
            client.close()
    assert list(found["v1"].bindings) == list(found["v2"].bindings)
    for old, new in zip(found["v1"].known, found["v2"].known, strict=True):
        assert old.data_set_id is None
        assert new.data_set_id
        assert (old.id, old.binding_id, old.asset_id, old.asset_name) == (
            new.id,
            new.binding_id,
            new.asset_id,
            new.asset_name,
        )
        assert (old.deployments, old.features, old.logging_enabled) == (new.deployments, new.features, True)
    assert len(found["v2"].known) == 4


# --- what a data mart may tell ---------------------------------------------------------------------------------------


def provider(**more: Any) -> dict[str, Any]:
    return {"metadata": {"id": "b"}, "entity": {"name": "loans", "service_type": "custom_machine_learning", **more}}


def subscription(own: str = "s", **more: Any) -> dict[str, Any]:
    asset = {"asset_id": f"a-{own}", "name": own}
    deployment = {"deployment_id": "d", "name": "online"}
    entity = {"service_provider_id": "b", "asset": asset, "deployment": deployment, **more}
    return {"metadata": {"id": own}, "entity": entity}


def data_set(own: str = "ds", of: str = "s", state: str | None = "active", **more: Any) -> dict[str, Any]:
    target = {"target_id": of, "target_type": "subscription"}
    return {"metadata": {"id": own}, "entity": {"target": target, "status": {"state": state}, **more}}


def telling(
    *subscriptions: dict[str, Any], data_sets: tuple[Any, ...] = (), providers: tuple[Any, ...] = (provider(),)
) -> tuple[Directory, list[str]]:
    """The directory of a data mart that tells this, and the paths that it was asked."""
    lists = {"service_providers": providers, "subscriptions": subscriptions, "data_sets": data_sets}
    asked: list[str] = []

    def behave(connection: socket.socket) -> None:
        path = other.requests[-1].split(b" ")[1].decode()
        asked.append(path)
        name = path.partition("?")[0].rpartition("/")[2]
        connection.sendall(answer(200, json.dumps({name: lists[name]}).encode(), "Connection: close"))

    with peer(behave) as other:
        client = MartClient(settings(f"http://127.0.0.1:{other.port}"), ReadyToken("t"))
        found = fetch_directory(client, 0)
        client.close()
    return found, asked


def test_three_lists_are_asked_for_however_many_subscriptions_there_are() -> None:
    many = [subscription(f"s-{n}") for n in range(50)]
    found, asked = telling(*many, data_sets=tuple(data_set(f"ds-{n}", f"s-{n}") for n in range(50)))
    assert asked == [f"{BASE}/service_providers", f"{BASE}/subscriptions", f"{BASE}/data_sets?type=payload_logging"]
    target = found.resolve(None, "s-7", None)
    assert isinstance(target, Target)
    assert (target.data_set_id, target.deployment_id) == ("ds-7", "d")


@pytest.mark.parametrize(
    ("data_sets", "told"),
    [
        ((), "it has no payload data set, make it one"),
        ((data_set(state="preparing"),), "its payload data set is preparing, have it active"),
        ((data_set(state="ha ha\n"),), "its payload data set is unknown, have it active"),
        ((data_set(state=None),), "its payload data set is unknown, have it active"),
        ((data_set(of="another"),), "it has no payload data set, make it one"),
        (({"metadata": {}},), "it has no payload data set, make it one"),
    ],
)
def test_without_an_active_data_set_payload_logging_is_off_and_it_is_said_why(data_sets: Any, told: str) -> None:
    found, _ = telling(subscription(), data_sets=data_sets)
    refusal = found.resolve(None, "s", None)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "logging-disabled"
    assert refusal.detail == f"payload logging is off for subscription s: {told}, then redrive"


@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_data_sets_the_active_one_counts(turn: int) -> None:
    found, _ = telling(subscription(), data_sets=(data_set("old", state="error"), data_set("new"))[::turn])
    target = found.resolve(None, "s", None)
    assert isinstance(target, Target)
    assert target.data_set_id == "new"


def test_an_odd_subscription_does_not_hide_the_others() -> None:
    odd: list[Any] = [subscription("x", asset=None), subscription("y", service_provider_id=7), {"entity": {}}, None]
    found, _ = telling(*odd, subscription(), data_sets=(data_set(), None, data_set("y", target=None)))
    assert [each.id for each in found.known] == ["s"]


def test_an_odd_provider_is_an_error_since_all_of_its_subscriptions_would_be_missing() -> None:
    with pytest.raises(MartError, match="a binding has not the documented shape"):
        telling(subscription(), providers=(provider(service_type=None),))


def test_a_subscription_without_a_deployment_has_the_generic_one() -> None:
    found, _ = telling(subscription(deployment=None), data_sets=(data_set(),))
    target = found.resolve(None, "s", None)
    assert isinstance(target, Target)
    assert target.deployment_id == "generic_deployment"


def test_an_engine_by_the_name_that_v2_prefers_is_the_same_engine() -> None:
    found, _ = telling(subscription(), providers=(provider(service_type="azure_machine_learning_studio"),))
    assert [each.engine for each in found.bindings] == ["azure_machine_learning"]


# --- the keeper ------------------------------------------------------------------------------------------------------


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_keeper_knows_the_data_sets_of_the_directory_that_it_hands_out_from_disk_too(
    sandbox: str, tmp_path: Path
) -> None:
    snapshot = Snapshot(tmp_path / "directory.json", "this mart")
    known: dict[str, str | None] = {}
    for url in (sandbox, "http://127.0.0.1:1"):
        mart = settings(url, token=None, api_key=SecretStr("k"))
        with httpx.Client() as tokens:
            client = MartClient(mart, token_source(mart, tokens))
            keeper = DirectoryKeeper(client, 60, time.monotonic, snapshot)
            with pytest.raises(KeyError):
                keeper.data_set("any")
            found = handed_out(keeper)
            client.close()
        known = known or {each.id: each.data_set_id for each in found.known}
        assert {own: keeper.data_set(own) for own in known} == known
        until((tmp_path / "directory.json").exists)


def handed_out(keeper: DirectoryKeeper) -> Directory:
    """What it hands out first."""
    found: list[Directory] = []

    def polled() -> bool:
        came = keeper.poll(wanted=False)
        found.extend([] if came is None else [came])
        return bool(found)

    until(polled)
    return found[0]


def test_an_instance_without_a_data_mart_is_told() -> None:
    def behave(connection: socket.socket) -> None:
        connection.sendall(answer(200, b'{"data_marts":[]}', "Connection: close"))

    with peer(behave) as other:
        client = MartClient(settings(f"http://127.0.0.1:{other.port}"), ReadyToken("t"))
        with pytest.raises(MartError, match="the instance has no data mart"):
            client.show()
        client.close()
