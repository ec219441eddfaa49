"""The directory changes while the worker runs, or is not to be had: what is known now decides, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.way.registry import DOWN, Fetches, added_headers, codes, scored
from tests.way.stage import Stage, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.way.stage import WorkerProcess

QUICK = {"MART__REFRESH_SECONDS": "0.3"}
"""A directory that is fetched all the time: what changes is known at once."""
SLOW = {"MART__REFRESH_SECONDS": "3600"}
"""One that is fetched again only where an event asks for more than it knows."""


def _stored(stage: Stage, subscription: str) -> set[str]:
    return set(stage.sandbox.received(subscription))


def _running(stage: Stage, subscription: str) -> None:
    """The worker has its first directory, and has delivered one event."""
    stage.produce([scored("first")])
    until(lambda: _stored(stage, subscription) == {"first"}, "a running worker")


def _ended(stage: Stage, worker: WorkerProcess, count: int) -> None:
    """All `count` events are settled, and the worker ends well."""
    until(lambda: stage.committed() == count, f"{count} events committed")
    code, log = worker.stop()
    assert code == 0, log


@pytest.mark.kafka
def test_events_that_wait_are_delivered_once_their_asset_is_subscribed(stage: Stage) -> None:
    """While no directory can be fetched they wait, and others go on; the first that knows them delivers them."""
    known = stage.seeded["custom"].subscription_id
    with stage.worker(**SLOW) as worker:
        _running(stage, known)
        stage.sandbox.fault(DOWN)
        stage.produce([scored(f"new {n}", "newcomer") for n in range(20)], partition=0)
        stage.produce([scored(f"old {n}") for n in range(20)], partition=0)
        until(lambda: len(_stored(stage, known)) == 21, "the others behind them")
        assert stage.committed() <= 1
        newcomer = stage.subscribe("custom", "newcomer")
        stage.sandbox.heal()
        until(lambda: _stored(stage, newcomer) == {f"new {n}" for n in range(20)}, "those that waited")
        _ended(stage, worker, 41)
    assert stage.dead_letters(0, seconds=1) == []


@pytest.mark.kafka
@pytest.mark.parametrize("deleted", ["subscription", "binding"])
@pytest.mark.parametrize("known", [True, False], ids=["as-the-directory-knows", "before-the-directory-knows"])
def test_what_is_deleted_meanwhile_gets_its_events_dead_lettered_and_no_others(
    stage: Stage, deleted: str, *, known: bool
) -> None:
    """Whether the directory knows it already, or the data mart is the first to say so."""
    kept, gone = stage.seeded["custom"].subscription_id, stage.seeded["sagemaker"]
    path = f"/{gone.binding_id}" + (f"/subscriptions/{gone.subscription_id}" if deleted == "subscription" else "")
    with stage.worker(**(QUICK if known else SLOW)) as worker:
        _running(stage, kept)
        assert stage.mart("DELETE", path).status_code == httpx.codes.ACCEPTED
        if known:
            until(lambda: worker.metrics().get("directory_subscriptions") == len(stage.seeded) - 1, "the news")
        stage.produce([scored(f"{asset} {n}", asset) for n in range(10) for asset in (gone.asset_id, "action")])
        letters = stage.dead_letters(10)
        until(lambda: len(_stored(stage, kept)) == 11, "the others")
        _ended(stage, worker, 21)
    code = ("unknown-asset", "unknown-asset") if known else ("unknown-subscription", "not-found")
    assert codes(letters) == {code: 10}


@pytest.mark.kafka
def test_payload_logging_is_switched_off_and_on_again_while_the_worker_runs(stage: Stage) -> None:
    custom = stage.seeded["custom"]
    logging = f"/{custom.binding_id}/subscriptions/{custom.subscription_id}/configurations/payload_logging"
    fetches = Fetches(stage.sandbox)
    with stage.worker(**QUICK) as worker:
        _running(stage, custom.subscription_id)
        stage.mart("PUT", logging, json={"enabled": False}).raise_for_status()
        fetches.wait()
        stage.produce([scored(f"off {n}") for n in range(10)])
        letters = stage.dead_letters(10)
        stage.mart("PUT", logging, json={"enabled": True}).raise_for_status()
        fetches.wait()
        stage.produce([scored(f"on {n}") for n in range(10)])
        on = {f"on {n}" for n in range(10)}
        until(lambda: _stored(stage, custom.subscription_id) == {"first"} | on, "what came with logging on")
        _ended(stage, worker, 21)
    assert codes(letters) == {("logging-disabled", "logging-disabled"): 10}


@pytest.mark.kafka
def test_events_wait_while_payload_logging_is_off_and_no_directory_says_otherwise(stage: Stage) -> None:
    """What the directory says is only refused for once a newer one says so too."""
    subscription = stage.subscribe("custom", "quiet", logging=False)
    path = f"/{stage.seeded['custom'].binding_id}/subscriptions/{subscription}/configurations/payload_logging"
    with stage.worker(**SLOW) as worker:
        _running(stage, stage.seeded["custom"].subscription_id)
        stage.sandbox.fault(DOWN)
        stage.produce([scored(f"quiet {n}", "quiet") for n in range(10)])
        until(lambda: worker.metrics().get("records_consumed", 0) == 11, "all of them read")
        stage.mart("PUT", path, json={"enabled": True}).raise_for_status()
        stage.sandbox.heal()
        until(lambda: len(_stored(stage, subscription)) == 10, "those that waited")
        _ended(stage, worker, 11)
    assert stage.dead_letters(0, seconds=1) == []


@pytest.mark.kafka
def test_an_asset_of_two_bindings_is_told_apart_by_its_binding_and_ambiguous_without(stage: Stage) -> None:
    north = stage.seeded["custom"]
    twin = replace(north, binding_id="south-1")
    body = {
        "name": "south",
        "service_type": "custom_machine_learning",
        "instance_id": twin.binding_id,
        "credentials": {"url": f"{stage.sandbox.url}/south"},
    }
    assert stage.mart("POST", "", json=body).status_code == httpx.codes.CREATED
    stage.seeded["south"] = twin
    south = stage.subscribe("south", "action")
    told = {"n by id": north.binding_id, "n by name": "custom", "s by id": twin.binding_id, "s by name": "south"}
    stage.produce([scored(name, binding=binding) for name, binding in told.items()])
    stage.produce([scored(f"either {n}") for n in range(5)])
    with stage.worker() as worker:
        letters = stage.dead_letters(5)
        _ended(stage, worker, 9)
    assert _stored(stage, north.subscription_id) == {"n by id", "n by name"}
    assert _stored(stage, south) == {"s by id", "s by name"}
    assert codes(letters) == {("unknown-asset", "ambiguous-asset"): 5}
    assert all(south.encode() in added_headers(each)["__dlq.errors.message"] for each in letters)


@pytest.mark.kafka
def test_a_worker_with_a_snapshot_starts_and_delivers_while_the_control_plane_is_down(
    stage: Stage, tmp_path: Path
) -> None:
    subscription = stage.seeded["custom"].subscription_id
    stage.settings["MART__SNAPSHOT"] = str(tmp_path / "directory.json")
    with stage.worker() as worker:
        _running(stage, subscription)
        _ended(stage, worker, 1)
    stage.sandbox.fault({"action": {"status": 503}})
    stage.produce([scored(f"late {n}") for n in range(20)])
    with stage.worker() as worker:
        until(lambda: worker.health("/startupz")[0] == httpx.codes.OK, "a start without the data mart")
        assert worker.lines("directory.from_snapshot")
        assert _stored(stage, subscription) == {"first"}
        stage.sandbox.heal()
        stage.sandbox.fault(DOWN)
        until(lambda: len(_stored(stage, subscription)) == 21, "what came while it was down")
        _ended(stage, worker, 21)
    assert stage.dead_letters(0, seconds=1) == []
