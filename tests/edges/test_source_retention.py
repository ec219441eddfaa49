"""Records that Kafka deletes under the group: the policy is obeyed, and what is lost is counted to the offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from structlog.testing import capture_logs

from tests.edges.reading import PATIENCE, PROTOCOLS, Log
from tests.kafka.broker import EmbeddedKafka
from worker.edges.cluster import ClientError
from worker.edges.source import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import TopicFactory
    from tests.edges.reading import Reader
    from tests.kafka.broker import Broker

SMALL_QUEUE = {"queued.min.messages": 100, "fetch.message.max.bytes": 4096}
"""librdkafka fetches little ahead, so that most of what a test deletes was not fetched yet."""

EARLIEST, LATEST, ERROR = ({"auto.offset.reset": word} for word in ("earliest", "latest", "error"))


@pytest.fixture
def log(broker: Broker, make_topic: TopicFactory) -> Log:
    return Log(broker, make_topic(2))


@pytest.fixture(params=list(PROTOCOLS))
def protocol(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    return PROTOCOLS[request.param]


def events(logs: list[Any], name: str) -> list[dict[str, Any]]:
    """Lines of the log with this event, without level and event."""
    return [{key: line[key] for key in line.keys() - {"event", "log_level"}} for line in logs if line["event"] == name]


def is_held(reader: Reader, partition: int = 0) -> bool:
    return any(claim.partition == partition for claim in reader.source.held)


# --- nothing was committed ------------------------------------------------------------------------------------------


@pytest.mark.kafka
def test_a_group_that_has_committed_nothing_begins_at_the_start_and_has_lost_nothing(
    log: Log, protocol: Mapping[str, Any]
) -> None:
    log.produce(100)
    log.produce(50, 1)
    log.cut(30)
    with log.reader(protocol) as reader:
        reader.until_read(120)
        assert reader.offsets == {0: list(range(30, 100)), 1: list(range(50))}
        assert (reader.lost, reader.source.held, reader.source.errors) == ({}, {}, {})


def test_the_embedded_broker_is_read_from_the_start() -> None:
    with EmbeddedKafka() as broker:
        log = Log(broker, "topic")
        broker.create_topic("topic", 4, {})
        log.produce(100)
        log.produce(100, 3)
        with log.reader() as reader:
            reader.until_read(200)
            assert reader.offsets == {0: list(range(100)), 3: list(range(100))}
            assert reader.lost == {}


@pytest.mark.kafka
def test_latest_begins_at_the_end_and_marks_the_place_so_that_a_restart_passes_over_nothing(
    log: Log, protocol: Mapping[str, Any]
) -> None:
    log.produce(100)
    with log.reader({**protocol, **LATEST}) as reader:
        reader.until(lambda: log.committed((0, 1)) == {0: 100, 1: 0}, "the place to be marked")
    log.produce(10)
    with log.reader({**protocol, **LATEST}) as reader:
        reader.until_read(10)
        assert (reader.offsets, reader.lost) == ({0: list(range(100, 110))}, {})


@pytest.mark.kafka
def test_error_reads_no_partition_without_a_committed_offset_and_says_so(log: Log) -> None:
    log.produce(10)
    log.produce(10, 1)
    log.commit({1: 5})
    with capture_logs() as logs, log.reader(ERROR) as reader:
        reader.until(lambda: reader.count == 5 and is_held(reader), "the other partition")
        assert {claim.partition: str(why) for claim, why in reader.source.held.items()} == {0: "no-offset"}
        assert reader.lost == {}
    assert events(logs, "partition.not_read") == [{"topic": log.topic, "partition": 0, "reason": "no-offset"}]


# --- what was committed is deleted ----------------------------------------------------------------------------------


@pytest.mark.kafka
def test_earliest_goes_on_at_the_start_of_the_log_and_counts_what_was_deleted(
    log: Log, protocol: Mapping[str, Any]
) -> None:
    log.produce(100)
    log.produce(100, 1)
    log.commit({0: 10, 1: 20})
    log.cut(40)
    with capture_logs() as logs, log.reader(protocol) as reader:
        reader.until_read(140)
        assert reader.offsets == {0: list(range(40, 100)), 1: list(range(20, 100))}
        assert reader.lost == {0: 30}
        log.await_committed({0: 40, 1: 20})
    assert events(logs, "offsets.lost") == [
        {"topic": log.topic, "partition": 0, "from": 10, "to": 40, "count": 30},
    ]


@pytest.mark.kafka
def test_what_was_lost_is_not_lost_again_after_a_restart(log: Log) -> None:
    log.produce(100)
    log.commit({0: 10})
    log.cut(40)
    with log.reader() as reader:
        reader.until(lambda: reader.lost, "the loss")
        log.await_committed({0: 40})
    with log.reader() as reader:
        reader.until_read(60)
        assert (reader.offsets[0], reader.lost) == (list(range(40, 100)), {})


@pytest.mark.kafka
def test_latest_goes_on_at_the_end_and_counts_all_that_it_passes_over(log: Log, protocol: Mapping[str, Any]) -> None:
    log.produce(100)
    log.commit({0: 10, 1: 0})
    log.cut(40)
    with capture_logs() as logs, log.reader({**protocol, **LATEST}) as reader:
        reader.until(lambda: log.committed((0, 1)) == {0: 100, 1: 0}, "the place to be marked")
        log.produce(10)
        reader.until_read(10)
        assert (reader.offsets, reader.lost) == ({0: list(range(100, 110))}, {0: 90})
    assert events(logs, "offsets.lost") == [
        {"topic": log.topic, "partition": 0, "from": 10, "to": 100, "count": 90},
    ]


@pytest.mark.kafka
def test_error_reads_the_partition_no_more_while_the_others_go_on_and_the_worker_stays_a_member(
    log: Log, protocol: Mapping[str, Any]
) -> None:
    log.produce(100)
    log.produce(100, 1)
    log.commit({0: 10, 1: 0})
    log.cut(40)
    with capture_logs() as logs, log.reader({**protocol, **ERROR}) as reader:
        reader.until(lambda: reader.count >= 100 and is_held(reader), "the other partition")
        reader.source.hold([reader.claim(0), reader.claim(1)])
        reader.turns(0.5)
        reader.source.hold([])
        log.produce(10)
        log.produce(10, 1)
        reader.until_read(110)
        reader.turns(1)
        assert reader.offsets == {1: list(range(110))}
        assert {claim: str(why) for claim, why in reader.source.held.items()} == {reader.claim(0): "offsets-lost"}
        assert (len(reader.source.claims), reader.source.rebalances) == (2, 1)
        assert reader.lost == {0: 30}
    assert events(logs, "offsets.lost") == [{"topic": log.topic, "partition": 0, "from": 10, "to": 40, "count": 30}]
    assert log.committed() == {0: 10}


# --- what was read next is deleted ----------------------------------------------------------------------------------


@pytest.mark.kafka
def test_what_is_deleted_in_mid_stream_is_counted_except_what_was_fetched_before(
    log: Log, protocol: Mapping[str, Any]
) -> None:
    log.produce(30_000, size=100)
    log.produce(1_000, 1)
    with log.reader({**protocol, **SMALL_QUEUE}) as reader:
        reader.until_read(2_000)
        log.cut(25_000)
        reader.until(lambda: reader.offsets[0] and reader.position() == 30_000, "the end")
        reader.until(lambda: len(reader.offsets[1]) == 1_000, "the other partition")
        assert reader.offsets[1] == list(range(1_000))
        assert reader.offsets[0][-5_000:] == list(range(25_000, 30_000))
        before = reader.offsets[0][:-5_000]
        assert before == list(range(len(before))), "what was fetched before is read, in order and once"
        assert reader.lost == {0: 25_000 - len(before)}


@pytest.mark.kafka
def test_what_is_deleted_while_a_partition_is_held_back_is_counted_though_it_was_fetched(
    log: Log, protocol: Mapping[str, Any]
) -> None:
    log.produce(1_000)
    with log.reader(protocol) as reader:
        reader.until_read(100)
        first = reader.position()
        reader.source.hold([reader.claim()])
        log.cut(800)
        reader.source.hold([])
        reader.until(lambda: reader.position() == 1_000, "the end")
        assert reader.offsets[0] == [*range(first), *range(800, 1_000)]
        assert reader.lost == {0: 800 - first}
        reader.source.hold([reader.claim()])  # what was read before must not be come back to
        reader.turns(0.2)
        reader.source.hold([])
        log.produce(10)
        reader.until(lambda: reader.position() == 1_010, "what came later")
        assert reader.offsets[0] == [*range(first), *range(800, 1_010)]
        assert reader.lost == {0: 800 - first}


@pytest.mark.kafka
def test_in_mid_stream_latest_passes_over_the_rest_and_error_holds_it(log: Log) -> None:
    log.produce(30_000, size=100)
    log.commit({0: 0, 1: 0})
    with log.reader({**LATEST, **SMALL_QUEUE}) as reader:
        reader.until_read(1_000)
        log.cut(25_000)
        reader.until(lambda: reader.lost, "the loss")
        assert reader.lost == {0: 30_000 - reader.position()}
        assert log.committed() == {0: 0}, "what was read before may be open still: the worker marks it, once settled"
    log.produce(30_000, size=100)  # more than can have been fetched before the cut
    log.commit({0: 26_000})
    with log.reader({**ERROR, **SMALL_QUEUE}) as reader:
        reader.until_read(100)
        log.cut(60_000)
        reader.until(lambda: reader.source.held, "the partition to be held")
        assert reader.lost == {0: 60_000 - reader.position()}


@pytest.mark.kafka
def test_a_partition_that_is_deleted_to_its_end_is_read_on_from_there(log: Log, protocol: Mapping[str, Any]) -> None:
    log.produce(50)
    log.commit({0: 20, 1: 0})
    log.cut(-1)
    with log.reader(protocol) as reader:
        reader.until(lambda: reader.lost, "the loss")
        log.produce(5)
        reader.until_read(5)
        assert (reader.offsets[0], reader.lost) == (list(range(50, 55)), {0: 30})


@pytest.mark.kafka
def test_a_gap_inside_a_log_is_no_loss(log: Log) -> None:
    producer = Producer({"bootstrap.servers": log.broker.bootstrap, "transactional.id": log.group, "log_level": 0})
    producer.init_transactions(PATIENCE)
    for abort in (False, True, False):
        producer.begin_transaction()
        for _ in range(10):
            producer.produce(log.topic, b"x", partition=0)
        assert producer.flush(PATIENCE) == 0
        producer.abort_transaction(PATIENCE) if abort else producer.commit_transaction(PATIENCE)
    with log.reader() as reader:
        reader.until_read(20)
        assert (reader.offsets[0], reader.lost) == ([*range(10), *range(22, 32)], {})


# --- a place that there is not, or not any more ---------------------------------------------------------------------


@pytest.mark.kafka
@pytest.mark.parametrize(("word", "expected"), [("earliest", range(5, 15)), ("latest", range(10, 15)), ("error", ())])
def test_a_committed_place_beyond_the_end_is_told_and_the_policy_says_where_to_go_on(
    log: Log, word: str, expected: range
) -> None:
    log.produce(10)
    log.commit({0: 1_000, 1: 0})
    log.cut(5)
    with capture_logs() as logs, log.reader({"auto.offset.reset": word}) as reader:
        reader.until(lambda: events(logs, "offsets.beyond_end"), "the warning")
        log.produce(5)
        reader.until_read(len(expected))
        assert (reader.offsets[0], reader.lost) == (list(expected), {})
        assert [str(each) for each in reader.source.held.values()] == ["offsets-beyond-end"] * (word == "error")
    where = {"earliest": 5, "latest": 10, "error": None}[word]
    told = {"topic": log.topic, "partition": 0, "committed": 1_000, "end": 10, "on": where}
    assert events(logs, "offsets.beyond_end") == [told]
    log.await_committed({0: 1_000 if where is None else where})


@pytest.mark.kafka
def test_a_topic_that_is_made_anew_while_it_is_read_ends_the_source(broker: Broker, make_topic: TopicFactory) -> None:
    log = Log(broker, make_topic(1))
    log.produce(100)
    with log.reader({"topic.metadata.refresh.interval.ms": 500}) as reader:
        reader.until_read(100)
        admin = broker.admin()
        admin.delete_topics([log.topic])[log.topic].result(PATIENCE)
        broker.create_topic(log.topic, 1, {})
        log.produce(10)
        with pytest.raises(SourceError, match=r"went back from offset 100 to \d+: the topic was made anew, or cut"):
            reader.until(lambda: False, "the end of the source")


# --- the setting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["none", "by_duration", "", "sometimes"])
def test_a_policy_that_librdkafka_does_not_know_is_refused_by_name(word: str) -> None:
    with EmbeddedKafka() as broker, pytest.raises(ClientError, match=rf'earliest, latest or error, not "{word}"'):
        Log(broker, "topic").reader({"auto.offset.reset": word})
