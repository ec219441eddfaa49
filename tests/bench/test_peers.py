"""Whoever is measured does the same work: all store the same records, and commit them after they were stored.

With `BENCH_PEERS=1` only: each peer needs an environment of its own from PyPI, and the reference needs Go.
"""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from bench import events
from bench.contenders import CONTENDERS, WORKER, Task
from bench.endpoint import Manner, Sink, build
from bench.peers.work import scoring_id
from tests.bench.recorder import recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.contenders import Contender
    from bench.events import Kind
    from tests.bench.recorder import Recorder
    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

COUNT: Final = 200
PARTITIONS: Final = 4
SUBSCRIPTIONS: Final = 3
REFUSED: Final = 500
PATIENCE: Final = 90
STOP_SECONDS: Final = 15
GROUPLESS: Final = frozenset({"bytewax"})
"""Who keeps offsets in a store of its own, and commits to no group."""

OTHERS: Final = [contender for contender in CONTENDERS if contender is not WORKER]
KINDS: Final[tuple[Kind, ...]] = ("typed", "body")

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(
        os.environ.get("BENCH_PEERS") != "1", reason="the benchmark's peers are installed for BENCH_PEERS=1 only"
    ),
]

Stored = dict[str, dict[str, Any]]
"""Records by their scoring_id."""


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    binary = build(tmp_path_factory.mktemp("sink"))
    with Sink(binary, Manner(subscriptions=SUBSCRIPTIONS)) as started:
        yield started


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture(scope="module")
def topic(broker: Broker, make_topic: TopicFactory, kind: Kind) -> str:
    name = make_topic(partitions=PARTITIONS, prefix=f"peers-{kind}")
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number, value in enumerate(events.values(kind, COUNT, SUBSCRIPTIONS)):
        producer.produce(name, value, partition=number % PARTITIONS)
    assert producer.flush(30) == 0
    return name


@pytest.fixture(scope="module")
def of_the_worker(broker: Broker, sink: Sink, topic: str) -> Stored:
    return stored_by(WORKER, task(broker, topic), sink)


def task(broker: Broker, topic: str) -> Task:
    return Task(broker.bootstrap, topic, f"peers-{uuid.uuid4().hex[:12]}", "")


@contextmanager
def running(contender: Contender, given: Task, url: str) -> Iterator[subprocess.Popen[bytes]]:
    told = Task(given.bootstrap, given.topic, given.group, url)
    process = subprocess.Popen(contender.command(told), env=dict(contender.environment(told)), stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """In order, so that it leaves its group: the next member waits for one that is killed."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def until_stored(process: subprocess.Popen[bytes], taken: Recorder) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(taken.records) < COUNT:
        assert process.poll() is None, f"ended after {len(taken.records)} records"
        assert time.monotonic() < deadline, f"stored {len(taken.records)} records"
        time.sleep(0.05)


def stored_by(contender: Contender, given: Task, sink: Sink) -> Stored:
    with recorder(sink.url) as taken, running(contender, given, taken.url) as process:
        until_stored(process, taken)
        return {record["scoring_id"]: record for record in taken.records}


def committed(given: Task) -> int:
    """How many events of the topic the group has behind it."""
    consumer = Consumer({"bootstrap.servers": given.bootstrap, "group.id": given.group, "log_level": 0})
    places = [TopicPartition(given.topic, partition) for partition in range(PARTITIONS)]
    found = sum(max(0, place.offset) for place in consumer.committed(places, timeout=30))
    consumer.close()
    return found


def without_ids(stored: Stored) -> list[dict[str, Any]]:
    """The records by their times, which no two share."""
    rest = [{name: value for name, value in record.items() if name != "scoring_id"} for record in stored.values()]
    return sorted(rest, key=lambda record: str(record["scoring_timestamp"]))


@pytest.mark.parametrize("contender", OTHERS, ids=lambda contender: contender.name)
def test_each_contender_stores_the_records_that_the_worker_stores(
    contender: Contender, broker: Broker, sink: Sink, topic: str, of_the_worker: Stored
) -> None:
    contender.prepare()
    stored = stored_by(contender, task(broker, topic), sink)
    assert len(of_the_worker) == COUNT
    assert without_ids(stored) == without_ids(of_the_worker)
    places = [(number % PARTITIONS, number // PARTITIONS) for number in range(COUNT)]
    assert stored.keys() == {scoring_id(topic, partition, offset) for partition, offset in places}
    assert {uuid.UUID(each).version for each in (*stored, *of_the_worker)} == {5}


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.name)
def test_each_contender_commits_what_was_stored_and_nothing_of_what_was_refused(
    contender: Contender, broker: Broker, sink: Sink, topic: str
) -> None:
    if contender.name in GROUPLESS:
        pytest.skip("its offsets are in a store of its own")
    contender.prepare()
    given = task(broker, topic)
    with recorder(sink.url, REFUSED) as refusing, running(contender, given, refusing.url) as process:
        await_refusal(process, refusing)
    assert committed(given) == 0
    with recorder(sink.url) as taken, running(contender, given, taken.url) as process:
        until_stored(process, taken)
        deadline = time.monotonic() + PATIENCE
        while committed(given) < COUNT:
            assert process.poll() is None
            assert time.monotonic() < deadline, f"committed {committed(given)} events"
            time.sleep(0.2)


def await_refusal(process: subprocess.Popen[bytes], refusing: Recorder) -> None:
    """Until it ended for a refused post, or has seen two."""
    deadline = time.monotonic() + PATIENCE
    while refusing.refused < 2 and process.poll() is None:
        assert time.monotonic() < deadline, f"{refusing.refused} posts were refused"
        time.sleep(0.05)
    assert refusing.refused, "it ended before it had posted"


def test_a_scoring_id_is_the_version_5_uuid_of_the_events_place() -> None:
    name = uuid.uuid5(uuid.NAMESPACE_URL, "naive")
    assert scoring_id("some-topic", 3, 12_345) == str(uuid.uuid5(name, "some-topic/3/12345"))
