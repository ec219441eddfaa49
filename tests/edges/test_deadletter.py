"""Letters on a broker: the record as it came, as much of the reason as fits, and an error where it is not written."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from worker import __version__
from worker.config import Kafka
from worker.edges.deadletter import LOOKUP_INTERVAL, DeadLetters
from worker.edges.letter_headers import added_bytes
from worker.flow.jobs import Letter, Lettered
from worker.model import Claim, Disposition, Envelope, Refusal, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

    Writer = Callable[..., DeadLetters]

REFUSAL = Refusal(Disposition.REJECTED, "rejected", "the data mart answered 400")
KIP, OWN = "__dlq.errors.", "payload-worker."
NOON = 1_560_250_800_000


def envelope_of(topic: str) -> Envelope:
    return Envelope(Claim(topic, 0), 1, NOON, None, b"value", ())


def letter(
    value: bytes | None = b"value",
    *,
    partition: int = 2,
    offset: int = 7,
    timestamp: int = NOON,
    headers: Sequence[tuple[str, bytes | None]] = (("trace", b"1"), ("trace", b"2"), ("none", None)),
    attempts: int = 3,
    body: str | None = '{"errors":[]}',
) -> Letter:
    envelope = Envelope(Claim("events", partition), offset, timestamp, b"key", value, headers)
    return Letter(Rejection(envelope, REFUSAL, attempts, 400 if body else None, body))


def outcomes(letters: DeadLetters, count: int, seconds: float = 15) -> list[Lettered]:
    found: list[Lettered] = []
    deadline = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        found += letters.collect(0.05)
    return found


def read(broker: Broker, topic: str, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": topic, "auto.offset.reset": "earliest"})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[Message] = []
    deadline = time.monotonic() + 10
    while len(found) < count and time.monotonic() < deadline:
        found += [each for each in consumer.consume(500, 0.1) if each.error() is None]
    consumer.close()
    return found


def told(message: Message) -> dict[str, str]:
    """The headers that were added."""
    headers: Any = message.headers() or ()
    added = [(name, value.decode()) for name, value in headers if name.startswith((KIP, OWN))]
    assert len(added) == len(dict(added)), "each once"
    return dict(added)


@pytest.fixture
def writer(broker: Broker) -> Iterator[Writer]:
    """Makes writers to a topic of the session's broker."""
    made: list[DeadLetters] = []

    def make(topic: str, clock: Callable[[], float] = time.monotonic) -> DeadLetters:
        kafka = Kafka(bootstrap_servers=broker.bootstrap, group_id="g")
        made.append(DeadLetters(kafka, lambda _: topic, clock=clock))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_letter_is_the_record_as_it_came_with_all_that_explains_it(
    broker: Broker, make_topic: TopicFactory, writer: Writer
) -> None:
    topic = make_topic(partitions=4)
    letters, sent = writer(topic), letter()
    letters.send(sent)
    assert outcomes(letters, 1) == [Lettered(sent, None)]
    (message,) = read(broker, topic, 1)
    assert (message.value(), message.key(), message.timestamp()[1], message.partition()) == (b"value", b"key", NOON, 2)
    assert list(message.headers() or ())[:3] == [("trace", b"1"), ("trace", b"2"), ("none", None)]
    assert told(message) == {
        f"{KIP}topic": "events",
        f"{KIP}partition": "2",
        f"{KIP}offset": "7",
        f"{KIP}group": "g",
        f"{KIP}delivery.count": "3",
        f"{KIP}message": REFUSAL.detail,
        f"{KIP}disposition": "rejected",
        f"{OWN}error.code": "rejected",
        f"{OWN}http.status": "400",
        f"{OWN}http.body": '{"errors":[]}',
        f"{OWN}version": __version__,
        f"{OWN}timestamp": str(NOON),
    }


def test_the_id_of_the_topic_is_told_with_the_place(broker: Broker, make_topic: TopicFactory) -> None:
    topic = make_topic()
    kafka = Kafka(bootstrap_servers=broker.bootstrap, group_id="g")
    letters = DeadLetters(kafka, lambda _: topic, topic_ids={"events": "an-id"})
    try:
        letters.send(letter(partition=0))
        assert [each.error for each in outcomes(letters, 1)] == [None]
    finally:
        letters.close()
    (message,) = read(broker, topic, 1)
    assert told(message)[f"{OWN}topic.id"] == "an-id"


def test_a_tombstone_stays_one_and_a_refusal_of_our_own_has_no_status(
    broker: Broker, make_topic: TopicFactory, writer: Writer
) -> None:
    topic = make_topic()
    letters = writer(topic)
    letters.send(letter(None, body=None, attempts=0))
    assert [each.error for each in outcomes(letters, 1)] == [None]
    (message,) = read(broker, topic, 1)
    assert message.value() is None
    assert told(message)[f"{KIP}delivery.count"] == "1"
    assert not {name for name in told(message) if "http" in name}


