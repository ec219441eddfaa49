"""Stopped in the middle, by request or by force: nothing missing; by request, nothing twice."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from tests.kafka.broker import ApacheKafka
from tests.way.events import confluent, custom
from tests.way.stage import Stage, until
from worker.sandbox.seed import seed
from worker.sandbox.serve import running

COUNT = 50_000


def _fill(stage: Stage) -> None:
    """Events whose scoring ids are derived: only their places in Kafka tell them apart."""
    value = confluent(custom())
    stage.produce(value for _ in range(COUNT))


def _received(stage: Stage) -> Counter[int]:
    """How many scoring ids were received how often; the store would hide a repetition."""
    received = stage.sandbox.received(stage.seeded["custom"].subscription_id)
    return Counter(times for times, _ in received.values())


@pytest.mark.kafka
def test_after_sigterm_and_a_restart_nothing_is_missing_and_nothing_came_twice(stage: Stage) -> None:
    _fill(stage)
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["received"] > COUNT // 10, "a tenth of the records")
        code, log = worker.stop(25)
    assert code == 0, log
    before = stage.sandbox.stats()["received"]
    assert 0 < before < COUNT
    assert stage.committed() == before
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["received"] >= COUNT, "all records")
        code, log = worker.stop(25)
    assert code == 0, log
    assert _received(stage) == {1: COUNT}
    assert stage.committed() == COUNT


@pytest.mark.kafka
def test_after_kill_9_and_a_restart_nothing_is_missing(stage: Stage) -> None:
    stage.settings["KAFKA__CONSUMER__SESSION_TIMEOUT_MS"] = "6000"
    _fill(stage)
    with stage.worker() as worker:
        until(lambda: stage.committed() > COUNT // 10, "a tenth committed")
        worker.signal(signal.SIGKILL)
        worker.process.wait(10)
    assert stage.sandbox.stats()["distinct"] < COUNT
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["distinct"] >= COUNT and stage.committed() == COUNT, "all records", 90)
        code, log = worker.stop(25)
    assert code == 0, log
    assert _received(stage).total() == COUNT


@pytest.mark.kafka
def test_a_second_signal_stops_at_once_and_says_so_by_its_exit_code(stage: Stage) -> None:
    stage.sandbox.fault({"match": {"path": "scoring_payloads"}, "action": {"hang_ms": 60_000}})
    stage.produce([confluent(custom())])
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["faults"] != {}, "a post that hangs")
        worker.signal(signal.SIGTERM)
        until(lambda: bool(worker.lines("drain.began")), "the drain")
        code, log = worker.stop(20)  # less than the drain budget
    assert code == 128 + signal.SIGTERM, log
    assert stage.committed() == 0


@pytest.mark.kafka
def test_a_second_signal_stops_at_once_though_the_broker_is_silent() -> None:
    with ApacheKafka(heap="384m") as broker, running() as sandbox:
        for topic in ("events", "letters"):
            broker.create_topic(topic, 4, {})
        stage = Stage(broker.bootstrap, "events", "letters", "group", sandbox, seed(sandbox.url))
        sandbox.fault({"match": {"path": "scoring_payloads"}, "action": {"hang_ms": 60_000}})
        stage.produce([confluent(custom())])
        with stage.worker() as worker:
            until(lambda: sandbox.stats()["faults"] != {}, "a post that hangs")
            assert broker.pid is not None
            os.kill(broker.pid, signal.SIGSTOP)
            try:
                worker.signal(signal.SIGTERM)
                until(lambda: bool(worker.lines("drain.began")), "the drain")
                code, log = worker.stop(20)  # librdkafka's own end would wait a minute for the broker
            finally:
                os.kill(broker.pid, signal.SIGCONT)
    assert code == 128 + signal.SIGTERM, log
