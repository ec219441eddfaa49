"""Letters on a broker: the record as it came, as much of the reason as fits, and an error where it is not written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from worker import __version__
from worker.config import Kafka
from worker.edges.deadletter import DeadLetters
from worker.flow.jobs import Letter, Lettered
from worker.model import Claim, Disposition, Envelope, Refusal, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

    Writer = Callable[[str], DeadLetters]

REFUSAL = Refusal(Disposition.REJECTED, "rejected", "the data mart answered 400")
KIP, OWN = "__dlq.errors.", "payload-worker."
NOON = 1_560_250_800_000


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

    def make(topic: str) -> DeadLetters:
        made.append(DeadLetters(Kafka(bootstrap_servers=broker.bootstrap, group_id="g"), lambda _: topic))
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
    }


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
        letters.send(letter(b"x" * size, headers=(), body="b" * 300))
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
    letters.send(letter(b"x" * 10_100))
    (outcome,) = outcomes(letters, 1)
    assert topic in str(outcome.error)


@pytest.mark.kafka
@pytest.mark.parametrize("size", [1_000_100, 1_048_000, 1_500_000])
def test_a_record_that_the_topic_takes_is_taken(make_topic: TopicFactory, writer: Writer, size: int) -> None:
    """It is held for ever else, and its partition with it: all that is too large for an event is among these."""
    letters = writer(make_topic(partitions=1, config={"max.message.bytes": "4000000"}))
    letters.send(letter(b"x" * size))
    assert [each.error for each in outcomes(letters, 1)] == [None]


@pytest.mark.kafka
def test_many_small_letters_to_a_topic_of_small_messages_are_written_with_their_reasons(
    broker: Broker, make_topic: TopicFactory, writer: Writer
) -> None:
    topic = make_topic(partitions=1, config={"max.message.bytes": "30000"})
    letters = writer(topic)
    for offset in range(100):
        letters.send(letter(b"x" * 1000, offset=offset))
    assert {each.error for each in outcomes(letters, 100)} == {None}
    assert {told(each).get(f"{KIP}message") for each in read(broker, topic, 100)} == {REFUSAL.detail}


@pytest.mark.kafka
def test_a_topic_that_is_not_there_is_an_error_and_once_it_is_there_letters_arrive(
    broker: Broker, writer: Writer
) -> None:
    topic = f"letters-{time.monotonic_ns()}"
    letters, sent = writer(topic), letter()
    for _ in range(2):
        letters.send(sent)
        (outcome,) = outcomes(letters, 1)
        assert outcome.letter is sent
        assert topic in str(outcome.error)
    broker.create_topic(topic, 2, {})
    letters.send(sent)
    assert [each.error for each in outcomes(letters, 1)] == [None]
    assert len(read(broker, topic, 1)) == 1


def test_letters_without_a_broker_do_not_hold_up_the_loop() -> None:
    """Sixty of them hold it for two minutes: the worker counts as dead, then as gone from its group."""
    letters = DeadLetters(Kafka(bootstrap_servers="127.0.0.1:1"), lambda topic: topic, {"log_level": 0})
    began = time.monotonic()
    for _ in range(2):
        letters.send(letter())
    assert len(outcomes(letters, 2)) == 2
    assert time.monotonic() - began < 3.5
