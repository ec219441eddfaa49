"""What no other test has caught: each of these was written for a defect that survived."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from confluent_kafka import KafkaError, TopicPartition

from tests.way.events import confluent, custom, many
from tests.way.stage import Stage, WorkerProcess, until
from worker.edges.claims import Claims
from worker.edges.commits import Commits
from worker.edges.failures import Failures

COUNT = 200
HANG = {"match": {"path": "scoring_payloads"}, "action": {"hang_ms": 20_000}}


@pytest.mark.kafka
def test_what_is_open_when_the_drain_ends_is_told_by_the_exit_code(stage: Stage) -> None:
    stage.settings["DELIVERY__DRAIN_SECONDS"] = "1"
    stage.sandbox.fault(HANG)
    stage.produce([confluent(custom())])
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["faults"] != {}, "a post that hangs")
        code, log = worker.stop()
    assert code == os.EX_TEMPFAIL, log
    assert stage.committed() == 0


@pytest.mark.kafka
def test_rows_that_wait_when_their_partition_goes_are_the_next_owners_alone(stage: Stage) -> None:
    """They wait in a lane that lingers for long; the old owner would still post them, and so does the new one."""
    stage.settings |= {
        "BATCH__LINGER_MS": "15000",
        "KAFKA__CONSUMER__PARTITION_ASSIGNMENT_STRATEGY": "range",
        "KAFKA__CONSUMER__HEARTBEAT_INTERVAL_MS": "500",
    }
    stage.produce(map(confluent, many(COUNT)))
    with stage.worker() as first:
        until(lambda: _in_flight(first) == COUNT, "all read")
        with stage.worker() as second:
            until(lambda: bool(second.lines("partitions.assigned")), "the second worker's partitions")
            assert _distinct(stage) == 0, "they have gone too late to show anything"
            assert first.stop()[0] == 0, first.log()
            until(lambda: _distinct(stage) + _in_flight(second) == COUNT, "the rest read")
            assert second.stop()[0] == 0, second.log()
    received = stage.sandbox.received(stage.seeded["custom"].subscription_id)
    assert Counter(times for times, _ in received.values()) == {1: COUNT}


def _distinct(stage: Stage) -> int:
    return int(stage.sandbox.stats()["distinct"])


def _in_flight(worker: WorkerProcess) -> int:
    return int(worker.metrics().get("records_in_flight", 0))


def test_a_commit_that_the_broker_refused_is_offered_again() -> None:
    claims = Claims()
    (claim,) = claims.take([TopicPartition("t", 0)])
    commits = Commits(claims, Failures(), lambda _claim, _mark: "")
    commits.answered(KafkaError(KafkaError.REBALANCE_IN_PROGRESS), [TopicPartition("t", 0, 5)])
    assert commits.any_failed
    assert commits.failed() == [claim]
    assert commits.failed() == []
