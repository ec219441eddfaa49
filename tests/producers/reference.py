"""What the example producers must have sent, by other means than theirs: the cases and Python's own json and fastavro.

Values are compared as text (`exactly`): 1, 1.0 and true are equal to Python, and 0.0 and -0.0, but not to a data mart;
`repr`, which json writes doubles by, tells each double from its neighbours.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import fastavro
from confluent_kafka import Consumer, TopicPartition

from tests.producers.languages import HOME
from tests.way.events import CONFLUENT, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES: Final[list[dict[str, Any]]] = json.loads((HOME / "cases.json").read_text("utf-8"))
KINDS: Final = ("table", "body")
SIDES: Final = ("request", "response")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def exactly(value: Any) -> str:
    """A value as text in which nothing is lost; the order of an object's keys is none of its value."""
    return json.dumps(value, sort_keys=True)


def expected(language: str, events: int) -> dict[str, dict[str, Any]]:
    """What each scoring id must bring: `request`, `response` and, for the cases, all that stands beside them."""
    cases = {f"{language}-{kind}-{case['name']}": case for case in CASES for kind in KINDS}
    return cases | {f"{language}-{number}": simple(number) for number in range(events)}


def simple(number: int) -> dict[str, Any]:
    """The scoring that every language fakes for a number."""
    probability = (number % 100 + 0.5) / 101
    answer = ["yes" if probability > 0.5 else "no", [1 - probability, probability]]
    request = [number, number + 0.1, 52000, "retail"]
    return {
        "request": {"fields": ["age", "hours", "income", "sector"], "values": [request]},
        "response": {"fields": ["prediction", "probability"], "values": [answer]},
    }


def on_topic(bootstrap: str, topic: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Key, partition and event, by fastavro, of all records of a topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reference", "enable.partition.eof": True})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        ended = 0
        while ended < len(partitions):
            for message in consumer.consume(1000, 1):
                if message.error() is not None:
                    ended += 1
                    continue
                partition = message.partition()
                assert partition is not None
                yield (message.key() or b"").decode(), partition, decoded(message.value() or b"")
    finally:
        consumer.close()


def decoded(value: bytes) -> dict[str, Any]:
    """An event in Confluent's framing; every byte is used, and named types stand beside their values."""
    assert value.startswith(CONFLUENT)
    stream = io.BytesIO(value[len(CONFLUENT) :])
    event = fastavro.schemaless_reader(stream, SCHEMA, None, return_record_name=True)
    assert isinstance(event, dict)
    assert stream.read() == b""
    return event


def table_of(side: Any) -> dict[str, Any]:
    """The rows of one side of an event as a case writes them; JSON is read where it is a `Body`."""
    if isinstance(side, tuple):
        side = side[1]
    if "data" in side:
        assert side["content_type"] == "application/json"
        found: dict[str, Any] = json.loads(side["data"])
        return found
    meta = side["meta"][1] if isinstance(side["meta"], tuple) else side["meta"]
    table = {"fields": side["fields"] or None, "values": side["values"], "meta": meta}
    return {name: value for name, value in table.items() if value is not None}


def micros(time: datetime | None) -> int | None:
    """A time that fastavro has read, as it was written."""
    return None if time is None else (time - EPOCH) // timedelta(microseconds=1)


def moment(micros: int) -> str:
    """The time of a scoring as it is posted."""
    return f"{EPOCH + timedelta(microseconds=micros):%Y-%m-%dT%H:%M:%S.%f}Z".zfill(27)


def murmur2(key: bytes) -> int:
    """The hash by which Kafka's own client assigns a key, made positive."""
    mixed, shift, mask = 0x5BD1E995, 24, 0xFFFFFFFF
    found = (0x9747B28C ^ len(key)) & mask
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        part = int.from_bytes(key[at : at + 4], "little") * mixed & mask
        part = (part ^ part >> shift) * mixed & mask
        found = found * mixed & mask ^ part
    if rest := key[whole:]:
        found = (found ^ int.from_bytes(rest, "little")) * mixed & mask
    found = (found ^ found >> 13) * mixed & mask
    return (found ^ found >> 15) & 0x7FFFFFFF
