"""An hour is replayed from real Kafka: nothing changes that is stored, nothing is missed, nobody else is touched."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.replay.conftest import ELEVENTH, TEN, TENTH, TWELFTH, Past, wait_for
from tests.way.events import body, confluent, custom, event
from tests.way.stage import until
from worker.config import Kafka
from worker.edges.stop_note import StopNote
from worker.sandbox.seed import seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.replay.conftest import Command
    from tests.way.stage import Stage

pytestmark = pytest.mark.kafka
HOUR = ("--from", ELEVENTH, "--to", TWELFTH)
OTHER_MART = "00000000-0000-4000-8000-00000000beef"
SMALL = {"BATCH__RECORDS": "10"}
"""Small batches, so that what was stopped has stored some."""


def ages(past: Past) -> list[int]:
    """Which events are stored, by their first cell."""
    records = past.stage.sandbox.records(past.stage.seeded["custom"].subscription_id)
    return sorted(record["request"]["values"][0][0] for record in records)


def stored(past: Past, expected: list[int]) -> None:
    """Exactly these are: the data mart shows a row a moment after it was taken."""
    until(lambda: len(ages(past)) >= len(expected), "the stored rows")
    assert ages(past) == expected


def offsets(stage: Stage, group: str) -> list[int]:
    """A group's committed offsets."""
    consumer = Consumer({"bootstrap.servers": stage.bootstrap, "group.id": group})
    try:
        found = consumer.committed([TopicPartition(stage.topic, number) for number in range(4)], timeout=10)
        return [each.offset for each in found]
    finally:
        consumer.close()


def at(command: Command, log_event: str) -> datetime:
    """When it logged this."""
    line = next(line for line in command.err.splitlines() if f'"event": "{log_event}"' in line)
    return datetime.fromisoformat(line.partition('"timestamp": "')[2].partition('"')[0])


def test_an_hour_is_replayed_and_once_more_changes_nothing_and_only_if_asked(past: Past) -> None:
    subscription = past.stage.seeded["custom"].subscription_id
    found = past.replay(*HOUR)
    assert (found["read"], found["posted"], found["ended"]) == (200, 200, True)
    stored(past, list(range(200, 400)))
    before = past.stage.sandbox.rows(subscription)
    assert past.replay(*HOUR, "--restart")["posted"] == 200
    assert past.stage.sandbox.rows(subscription) == before
    again = past.begin("replay", "--yes", *HOUR)
    assert again.ended() == 0
    assert "nothing to replay: all of it is done" in again.err
    assert {times for times, _ in past.stage.sandbox.received(subscription).values()} == {2}


def test_a_live_group_and_its_worker_are_not_touched(past: Past) -> None:
    with past.stage.worker() as worker:
        until(lambda: past.stage.committed() == 600, "the live group's commits")
        stored(past, list(range(600)))
        before = offsets(past.stage, past.stage.group)
        rows = past.stage.sandbox.rows(past.stage.seeded["custom"].subscription_id)
        assert past.replay("--from", TENTH)["posted"] == 600
        assert offsets(past.stage, past.stage.group) == before
        assert len(worker.lines("partitions.assigned")) == 1
        assert not worker.lines("partitions.revoked")
        assert worker.health("/readyz")[0] == httpx.codes.OK
    assert past.stage.sandbox.rows(past.stage.seeded["custom"].subscription_id) == rows


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_stopped_goes_on_and_nothing_is_missing(past: Past, number: signal.Signals) -> None:
    stopped = past.begin("replay", "--yes", "--json", *HOUR, "--rate", "60", **SMALL)
    wait_for(stopped, "its place is kept in the group ")
    group = stopped.err.partition("its place is kept in the group ")[2].split()[0]
    begins = 4 * 50
    until(lambda: sum(max(0, each) for each in offsets(past.stage, group)) > begins, "a commit of the replay")
    stopped.signal(number)
    code = stopped.ended()
    assert code == (75 if number is signal.SIGTERM else -signal.SIGKILL), stopped.err
    if number is signal.SIGTERM:
        assert "to go on: payload-worker replay --from 2025-11-22T11:00:00.000Z" in stopped.err
    rest = past.begin("replay", "--yes", "--json", *HOUR)
    assert rest.ended() == 0, rest.err
    assert "goes on: " in rest.err
    stored(past, list(range(200, 400)))
    assert 0 < rest.found()["posted"] < 200
    if number is signal.SIGTERM:
        assert rest.found()["posted"] == 200 - stopped.found()["posted"]


