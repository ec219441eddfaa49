"""Ends of partitions by the broker's word: few questions, none for long, and silence is no answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from worker.edges.watermarks import PAUSE, TIMEOUT, Watermarks
from worker.model import Claim

if TYPE_CHECKING:
    from confluent_kafka import TopicPartition

CLAIMS = [Claim("t", partition) for partition in range(3)]


@dataclass
class Brokers:
    """Answers with the partition's number times ten, in no time; for those in `silent` not until the timeout."""

    silent: set[int] = field(default_factory=set)
    failing: set[int] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)
    now: float = 0.0
    takes: float = 0.0

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int] | None:
        number = int(partition.partition)
        self.asked.append(number)
        if number in self.failing:
            raise KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
        self.now += timeout if number in self.silent else self.takes
        return None if number in self.silent else (0, number * 10)


def test_the_ends_are_those_that_the_brokers_tell_now() -> None:
    brokers = Brokers()
    assert Watermarks(brokers, lambda: brokers.now).of(CLAIMS) == {CLAIMS[0]: 0, CLAIMS[1]: 10, CLAIMS[2]: 20}


def test_without_an_answer_nothing_is_known_and_nobody_is_asked_for_a_while() -> None:
    for brokers in (Brokers(silent={1}), Brokers(failing={1})):
        watermarks = Watermarks(brokers, lambda brokers=brokers: brokers.now)  # type: ignore[misc]
        assert watermarks.of(CLAIMS) == {CLAIMS[0]: 0}
        assert watermarks.of(CLAIMS) == {}
        assert brokers.asked == [0, 1]
        brokers.now += PAUSE
        assert watermarks.of(CLAIMS) == {CLAIMS[0]: 0, CLAIMS[2]: 20}, "who has not answered is asked last"
        assert brokers.asked[2:] == [2, 0, 1]


def test_slow_answers_are_not_waited_for_any_longer_than_one_that_does_not_come() -> None:
    brokers = Brokers(takes=TIMEOUT * 0.6)
    watermarks = Watermarks(brokers, lambda: brokers.now)
    assert watermarks.of(CLAIMS).keys() == {CLAIMS[0], CLAIMS[1]}
    assert watermarks.of(CLAIMS).keys() == {CLAIMS[2], CLAIMS[0]}, "the others' turn comes"
