"""Partitions that are not read for a while: nothing is passed over or read twice, and none stays behind paused."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.edges.reading import PROTOCOLS, Log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka


@pytest.fixture
def log(broker: Broker, make_topic: TopicFactory) -> Log:
    return Log(broker, make_topic(3))


@pytest.fixture(params=list(PROTOCOLS))
def protocol(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    return PROTOCOLS[request.param]


def test_a_partition_that_is_held_is_not_read_while_the_others_are_and_loses_nothing(log: Log) -> None:
    for partition in range(3):
        log.produce(1_000, partition)
    with log.reader() as reader:
        reader.until(lambda: len(reader.offsets) == 3, "a record of each partition", room=10)
        reader.source.hold([reader.claim(1)])
        held_at = reader.position(1)
        reader.until(lambda: len(reader.offsets[0]) == len(reader.offsets[2]) == 1_000, "the others")
        reader.turns(0.5)
        assert reader.position(1) == held_at
        reader.source.hold([reader.claim(0)])
        reader.until(lambda: reader.position(1) == 1_000, "what was held")
        log.produce(10, 0)
        log.produce(10, 2)
        reader.until(lambda: reader.position(2) == 1_010, "what came later")
        reader.turns(0.5)
        assert reader.position(0) == 1_000
        reader.source.hold([])
        reader.until(lambda: reader.position(0) == 1_010, "the last one held")
        assert reader.offsets == {0: list(range(1_010)), 1: list(range(1_000)), 2: list(range(1_010))}


def test_under_load_no_record_is_passed_over_or_read_twice_however_partitions_are_held_and_let_go(
    log: Log, protocol: Mapping[str, Any]
) -> None:
    chance = random.Random(4)  # noqa: S311 - no secret
    count = 8_000
    for partition in range(3):
        log.produce(count, partition, size=100)
    with log.reader({**protocol, "queued.min.messages": 1_000}) as reader:
        reader.until(lambda: len(reader.source.claims) == 3, "the assignment", room=1)
        claims = list(reader.source.claims)
        for _ in range(300):
            reader.source.hold(chance.sample(claims, chance.randrange(4)))
            for _ in range(chance.randrange(3)):
                reader.turn(chance.choice((1, 7, 100)), 0.005)
        reader.source.hold([])
        reader.until(lambda: reader.count >= 3 * count, "all records")
        assert reader.offsets == {partition: list(range(count)) for partition in range(3)}


def test_what_is_held_stays_so_when_there_is_no_room_and_when_there_is_again(log: Log) -> None:
    log.produce(100, 0)
    log.produce(100, 1)
    with log.reader() as reader:
        reader.until(lambda: {0, 1} <= reader.offsets.keys(), "a record of each", room=1)
        before = reader.count
        reader.source.hold([reader.claim(0)])
        at = reader.position(0)
        reader.source.stop_reading()  # so that the lack of room pauses everything at once
        for _ in range(20):
            assert reader.turn(0, 0.02) == []
        reader.source.hold([reader.claim(1)])  # what is let go of now has no room either
        for _ in range(20):
            assert reader.turn(0, 0.02) == []
        assert reader.count == before
        reader.source.hold([reader.claim(0)])
        reader.until(lambda: reader.position(1) == 100, "what is not held")
        assert reader.position(0) == at
        reader.source.hold([])
        reader.until(lambda: reader.position(0) == 100, "what was held")
        assert reader.offsets == {0: list(range(100)), 1: list(range(100))}


def test_a_partition_that_was_held_when_it_went_is_read_when_it_comes_back(
    log: Log, protocol: Mapping[str, Any]
) -> None:
    for partition in range(3):
        log.produce(10, partition)
    with log.reader(protocol) as reader:
        reader.until_read(30)
        held = list(reader.source.claims)
        reader.source.hold(held)
        with log.reader(protocol) as other:

            def both() -> bool:
                reader.turn(timeout=0.01)
                return bool(other.source.claims and reader.holding.gone)

            other.until(both, "the other's share", room=1)
        reader.until(lambda: len(reader.source.claims) == 3, "all partitions")
        back = [claim for claim in reader.source.claims if claim not in held]
        assert back, "a partition that comes back is another claim"
        for claim in back:
            log.produce(10, claim.partition)
        for each in back:
            reader.until(lambda each=each: 19 in reader.offsets[each.partition], "what came later")  # type: ignore[misc]


def test_a_new_claim_can_be_held_and_let_go(log: Log) -> None:
    with log.reader() as reader:
        reader.until(lambda: reader.source.claims, "the assignment")
        with log.reader() as other:
            other.until(lambda: (reader.turn(timeout=0.01), other.source.claims)[1], "the other's share")
        reader.until(lambda: len(reader.source.claims) == 3, "all partitions")
        reader.source.hold([reader.claim(0)])
        log.produce(10, 0)
        log.produce(10, 1)
        reader.until(lambda: len(reader.offsets[1]) == 10, "the others")
        reader.turns(0.5)
        assert reader.offsets[0] == []
        reader.source.hold([])
        reader.until(lambda: len(reader.offsets[0]) == 10, "what was held")
