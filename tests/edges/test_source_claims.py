"""Claims and commits on real Kafka: only what is owned is committed, and what comes back is another claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.edges.reading import PROTOCOLS, Log
from tests.kafka.broker import EmbeddedKafka

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import TopicFactory
    from tests.edges.reading import Reader
    from tests.kafka.broker import Broker
    from worker.model import Claim


@pytest.fixture
def log(broker: Broker, make_topic: TopicFactory) -> Log:
    log = Log(broker, make_topic(2))
    log.produce(100, 0)
    log.produce(100, 1)
    return log


@pytest.fixture(params=list(PROTOCOLS))
def protocol(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    return PROTOCOLS[request.param]


def share(reader: Reader, other: Reader) -> Claim:
    """Let the other come in; the claim of the first whose partition the other has then."""

    def shared() -> bool:
        reader.turn(timeout=0.01)
        return len(reader.source.claims) == len(other.source.claims) == 1

    other.until(shared, "a share for each")
    (theirs,) = other.source.claims
    (gone,) = (claim for claim in reader.holding.gone if claim.partition == theirs.partition)
    return gone


@pytest.mark.kafka
def test_a_commit_for_a_claim_that_has_gone_is_not_sent_and_moves_nothing_back(
    log: Log, protocol: Mapping[str, Any]
) -> None:
    with log.reader(protocol) as reader:
        reader.until_read(200)
        with log.reader(protocol) as other:
            gone = share(reader, other)
            assert other.source.commit(dict.fromkeys(other.source.claims, 90), wait=True)
            assert reader.source.commit({gone: 5}, wait=True), "there is nothing in it to be offered again"
            assert reader.source.commit({gone: 5}, wait=False)
            assert reader.source.committing == 0
            assert log.committed([gone.partition]) == {gone.partition: 90}
        reader.until(lambda: len(reader.source.claims) == 2, "all partitions")
        again = reader.claim(gone.partition)
        assert (again is not gone, again.epoch > gone.epoch) == (True, True)
        assert reader.source.commit({gone: 5, again: 95}, wait=True)
        assert log.committed([gone.partition]) == {gone.partition: 95}


@pytest.mark.kafka
def test_what_is_revoked_is_committed_as_its_holder_says_before_the_next_owner_begins(
    log: Log, protocol: Mapping[str, Any]
) -> None:
    with log.reader(protocol) as reader:
        reader.until_read(200)
        reader.holding.marks = dict.fromkeys(reader.source.claims, 60)
        with log.reader(protocol) as other:
            gone = share(reader, other)
            other.until_read(40)
            assert other.offsets == {gone.partition: list(range(60, 100))}


@pytest.mark.kafka
def test_a_worker_that_did_not_poll_for_too_long_moves_no_commit_of_its_successor_back(log: Log) -> None:
    with log.reader({"session.timeout.ms": 6_000, "max.poll.interval.ms": 6_000}) as reader:
        reader.until_read(200)
        mine = set(reader.source.claims)
        reader.holding.marks = dict.fromkeys(mine, 60)
        with log.reader() as other:
            other.until_read(200)
            assert other.source.commit(dict.fromkeys(other.source.claims, 90), wait=True)
            reader.until(lambda: not mine & set(reader.source.claims), "the news", room=1)
            assert reader.source.commit(reader.holding.marks, wait=True), "none is owned: nothing is sent"
            assert log.committed([0, 1]) == {0: 90, 1: 90}


def test_what_is_lost_is_dropped_without_a_commit() -> None:
    with EmbeddedKafka() as broker:
        log = Log(broker, "topic")
        broker.create_topic("topic", 4, {})
        log.produce(100)
        reader = log.reader({"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000})
        reader.until_read(100)
        mine = list(reader.source.claims)
        reader.holding.marks = dict.fromkeys(mine, 100)
    reader.until(lambda: reader.holding.dropped, "the end of the session")  # the broker is gone
    assert reader.holding.dropped == mine
    assert (list(reader.source.claims), reader.holding.gone, reader.source.committing) == ([], [], 0)
    assert reader.source.commit(reader.holding.marks, wait=True), "sent, it would fail: there is no broker"
    reader.source.close()
