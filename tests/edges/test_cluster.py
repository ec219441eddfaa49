"""What is known of the cluster before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from worker.config import Kafka
from worker.edges.cluster import Cluster, ClusterError, Limits, describe, limits

if TYPE_CHECKING:
    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker


def test_topics_are_counted_and_those_that_are_missing_have_none(broker: Broker, make_topic: TopicFactory) -> None:
    topic = make_topic(partitions=4)
    found = describe(Kafka(bootstrap_servers=broker.bootstrap), [topic, "nowhere"])
    assert found.partitions == {topic: 4, "nowhere": 0}
    assert found.id
    found.require([topic])
    with pytest.raises(ClusterError, match=r"no such topic: nowhere; create it"):
        found.require([topic, "nowhere"])


@pytest.mark.kafka
def test_topics_that_are_looked_for_are_not_made_and_each_has_an_id_of_its_own(
    broker: Broker, make_topic: TopicFactory
) -> None:
    topics = [make_topic(partitions=1), make_topic(partitions=3)]
    kafka = Kafka(bootstrap_servers=broker.bootstrap)
    for _ in range(2):
        found = describe(kafka, [*topics, "never-made"])
        assert found.topic_ids.keys() == set(topics)
        assert len(set(found.topic_ids.values())) == 2
        assert [found.partitions[topic] for topic in topics] == [1, 3]
    assert "never-made" not in broker.admin().list_topics(timeout=5).topics


@pytest.mark.kafka
def test_what_topics_take_is_told_by_the_broker(broker: Broker, make_topic: TopicFactory) -> None:
    own = {"max.message.bytes": "4321", "min.insync.replicas": "2", "retention.ms": "-1"}
    log_time = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact,delete", "retention.ms": "7"}
    first, second = make_topic(1, own), make_topic(3, log_time)
    compacted = make_topic(1, {"cleanup.policy": "compact", "retention.ms": "7"})
    found = limits(Kafka(bootstrap_servers=broker.bootstrap), [first, second, compacted])
    assert found[first] == Limits(4321, 2, 1, -1, by_log_time=False, compacted=False)
    assert (found[second].retention_ms, found[second].by_log_time, found[second].compacted) == (7, True, True)
    assert (found[compacted].retention_ms, found[compacted].compacted) == (-1, True), "time deletes nothing of it"


@pytest.mark.kafka
def test_limits_that_are_not_to_be_had_are_an_error(broker: Broker) -> None:
    with pytest.raises(ClusterError, match=r"the topics' limits are not to be had .*[Uu]nknown topic"):
        limits(Kafka(bootstrap_servers=broker.bootstrap), ["never-made"])


def test_every_missing_topic_is_named() -> None:
    with pytest.raises(ClusterError, match=r"no such topic: b, c;"):
        Cluster("c", {}, {"a": 1, "b": 0}).require(["a", "b", "c"])


@pytest.mark.parametrize(
    "settings",
    [
        {"ssl.bogus": "x"},
        {"security.protocol": "x"},
        {"enable.ssl.certificate.verification": "x"},
        {"ssl.ca.location": "/nowhere", "security.protocol": "ssl"},
    ],
)
def test_a_setting_that_librdkafka_refuses_is_an_error_that_names_it(settings: dict[str, Any]) -> None:
    name = next(iter(settings))
    with pytest.raises(ClusterError, match=name.replace(".", r"\.")):
        describe(Kafka(bootstrap_servers="127.0.0.1:1", consumer=settings), [])
