"""Texts that are committed with positions: asked for until they are there, and commits go on where they are refused."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from tests.edges.reading import Holding, Log
from worker.config import Kafka
from worker.edges.cluster import describe
from worker.edges.notes import TRIES, recall
from worker.edges.source import KafkaSource
from worker.model import Claim

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import TopicPartition

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

CLAIMS = [Claim("t", partition) for partition in range(3)]
BUSY = KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
PATIENCE = 60.0


@dataclass
class Texts:
    """Has the same text for every position."""

    given: str = "text"
    recalled: list[tuple[int, int, str, int]] = field(default_factory=list)

    def wants(self, _: Claim) -> bool:
        return True

    def text(self, _claim: Claim, _position: int) -> str:
        return self.given

    def recall(self, claim: Claim, position: int, text: str, end: int) -> None:
        self.recalled.append((claim.partition, position, text, end))


@dataclass
class Answer:
    """As `TopicPartition` has it, with an error, which that takes from a broker alone."""

    topic: str
    partition: int
    offset: int = 7
    metadata: str = "text"
    error: KafkaError | None = None


@dataclass
class Group:
    """Fails `raises` times as a whole, then `refuses` times for partition 1; the end of `endless` is not told."""

    raises: int = 0
    refuses: int = 0
    endless: tuple[int, ...] = ()
    asked: list[list[int]] = field(default_factory=list)

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[Any]:
        assert timeout > 0
        self.asked.append([each.partition for each in partitions])
        if self.raises:
            self.raises -= 1
            raise KafkaException(BUSY)
        self.refuses -= 1
        return [
            Answer(each.topic, each.partition, error=BUSY if each.partition == 1 and self.refuses >= 0 else None)
            for each in partitions
        ]

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int] | None:
        assert timeout > 0
        return None if partition.partition in self.endless else (0, 10)


def recalled(group: Group) -> tuple[list[int], list[Any]]:
    """The partitions whose texts were taken in, and what was logged."""
    texts = Texts()
    with capture_logs() as logged:
        recall(group, CLAIMS, texts, lambda _: None)
    assert all(each[1:] == (7, "text", 10) for each in texts.recalled)
    return sorted(each[0] for each in texts.recalled), logged


@pytest.mark.parametrize("group", [Group(), Group(raises=2), Group(refuses=2), Group(raises=1, refuses=1)])
def test_texts_are_asked_for_until_they_are_there(group: Group) -> None:
    assert recalled(group) == ([0, 1, 2], [])


def test_only_what_is_missing_is_asked_for_again() -> None:
    group = Group(refuses=1)
    recalled(group)
    assert group.asked == [[0, 1, 2], [1]]


@pytest.mark.parametrize(
    ("group", "found", "missing"),
    [
        (Group(raises=TRIES), [], ["t[0]", "t[1]", "t[2]"]),
        (Group(refuses=TRIES), [0, 2], ["t[1]"]),
        (Group(endless=(2,)), [0, 1], ["t[2]"]),
    ],
)
def test_texts_that_are_not_to_be_had_are_told_by_partition(group: Group, found: list[int], missing: list[str]) -> None:
    recalled_of, (told,) = recalled(group)
    assert recalled_of == found
    assert told["event"] == "notes.unread"
    assert told["partitions"] == missing


def _until(source: KafkaSource, reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        source.read(100, 0.05)
        assert time.monotonic() < deadline


@pytest.mark.kafka
@pytest.mark.parametrize("wait", [True, False])
def test_brokers_that_refuse_a_text_as_too_long_get_positions_alone(
    broker: Broker, make_topic: TopicFactory, *, wait: bool
) -> None:
    log = Log(broker, make_topic(1))
    log.produce(10)
    kafka = Kafka(bootstrap_servers=broker.bootstrap, topics=[log.topic], group_id=log.group)
    topic_ids = describe(kafka, kafka.topics).topic_ids
    source = KafkaSource(kafka, Holding(), time.monotonic, topic_ids, Texts("x" * 5_000))
    try:
        with capture_logs() as logged:
            _until(source, lambda: source.lag_now(source.claims) == dict.fromkeys(source.claims, 0) != {})
            (claim,) = source.claims
            for mark in (4, 5):
                committed = source.commit({claim: mark}, wait=wait)
                assert committed
                _until(source, lambda: not source.committing)
                if source.failed_commits():  # known only now, and offered again as the worker does
                    assert not wait
                    assert source.commit({claim: mark}, wait=wait)
                    _until(source, lambda: not source.committing)
                assert not source.commits_failed
                assert log.committed() == {0: mark}
        assert [each["event"] for each in logged].count("notes.refused") == 1
    finally:
        source.close()
