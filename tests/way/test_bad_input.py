"""Every kind of bad input is dead-lettered as it came, with its reason, and its neighbours are stored."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from tests.way.events import CONFLUENT, avro, body, confluent, custom, event
from tests.way.raw_headers import produce, shipped_library
from tests.way.stage import Stage, until
from worker.sandbox.seed import seed
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

TIMESTAMP = int(time.time() * 1000) - 3_600_123  # not long ago: retention goes by a record's own time
HEADERS = [("trace", b"\x00\xff"), ("trace", b"again"), ("none", None)]
EVENT_BYTES = 20_000
NORMAL = body({"fields": ["a"], "values": [[1]]})


@dataclass(frozen=True, slots=True)
class Bad:
    """A bad event and why it is refused: `code` None: whichever, the disposition decides."""

    name: str
    value: bytes | None
    disposition: str
    code: str | None


def _table(*values: list[Any], fields: tuple[str, ...] = ("a",)) -> dict[str, Any]:
    return {"-type": "openscale.payload.Table", "fields": list(fields), "values": list(values), "meta": None}


def _asset(asset: str, **more: Any) -> bytes:
    return confluent(event(asset, NORMAL, NORMAL, **more))


def _asked(request: Any, response: Any = NORMAL) -> bytes:
    return confluent(event("action", request, response))


def _bomb(count: int) -> bytes:
    """A table whose array of fields says that it has `count` items."""
    sane = _asked(_table([1]))
    place = sane.index(b"\x02\x02a") + 0
    return sane[:place] + _varint(count)


def _varint(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def bad_events() -> Iterator[Bad]:
    """The whole list; `ambiguous` and `silent` are assets that the test prepares."""
    good = confluent(custom())
    yield Bad("tombstone", None, "decode", "tombstone")
    yield Bad("empty value", b"", "decode", "empty-value")
    yield Bad("wrong magic", b"\x07" + good[1:], "decode", "no-framing")
    yield Bad("header cut", good[:3], "decode", "no-framing")
    yield Bad("unknown schema id", b"\x00\x00\x00\x00\x63" + good[5:], "schema", "unknown-schema")
    yield Bad("unknown fingerprint", b"\xc3\x01" + bytes(8) + good[5:], "schema", "unknown-schema")
    yield Bad("trailing bytes", good + b"\x00", "decode", "trailing-bytes")
    yield Bad("bomb of many items", _bomb(20_000_000), "decode", "not-avro")
    yield Bad("bomb of a negative count", _bomb(-20_000_000), "decode", "not-avro")
    yield Bad("invalid UTF-8", avro_with(b"action", b"act\xffon"), "decode", "not-avro")
    yield Bad("body not JSON", _asked(body(b"{fields:", "application/json")), "normalise", "not-json")
    yield Bad("body not UTF-8", _asked(body(b'{"fields":["\xff"]}')), "normalise", "not-utf8")
    yield Bad("body not CSV", _asked(body(b"1,2", "text/csv")), "normalise", None)
    yield Bad("body of an unknown kind", _asked(body(b"PNG", "image/png")), "normalise", "content-type")
    yield Bad("NaN in JSON", _asked(body(b'{"fields":["a"],"values":[[NaN]]}')), "validation", "not-finite")
    yield Bad("1e999 in JSON", _asked(body(b'{"fields":["a"],"values":[[1e999]]}')), "validation", "not-finite")
    for number in (math.nan, math.inf, -math.inf):
        yield Bad(f"{number} in a table", _asked(_table([number])), "validation", "not-finite")
    yield Bad("rows differ", _asked(_table([1], [2])), "validation", "row-counts")
    yield Bad("no rows", _asked(_table(), _table()), "validation", "no-rows")
    yield Bad("no asset", _asset(""), "validation", "asset-missing")
    yield Bad("unknown asset", _asset("nobody"), "unknown-asset", "unknown-asset")
    yield Bad("unknown binding", _asset("action", binding="nobody"), "unknown-asset", "unknown-binding")
    yield Bad("unknown deployment", _asset("action", deployment="nobody"), "unknown-asset", "unknown-deployment")
    yield Bad("ambiguous asset", _asset("ambiguous"), "unknown-asset", "ambiguous-asset")
    yield Bad("logging disabled", _asset("silent"), "logging-disabled", "logging-disabled")
    yield Bad("too large", confluent(custom()) + bytes(EVENT_BYTES), "too-large", "event-too-large")
    for cut in range(6, len(good)):
        yield Bad(f"cut at byte {cut}", good[:cut], "decode", "not-avro")


def avro_with(old: bytes, new: bytes) -> bytes:
    """A valid event with some of its bytes replaced by as many others."""
    return CONFLUENT + avro(custom()).replace(old, new)


def _prepare(stage: Stage) -> None:
    """Make an asset that two bindings hold, and one whose payload logging is off."""
    stage.subscribe("custom", "ambiguous")
    stage.subscribe("sagemaker", "ambiguous")
    stage.subscribe("custom", "silent", logging=False)


def _produce(stage: Stage, events: list[Bad]) -> None:
    """Each bad event between two good ones, in the same partition."""
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    for number, bad in enumerate(events):
        for value in (_good(number, "before"), bad.value, _good(number, "behind")):
            key = bad.name.encode() if value is bad.value else b"good"
            producer.produce(stage.topic, value, key, number % 4, timestamp=TIMESTAMP, headers=list(HEADERS))
        producer.poll(0)
    assert producer.flush(30) == 0


def _good(number: int, side: str) -> bytes:
    return confluent(custom() | {"scoring_id": f"{number} {side}"})


@pytest.mark.kafka
def test_each_bad_event_is_dead_lettered_as_it_came_with_its_reason_and_its_neighbours_are_stored(stage: Stage) -> None:
    _prepare(stage)
    events = list(bad_events())
    _produce(stage, events)
    stage.settings["LIMITS__EVENT_BYTES"] = str(EVENT_BYTES)
    stage.settings["KAFKA__PRODUCER__LINGER_MS"] = "0"
    good = 2 * len(events)
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["distinct"] == good, f"{good} good neighbours")
        until(lambda: stage.committed() == 3 * len(events), "all offsets committed")
        letters = {str((letter.key() or b"").decode()): letter for letter in stage.dead_letters(len(events))}
        code, log = worker.stop()
    assert code == 0, log
    assert letters.keys() == {bad.name for bad in events}
    for number, bad in enumerate(events):
        _check(bad, letters[bad.name], stage, number % 4)
    assert set(stage.sandbox.received(stage.seeded["custom"].subscription_id)) == {
        f"{number} {side}" for number in range(len(events)) for side in ("before", "behind")
    }


def _check(bad: Bad, letter: Message, stage: Stage, partition: int) -> None:
    assert letter.value() == bad.value, bad.name
    assert letter.timestamp()[1] == TIMESTAMP, bad.name
    headers = letter.headers() or []
    assert list(headers)[: len(HEADERS)] == HEADERS, bad.name
    added: dict[Any, Any] = dict(list(headers)[len(HEADERS) :])  # type: ignore[arg-type]  # pairs, typed as sequences
    assert added["__dlq.errors.disposition"] == bad.disposition.encode(), (bad.name, added)
    assert bad.code is None or added["payload-worker.error.code"] == bad.code.encode(), (bad.name, added)
    assert added["__dlq.errors.topic"] == stage.topic.encode()
    assert added["__dlq.errors.partition"] == str(partition).encode()
    assert added["__dlq.errors.group"] == stage.group.encode()
    assert added["__dlq.errors.message"]
    assert letter.partition() == partition


@pytest.mark.kafka
def test_a_record_whose_headers_would_not_fit_is_dead_lettered_without_them(
    broker: Broker, make_topic: TopicFactory
) -> None:
    """The dead-letter topic takes the record as it came, but not with the reason added: the record wins."""
    topic = make_topic(partitions=1, prefix="events")
    letters = make_topic(partitions=1, prefix="letters", config={"max.message.bytes": "30000"})
    with running() as sandbox:
        stage = Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, seed(sandbox.url))
        sizes = (29_300, 29_600, 29_800)
        stage.produce(b"\x07" + os.urandom(size - 1) for size in sizes)
        with stage.worker() as worker:
            found = stage.dead_letters(len(sizes))
            until(lambda: stage.committed() == len(sizes), "all offsets committed")
            code, log = worker.stop()
    assert code == 0, log
    headers = {len(each.value() or b""): dict(each.headers() or []) for each in found}
    assert headers.keys() == set(sizes)
    assert "__dlq.errors.message" in headers[29_300]
    assert "__dlq.errors.message" not in headers[29_600]
    assert headers[29_600]["__dlq.errors.disposition"] == b"decode"
    assert headers[29_800] == {}


@pytest.mark.kafka
@pytest.mark.skipif(shipped_library() is None, reason="the Kafka client is built on the system's librdkafka")
def test_a_header_whose_name_is_not_utf8_stops_neither_the_worker_nor_the_event(stage: Stage) -> None:
    """The client library raises where such headers are asked for; C and Go write them."""
    library = shipped_library()
    assert library is not None
    produce(library, stage.bootstrap, stage.topic, confluent(custom()), b"caf\xe9")
    stage.produce([confluent(custom(start=1))], partition=0)
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["distinct"] == 2, "both events")
        code, log = worker.stop()
    assert code == 0, log
    assert stage.committed() == 2
