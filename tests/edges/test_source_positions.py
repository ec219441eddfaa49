"""Where to go on, as a table; and what happens while Kafka does not answer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from worker.edges.claims import Claims
from worker.edges.failures import Failures
from worker.edges.positions import Place, Policy, Reason, Step, decide, policy
from worker.edges.resets import ANSWER, LONGEST_WAIT, Resets

EARLIEST, LATEST, ERROR = Policy.EARLIEST, Policy.LATEST, Policy.ERROR


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("earliest", "smallest", "beginning", "Earliest"), EARLIEST),
        (("latest", "largest", "end", "END"), LATEST),
        (("error",), ERROR),
    ],
)
def test_every_word_of_librdkafka_is_understood(words: tuple[str, ...], expected: Policy) -> None:
    assert {policy({"auto.offset.reset": word}) for word in words} == {expected}


def test_without_a_word_it_is_the_start() -> None:
    assert policy({}) is EARLIEST


@pytest.mark.parametrize(
    ("chosen", "position", "read", "expected"),
    [
        (EARLIEST, None, False, Step(40, Reason.NO_OFFSET)),
        (LATEST, None, False, Step(100, Reason.NO_OFFSET, mark=True)),
        (ERROR, None, False, Step(None, Reason.NO_OFFSET)),
        (EARLIEST, 10, False, Step(40, Reason.LOST, 30, mark=True)),
        (EARLIEST, 10, True, Step(40, Reason.LOST, 30)),
        (LATEST, 10, False, Step(100, Reason.LOST, 90, mark=True)),
        (LATEST, 10, True, Step(100, Reason.LOST, 90)),
        (ERROR, 10, True, Step(None, Reason.LOST, 30)),
        (EARLIEST, 40, True, Step(40)),
        (LATEST, 70, False, Step(70)),
        (ERROR, 100, False, Step(100)),
        (EARLIEST, 101, False, Step(40, Reason.BEYOND_END, mark=True)),
        (LATEST, 101, False, Step(100, Reason.BEYOND_END, mark=True)),
        (ERROR, 101, False, Step(None, Reason.BEYOND_END)),
    ],
)
def test_a_step_follows_from_the_policy_and_the_place(
    chosen: Policy, position: int | None, *, read: bool, expected: Step
) -> None:
    assert decide(chosen, Place(position, 40, 100, read)) == expected


class Answers:
    """Stands where the consumer is asked: silent, or with what it is given; an answer takes `seconds`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.seconds = 0.0
        self.silent = True
        self.asked = 0

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self._answer(timeout)
        return [TopicPartition(each.topic, each.partition, 10) for each in partitions]

    def get_watermark_offsets(self, _: TopicPartition, timeout: float) -> tuple[int, int]:
        self._answer(timeout)
        return (40, 100)

    def _answer(self, timeout: float) -> None:
        self.asked += 1
        self.now += timeout if self.silent else self.seconds
        if self.silent:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - librdkafka's own codes begin so


def resets(answers: Answers, partitions: int) -> tuple[Resets, Failures]:
    """Some partitions that librdkafka has stopped reading."""
    claims, failures = Claims(), Failures()
    claims.take([TopicPartition("topic", each) for each in range(partitions)])
    made = Resets(claims, failures, EARLIEST, lambda: answers.now, lambda _: True)
    for each in range(partitions):
        made.note("topic", each)
    return made, failures


def test_while_kafka_does_not_answer_a_partition_waits_and_is_asked_for_ever_more_rarely() -> None:
    answers: Any = Answers()
    tested, failures = resets(answers, 3)
    asked_at = []
    while answers.now < 200:
        if tested.due:
            before = answers.now
            assert tested.find(answers) == {}
            assert answers.now - before == pytest.approx(ANSWER), (
                "however many partitions wait, a turn waits for one answer"
            )
            asked_at.append(answers.now)
        answers.now += 0.1
    waits = [round(later - earlier) for earlier, later in pairwise(asked_at)]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT + ANSWER
    assert failures.counts == {"_TIMED_OUT": len(asked_at)}
    answers.silent = False
    answers.now += LONGEST_WAIT
    assert {claim.partition: step.target for claim, (_, step) in tested.find(answers).items()} == {0: 40, 1: 40, 2: 40}


def test_slow_answers_are_waited_for_a_few_partitions_at_a_time() -> None:
    answers: Any = Answers()
    answers.silent, answers.seconds = False, ANSWER * 0.6
    tested, _ = resets(answers, 6)
    done: list[int] = []
    while tested.due:
        before = answers.now
        found = tested.find(answers)
        assert answers.now - before < 2 * ANSWER
        tested.done(found)
        done += [claim.partition for claim in found]
    assert done == list(range(6))
    assert tested.lost == {("topic", str(each)): 30 for each in range(6)}


def test_where_kafka_has_what_librdkafka_says_it_has_not_both_are_not_asked_in_a_busy_loop() -> None:
    answers: Any = Answers()
    answers.silent = False
    tested, _ = resets(answers, 1)
    (claim,) = tested.find(answers)
    tested.done({claim: (Place(50, 40, 100, read=True), Step(50))})
    tested.note("topic", 0)
    assert not tested.due
    answers.now += LONGEST_WAIT
    assert tested.due