def test_a_redriven_record_keeps_its_first_place_and_old_reasons_go(
    broker: Broker, make_topic: TopicFactory, writer: Writer
) -> None:
    topic = make_topic()
    letters = writer(topic)
    place = [(f"{KIP}topic", b"first"), (f"{KIP}partition", b"9"), (f"{KIP}offset", b"99")]
    old = [(f"{KIP}message", b"old"), (f"{OWN}redrive.count", b"1"), ("own", b"x")]
    letters.send(letter(headers=[*place, *old]))
    assert [each.error for each in outcomes(letters, 1)] == [None]
    (message,) = read(broker, topic, 1)
    found = told(message)
    assert [found[f"{KIP}{name}"] for name in ("topic", "partition", "offset")] == ["first", "9", "99"]
    assert found[f"{KIP}message"] == REFUSAL.detail
    assert found[f"{OWN}redrive.count"] == "1"
    assert ("own", b"x") in (message.headers() or ())


def test_a_partition_beyond_those_of_the_topic_is_taken_modulo(
    broker: Broker, make_topic: TopicFactory, writer: Writer
) -> None:
    topic = make_topic(partitions=4)
    letters = writer(topic)
    for partition in (0, 3, 4, 11):
        letters.send(letter(partition=partition))
    assert [each.error for each in outcomes(letters, 4)] == [None] * 4
    found = sorted((int(told(each)[f"{KIP}partition"]), each.partition()) for each in read(broker, topic, 4))
    assert found == [(0, 0), (3, 3), (4, 0), (11, 3)]


@pytest.mark.kafka
def test_a_record_that_its_headers_make_too_large_loses_headers_and_never_itself(
    broker: Broker, make_topic: TopicFactory, writer: Writer
) -> None:
    topic = make_topic(partitions=1, config={"max.message.bytes": "10000"})
    letters = writer(topic)
    sizes = (9_000, 9_600, 9_850)
    for size in sizes:
        letters.send(letter(os.urandom(size), headers=(), body="b" * 300))
        assert [each.error for each in outcomes(letters, 1)] == [None], size
    messages = read(broker, topic, 3)
    assert [len(each.value() or b"") for each in messages] == list(sizes)
    full, slim, bare = map(told, messages)
    assert f"{KIP}message" in full
    assert slim.keys() == {
        f"{KIP}topic",
        f"{KIP}partition",
        f"{KIP}offset",
        f"{KIP}disposition",
        f"{OWN}error.code",
    }
    assert bare == {}
    letters.send(letter(os.urandom(10_100)))
    (outcome,) = outcomes(letters, 1)
    assert topic in str(outcome.error)


@pytest.mark.kafka
@pytest.mark.parametrize("size", [1_000_100, 1_048_000, 1_500_000])
def test_a_record_that_the_topic_takes_is_taken(make_topic: TopicFactory, writer: Writer, size: int) -> None:
    """It is held for ever else, and its partition with it: all that is too large for an event is among these."""
    letters = writer(make_topic(partitions=1, config={"max.message.bytes": "4000000"}))
    letters.send(letter(os.urandom(size)))
    assert [each.error for each in outcomes(letters, 1)] == [None]


@pytest.mark.kafka
def test_many_small_letters_to_a_topic_of_small_messages_are_written_with_their_reasons(
    broker: Broker, make_topic: TopicFactory, writer: Writer
) -> None:
    topic = make_topic(partitions=1, config={"max.message.bytes": "30000"})
    letters = writer(topic)
    for offset in range(100):
        letters.send(letter(os.urandom(1000), offset=offset))
    assert {each.error for each in outcomes(letters, 100)} == {None}
    assert {told(each).get(f"{KIP}message") for each in read(broker, topic, 100)} == {REFUSAL.detail}


@pytest.mark.kafka
def test_many_letters_are_written_in_few_requests(broker: Broker, make_topic: TopicFactory) -> None:
    """One by one, a storm's take as many round trips as it has records, and its partitions wait for them."""
    topic, told_of, count = make_topic(partitions=1), [""], 3000
    overrides = {"statistics.interval.ms": 100, "stats_cb": told_of.append}
    letters = DeadLetters(Kafka(bootstrap_servers=broker.bootstrap, group_id="g"), lambda _: topic, overrides)
    for offset in range(count):
        letters.send(letter(offset=offset))
    assert [each.error for each in outcomes(letters, count)] == [None] * count
    outcomes(letters, 1, seconds=0.5)  # the statistics of the last of them
    requests = sum(each["req"]["Produce"] for each in json.loads(told_of[-1])["brokers"].values())
    assert 1 <= requests < count // 10
    letters.close()


@pytest.mark.kafka
def test_a_topic_that_is_not_there_fails_each_letter_is_asked_for_once_a_second_and_then_takes_them(
    broker: Broker, writer: Writer
) -> None:
    topic, now = f"letters-{time.monotonic_ns()}", [1000.0]
    letters, sent = writer(topic, lambda: now[0]), letter()

    def failed(count: int) -> None:
        for _ in range(count):
            letters.send(sent)
        found = outcomes(letters, count)
        assert [each.letter for each in found] == [sent] * count
        assert {str(each.error).partition(":")[0] for each in found} == {topic}

    failed(200)
    broker.create_topic(topic, 2, {})
    now[0] += LOOKUP_INTERVAL * 0.9
    failed(200)  # it is not looked up yet
    now[0] += LOOKUP_INTERVAL * 0.2
    letters.send(sent)
    assert [each.error for each in outcomes(letters, 1)] == [None]
    assert len(read(broker, topic, 1)) == 1


