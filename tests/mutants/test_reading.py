"""Reading from real Kafka, for defects there: what fails ends it, what is revoked is another's, what pauses goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaError, TopicPartition

from tests.edges.reading import PROTOCOLS, Holding, Log, Reader
from worker.edges.claims import Claims
from worker.edges.commits import Commits
from worker.edges.failures import Failures
from worker.edges.source import SourceError

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker
    from worker.model import Claim

RANGE = {**PROTOCOLS["range"], "heartbeat.interval.ms": 500}
COUNT = 50


@pytest.fixture
def log(broker: Broker, make_topic: TopicFactory) -> Log:
    """A topic of two partitions with as many records in each."""
    log = Log(broker, make_topic(2))
    for partition in (0, 1):
        log.produce(COUNT, partition)
    return log


def moved(first: Reader, second: Reader, *, room: int = 500) -> None:
    """Both read until the second one has taken over a partition of the first."""
    first.until(lambda: (second.turn(room), second.source.claims)[1], "the second one's partition", room=room)
    first.until(lambda: first.holding.gone and first.source.claims, "the first one's rest", room=room)


class Failing(Holding):
    """Cannot take charge of anything."""

    def assigned(self, claims: Collection[Claim]) -> None:
        super().assigned(claims)
        raise ZeroDivisionError


@pytest.mark.kafka
def test_a_failure_in_a_rebalance_ends_the_reading_and_nothing_is_committed_after_it(log: Log) -> None:
    with log.reader(RANGE) as reader:
        failing = Failing()
        reader.source._holder = failing  # noqa: SLF001 - it is given at the start, by whoever makes the reader
        with pytest.raises(SourceError, match="ZeroDivisionError"):
            reader.until_read(1)
        with pytest.raises(SourceError, match="ZeroDivisionError"):
            reader.turn()
        assert not reader.source.commit(dict.fromkeys(failing.claims, 7), wait=True)
    assert log.committed((0, 1)) == {}


@pytest.mark.kafka
def test_an_exception_out_of_a_read_ends_it_and_the_next_worker_reads_what_may_be_lost(log: Log) -> None:
    broken = [False]

    def statistics(_: str) -> None:
        if broken[0]:
            raise ZeroDivisionError

    with log.reader({**RANGE, "statistics.interval.ms": 50, "stats_cb": statistics}) as reader:
        reader.until_read(2 * COUNT)
        broken[0] = True
        log.produce(COUNT)
        try:
            with pytest.raises(SourceError, match="ZeroDivisionError"):
                reader.until_read(3 * COUNT + 1)
        finally:
            broken[0] = False  # or the end may wait for it for ever
        assert not reader.source.commit(dict.fromkeys(reader.source.claims, COUNT), wait=True)
    with log.reader(RANGE) as after:
        after.until_read(3 * COUNT)


@pytest.mark.kafka
def test_a_partition_that_has_gone_is_not_committed_for(log: Log) -> None:
    """The broker takes such a commit, and moves the new owner's backwards."""
    with log.reader(RANGE) as first, log.reader(RANGE) as second:
        first.until_read(1)
        moved(first, second)
        (theirs,) = second.source.claims
        (ours,) = (each for each in first.holding.gone if each.partition == theirs.partition)
        assert second.source.commit({theirs: 7}, wait=True)
        first.source.commit({ours: 3}, wait=True)
        assert log.committed((theirs.partition,)) == {theirs.partition: 7}
        assert ours not in first.source.claims


@pytest.mark.kafka
def test_a_partition_that_was_paused_when_it_went_is_read_when_it_comes_back(log: Log) -> None:
    with log.reader(RANGE) as first:
        first.until(lambda: len(first.source.claims) == 2, "both partitions", room=1)
        first.source.stop_reading()
        first.turn(0)
        before = first.count
        with log.reader(RANGE) as second:
            first.until(lambda: (second.turn(0), first.holding.gone)[1], "the revocation", room=0)
        assert first.count == before
        first.until(lambda: first.count >= before + 2 * COUNT, "what is in both")


@pytest.mark.kafka
def test_a_partition_that_was_held_is_read_once_it_is_not(log: Log) -> None:
    with log.reader(RANGE) as reader:
        reader.until_read(2 * COUNT)
        held = reader.claim(1)
        reader.source.hold([held])
        reader.turns(0.5)
        log.produce(COUNT, 1)
        log.produce(COUNT, 0)
        reader.until_read(3 * COUNT)
        assert len(reader.offsets[1]) == COUNT
        reader.source.hold([])
        reader.until_read(4 * COUNT)


def test_a_commit_that_the_broker_refused_is_offered_again() -> None:
    claims = Claims()
    (claim,) = claims.take([TopicPartition("t", 0)])
    commits = Commits(claims, Failures())
    commits.answered(KafkaError(KafkaError.REBALANCE_IN_PROGRESS), [TopicPartition("t", 0, 5)])
    assert commits.any_failed
    assert commits.failed() == [claim]
    assert commits.failed() == []
