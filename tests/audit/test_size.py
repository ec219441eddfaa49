"""An audit of millions of events fits: `AUDIT_EVENTS=5000000` audits so many, else a few, in under 200 MB.

AUDIT_EVENTS=5000000 python -m pytest tests/audit/test_size.py -s --timeout 7200 -k many
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, Final

import pytest
from confluent_kafka import Consumer, TopicPartition

from bench.topics import _fill, again_and_again
from tests.audit.many import ASSET, MART, SUBSCRIPTION, Ids, mart
from tests.way.events import confluent, event
from worker.audit.books import EVENT
from worker.audit.buckets import Buckets
from worker.audit.marks import PAGE, Marks
from worker.config import Kafka
from worker.edges.cluster import describe
from worker.rooms.identity import Identity

if TYPE_CHECKING:
    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

COUNT: Final = int(os.environ.get("AUDIT_EVENTS", "20000"))
PARTITIONS: Final = 4
MOST: Final = 200 * 1024 * 1024
GONE: Final = {0, COUNT // 2, COUNT - 7}
SCORED_AT: Final = 1_767_225_600_000_000
"""Microseconds: the time that the data mart tells of all rows."""

AUDIT: Final = """
import sys
from worker.cli import app
try:
    app()
finally:
    print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""


@pytest.mark.kafka
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is told by Linux alone")
def test_an_audit_of_many_events_names_the_missing_in_little_memory(broker: Broker, make_topic: TopicFactory) -> None:
    topic, letters = make_topic(PARTITIONS, prefix="many"), make_topic(1, prefix="letters")
    table = {"fields": ["age"], "values": [[1]], "meta": None}
    value = confluent(event(ASSET, table, table, scored_at=SCORED_AT))
    _fill(broker.bootstrap, topic, again_and_again([value], COUNT))
    commit(broker, topic)
    cluster = describe(Kafka(bootstrap_servers=broker.bootstrap), [topic])
    ids = Ids(Identity(cluster.id, cluster.topic_ids), topic, COUNT, PARTITIONS, GONE)
    with mart(ids) as url:
        begun = time.monotonic()
        done = audited(broker, topic, letters, url)
        seconds = time.monotonic() - begun
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert (found["produced"], found["held"], found["missing"]) == (COUNT, COUNT - len(GONE), len(GONE))
    named = {each["offset_from"] * PARTITIONS + each["partition"] for each in found["not_held"]}
    assert named == GONE
    peak = int(done.stderr.split()[-2]) * 1024
    print(f"\n{COUNT} events audited in {seconds:.0f} s, peak {peak / 2**20:.0f} MiB")  # noqa: T201 - for who runs it
    assert peak < MOST


def commit(broker: Broker, topic: str) -> None:
    """Commit the end of each partition for the group, as if a worker had."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": f"group-{topic}"})
    ends = [TopicPartition(topic, number, len(range(number, COUNT, PARTITIONS))) for number in range(PARTITIONS)]
    consumer.commit(offsets=ends, asynchronous=False)
    consumer.close()


def audited(broker: Broker, topic: str, letters: str, url: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap,
        "KAFKA__TOPICS": json.dumps([topic]),
        "KAFKA__GROUP_ID": f"group-{topic}",
        "DEAD_LETTER__TOPIC": letters,
        "MART__URL": url,
        "MART__DATA_MART_ID": MART,
        "MART__TOKEN": "any",
    }
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PAYLOAD_WORKER_")}
    environment = kept | {f"PAYLOAD_WORKER_{name}": text for name, text in settings.items()}
    words = ["audit", "--from", "2000-01-01T00:00:00Z", "--wait", "0", "--json", "--subscription", SUBSCRIPTION]
    line = [sys.executable, "-c", AUDIT, *words]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False)


def test_what_lies_on_disk_takes_no_more_memory_however_much_it_is() -> None:
    count, step = 400_000, (1 << 64) // 400_000
    tracemalloc.start()
    with Buckets(EVENT) as buckets:
        for number in range(count):
            buckets.add(number * step, 1, 0, number)
        written = tracemalloc.get_traced_memory()[1]
        assert sum(1 for number in range(256) for _ in buckets.bucket(number)) == count
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert written < (5 << 20)  # the buffers: 256 of 16 KiB; the records have 8 MB
    assert peak < written + (1 << 20)


def test_marks_of_offsets_in_a_row_take_a_byte_each() -> None:
    marks = Marks()
    for offset in range(100_000):
        marks[offset] = 1
    assert marks.size < 100_000 + PAGE