@pytest.mark.kafka
def test_a_missing_topic_does_not_hold_up_letters_to_another(broker: Broker, make_topic: TopicFactory) -> None:
    names = {"events": "never-made", "orders": make_topic()}
    letters = DeadLetters(Kafka(bootstrap_servers=broker.bootstrap), names.__getitem__)
    missing = letter()
    other = replace(missing, rejection=replace(missing.rejection, envelope=envelope_of("orders")))
    for each in (missing, other, missing, other):
        letters.send(each)
    found = outcomes(letters, 4)
    assert sorted(each.error is None for each in found) == [False, False, True, True]
    assert all((each.letter is other) == (each.error is None) for each in found)
    letters.close()


@pytest.mark.kafka
def test_a_record_that_came_compressed_fits_a_topic_of_the_same_limit(
    broker: Broker, make_topic: TopicFactory, writer: Writer
) -> None:
    """Its own topic took it so; written plainly it would be too large, and held for ever."""
    value = b'{"age": 31, "job": "clerk"}' * 200_000
    errors: list[Any] = []
    source = Producer(
        {
            "log_level": 0,
            "bootstrap.servers": broker.bootstrap,
            "message.max.bytes": 10_000_000,
            "compression.type": "lz4",
        }
    )
    source.produce(make_topic(partitions=1), value, on_delivery=lambda error, _: errors.append(error))
    source.flush(20)
    assert [str(error) for error in errors] == ["None"]
    topic = make_topic(partitions=1)
    letters = writer(topic)
    letters.send(letter(value))
    assert [each.error for each in outcomes(letters, 1)] == [None]
    (message,) = read(broker, topic, 1)
    assert message.value() == value
    assert told(message)[f"{KIP}message"] == REFUSAL.detail


@pytest.mark.kafka
@pytest.mark.parametrize("headers", [(), (("trace", b"1"), ("none", None))])
@pytest.mark.parametrize("own", [20_000, 1_000_000_000])
def test_the_largest_record_of_a_topic_fits_another_of_the_same_limit_and_the_producer(
    broker: Broker, make_topic: TopicFactory, headers: Sequence[tuple[str, bytes | None]], own: int
) -> None:
    """What `check` takes for enough. One byte more would be too much for its own topic."""
    config = {"max.message.bytes": "20000"}
    source, target = make_topic(partitions=1, config=config), make_topic(partitions=1, config=config)
    plain = Producer(
        {"log_level": 0, "bootstrap.servers": broker.bootstrap, "message.max.bytes": 1_000_000, "batch.num.messages": 1}
    )

    def taken(size: int) -> bool:
        errors: list[Any] = []
        plain.produce(
            source,
            os.urandom(size),
            b"key",
            on_delivery=lambda error, _: errors.append(error),
            timestamp=NOON,
            headers=list(headers),
        )
        plain.flush(20)
        return [str(error) for error in errors] == ["None"]  # an error cannot be compared with None

    size = max(filter(taken, range(19_880, 19_940)))
    assert not taken(size + 1)
    kafka = Kafka(bootstrap_servers=broker.bootstrap, producer={"message.max.bytes": own})
    letters = DeadLetters(kafka, lambda _: target)
    letters.send(letter(os.urandom(size), headers=headers))
    assert [each.error for each in outcomes(letters, 1)] == [None]
    assert told(read(broker, target, 1)[0]) == {}
    letters.close()


@pytest.mark.kafka
def test_what_headers_add_at_most_is_enough_for_all_of_them(
    broker: Broker, make_topic: TopicFactory, writer: Writer
) -> None:
    value = os.urandom(20_000)
    limit = len(value) + 100 + added_bytes("events", "g")
    topic = make_topic(partitions=1, config={"max.message.bytes": str(limit)})
    letters = writer(topic)
    body = "".join(map(chr, range(0x1F300, 0x1F700)))
    letters.send(letter(value, headers=(), partition=2**31 - 1, offset=2**62, body=body))
    assert [each.error for each in outcomes(letters, 1)] == [None]
    assert f"{OWN}http.body" in told(read(broker, topic, 1)[0])


def test_letters_without_a_broker_do_not_hold_up_the_loop() -> None:
    """Sixty of them hold it for two minutes: the worker counts as dead, then as gone from its group."""
    letters = DeadLetters(Kafka(bootstrap_servers="127.0.0.1:1"), lambda topic: topic, {"log_level": 0})
    began = time.monotonic()
    for _ in range(2):
        letters.send(letter())
    assert len(outcomes(letters, 2)) == 2
    assert time.monotonic() - began < 3.5
