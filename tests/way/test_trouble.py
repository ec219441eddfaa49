"""Trouble that is no record's fault: waited out, with nothing dead-lettered, nothing lost and the group kept."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import httpx
import pytest
from confluent_kafka.admin import AdminClient

from tests.way.events import confluent, custom, event, many
from tests.way.stage import Stage, WorkerProcess, until
from worker.console import UNAVAILABLE

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

COUNT = 3000
PAYLOADS = {"path": "scoring_payloads$"}
POLL_INTERVAL = 6
REASONS = {
    503: ("server-error", {}),
    403: ("forbidden", {"trace": "", "errors": [{"code": "AIQCS0001E", "message": "forbidden"}]}),
    200: ("unexpected-200", {}),
}


def _drained(stage: Stage, worker: WorkerProcess, count: int = COUNT) -> None:
    """All is stored, nothing is dead-lettered, and the worker ends well."""
    until(lambda: stage.sandbox.stats()["distinct"] == count, f"{count} records")
    code, log = worker.stop()
    assert code == 0, log
    assert stage.dead_letters(0, seconds=1) == []


@pytest.mark.kafka
@pytest.mark.parametrize("status", list(REASONS))
def test_trouble_longer_than_the_poll_interval_loses_nothing_and_keeps_the_group(stage: Stage, status: int) -> None:
    """The budget is full within a moment: from then on partitions are paused, and polling goes on."""
    reason, body = REASONS[status]
    stage.settings |= {
        "LIMITS__RECORDS": "600",
        "DELIVERY__RETRY_WAIT_MAX_SECONDS": "1",
        "KAFKA__CONSUMER__SESSION_TIMEOUT_MS": str(POLL_INTERVAL * 1000),
        "KAFKA__CONSUMER__MAX_POLL_INTERVAL_MS": str(POLL_INTERVAL * 1000),
    }
    stage.sandbox.fault({"match": PAYLOADS, "action": {"status": status, "body": body}})
    stage.produce(map(confluent, many(COUNT)))
    with stage.worker() as worker:
        until(lambda: worker.health("/readyz") == (503, {"ready": False, "reason": reason}), f"{reason} at /readyz")
        time.sleep(POLL_INTERVAL + 2)
        assert worker.health("/livez")[0] == httpx.codes.OK
        assert worker.health("/startupz")[0] == httpx.codes.OK
        assert stage.sandbox.stats()["received"] == 0
        assert stage.committed() == 0
        stage.sandbox.heal()
        until(lambda: worker.health("/readyz")[0] == httpx.codes.OK, "readiness")
        assert len(worker.lines("partitions.assigned")) == 1
        _drained(stage, worker)
    assert stage.committed() == COUNT


@pytest.mark.kafka
def test_a_token_that_is_revoked_in_mid_stream_is_replaced_once(stage: Stage) -> None:
    stage.settings["BATCH__RECORDS"] = "20"
    stage.produce(map(confluent, many(COUNT)))
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["received"] > COUNT // 10, "a tenth")
        stage.sandbox.revoke_tokens()
        _drained(stage, worker)


@pytest.mark.kafka
def test_without_a_dead_letter_topic_a_refused_record_is_held_and_goes_there_once_it_exists(
    stage: Stage, broker: Broker
) -> None:
    stage.letters = f"late-{uuid.uuid4().hex[:8]}"
    stage.settings["DELIVERY__RETRY_WAIT_MAX_SECONDS"] = "1"
    stage.produce([confluent(custom()), b"\x07 bad", confluent(custom(start=1))], partition=0)
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["distinct"] == 2, "the neighbours")
        until(lambda: worker.health("/readyz")[1]["reason"] == "dead-letter-topic", "its reason at /readyz")
        until(lambda: stage.committed() == 1, "the commit of what is before it")
        broker.create_topic(stage.letters, 4, {})
        until(lambda: stage.committed() == 3, "the commit of what is behind it")
        (letter,) = stage.dead_letters(1)
        assert letter.value() == b"\x07 bad"
        assert worker.stop()[0] == 0


@pytest.mark.kafka
def test_an_event_of_an_asset_that_is_subscribed_a_moment_later_is_delivered(stage: Stage) -> None:
    body = custom()
    stage.produce([confluent(custom())])
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["distinct"] == 1, "a running worker")
        subscription = stage.subscribe("custom", "newcomer")
        stage.produce([confluent(event("newcomer", body["request"], body["response"]))])
        until(lambda: len(stage.sandbox.records(subscription)) == 1, "the newcomer's record")
        _drained(stage, worker, 2)


@pytest.mark.kafka
def test_a_data_mart_that_is_down_at_the_start_is_waited_for(stage: Stage) -> None:
    stage.sandbox.fault({"match": {"path": "service_bindings"}, "action": {"status": 503}})
    stage.produce([confluent(custom())])
    with stage.worker() as worker:
        until(lambda: bool(worker.lines("directory.stale")), "the complaint")
        assert worker.health("/startupz")[0] == httpx.codes.SERVICE_UNAVAILABLE
        stage.sandbox.heal()
        _drained(stage, worker, 1)


@pytest.mark.kafka
def test_a_topic_made_anew_ends_the_worker_and_the_next_gives_its_records_ids_of_their_own(
    stage: Stage, broker: Broker
) -> None:
    """With the ids of the old topic, the data mart would take the new records for old ones, and keep none."""
    stage.produce(map(confluent, many(100)), partition=0)
    with stage.worker() as worker:
        until(lambda: stage.committed() == 100, "all committed")
        admin = AdminClient({"bootstrap.servers": stage.bootstrap})
        admin.delete_topics([stage.topic])[stage.topic].result()
        until(lambda: stage.topic not in admin.list_topics(timeout=5).topics, "the topic's end")
        broker.create_topic(stage.topic, 4, {})
        stage.produce(map(confluent, many(50)), partition=0)
        until(lambda: worker.process.poll() is not None, "the worker's end")
        assert worker.process.returncode == UNAVAILABLE, worker.log()
        assert "the topic was made anew" in worker.log()
    with stage.worker() as worker:
        _drained(stage, worker, 150)


@pytest.mark.kafka
def test_a_topic_made_anew_that_was_never_read_from_ends_the_worker_too(stage: Stage, broker: Broker) -> None:
    """A worker that was started when all was committed has read nothing that could have gone back."""
    stage.produce(map(confluent, many(100)), partition=0)
    with stage.worker() as worker:
        until(lambda: stage.committed() == 100, "all committed")
        assert worker.stop()[0] == 0
    with stage.worker() as worker:
        until(lambda: bool(worker.lines("partitions.assigned")), "an assignment")
        admin = AdminClient({"bootstrap.servers": stage.bootstrap})
        admin.delete_topics([stage.topic])[stage.topic].result()
        until(lambda: stage.topic not in admin.list_topics(timeout=5).topics, "the topic's end")
        broker.create_topic(stage.topic, 4, {})
        stage.produce(map(confluent, many(50)), partition=0)
        until(lambda: worker.process.poll() is not None, "the worker's end", 90)
        assert worker.process.returncode == UNAVAILABLE, worker.log()
        assert "it was made anew" in worker.log() or "the topic was made anew" in worker.log()
    with stage.worker() as worker:
        _drained(stage, worker, 150)