def test_another_data_mart_gets_it_all_and_the_first_nothing(past: Past) -> None:
    seed(past.stage.sandbox.url, OTHER_MART)
    assert past.replay(*HOUR, "--into", OTHER_MART)["posted"] == 200
    subscription = past.stage.seeded["custom"].subscription_id

    def records(mart: str) -> int:
        query = {"subscription_id": subscription, "data_mart_id": mart}
        found: dict[str, Any] = httpx.get(f"{past.stage.sandbox.url}/sandbox/received", params=query).json()
        return len(found["ids"])

    until(lambda: records(OTHER_MART) == 200, "the records of the other data mart")
    assert records("00000000-0000-4000-8000-000000000001") == 0


def test_offsets_bound_one_partition_and_a_rate_is_kept(past: Past) -> None:
    bounds = ("--partition", "3", "--offset-from", "10", "--offset-to", "50")
    command = past.begin("replay", "--yes", "--json", *bounds, "--rate", "40")
    assert command.ended() == 0, command.err
    assert (command.found()["read"], command.found()["posted"]) == (40, 40)
    stored(past, list(range(43, 203, 4)))
    took = (at(command, "replay.ended") - at(command, "replay.began")).total_seconds()
    assert took >= (40 - 4) / 40


# --- events of several kinds ------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(stage: Stage, begin: Callable[..., Command]) -> Past:
    """Forty good events of each of two subscriptions, five that cannot be read, and three of an unknown asset."""
    stage.settings["MART__REFRESH_SECONDS"] = "0.5"  # how soon it is asked for what it does not know
    stage.subscribe("azure-studio", "other")
    values = [confluent(custom(start=number)) for number in range(40)]
    values += [confluent(azure(number)) for number in range(40)]
    values += [b"\x00no avro"] * 5 + [confluent(custom(asset="nobody's"))] * 3
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    for number, value in enumerate(values):
        producer.produce(stage.topic, value, partition=number % 4, timestamp=TEN + number)
    assert producer.flush(30) == 0
    return Past(stage, len(values), begin)


def azure(number: int) -> dict[str, Any]:
    """A scoring of Azure ML Studio, for the asset `other`."""
    columns = {"ColumnNames": ["age"], "Values": [[str(number)]]}
    answer = {"Results": {"output1": {"type": "table", "value": {"ColumnNames": ["p"], "Values": [["1"]]}}}}
    request = {"Inputs": {"input1": columns}, "GlobalParameters": {}}
    return event("other", body(request), body(answer))


def test_a_dry_run_counts_what_the_real_run_then_does(mixed: Past) -> None:
    seeded = mixed.stage.seeded["custom"]
    only = ("--from", TENTH, "--subscription", seeded.subscription_id)
    dry = mixed.replay(*only, "--dry-run", code=65)
    assert mixed.stage.sandbox.stats()["posts"] == 0
    real = mixed.replay(*only, code=65)
    same = ("read", "posted", "skipped", "rows", "refused", "ended")
    assert {name: dry[name] for name in same} == {name: real[name] for name in same}
    assert (real["read"], real["posted"], real["skipped"]) == (88, 40, 40)
    assert real["rows"] == {seeded.subscription_id: 40}
    assert sorted(real["refused"].values()) == [3, 5]
    assert all(place.startswith(f"{mixed.stage.topic}[") for place in real["first"].values())
    assert mixed.stage.dead_letters(0) == []


def test_a_binding_is_chosen_and_what_is_refused_dead_lettered_where_that_is_asked_for(mixed: Past) -> None:
    binding = mixed.stage.seeded["azure-studio"].binding_id
    found = mixed.replay("--from", TENTH, "--binding", binding, "--dead-letter")
    assert (found["posted"], found["skipped"]) == (40, 40)
    assert mixed.stage.seeded["custom"].subscription_id not in found["rows"]
    assert sum(found["refused"].values()) == len(mixed.stage.dead_letters(8)) == 8


def test_a_flood_ends_the_replay_and_stops_nobody_else(past: Past) -> None:
    past.stage.produce([b"\x00no avro"] * 40)
    flood = {"FLOOD_GUARD__RECORDS": "10", "FLOOD_GUARD__SHARE": "0.5"}
    command = past.begin("replay", "--yes", "--from", TENTH, **flood)
    assert command.ended() == 65, command.err
    assert "ended by the flood guard: " in command.err
    kafka = Kafka(bootstrap_servers=past.stage.bootstrap, topics=[past.stage.topic], group_id=past.stage.group)
    assert StopNote(kafka, lambda: 0.0).read_now() is None
    assert past.replay("--from", TENTH, code=65)["ended"]
    stored(past, list(range(600)))
