"""The brokers of the tests do what tests need of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer
from confluent_kafka.admin import ConfigResource, ResourceType

from tests.kafka.broker import ApacheKafka, EmbeddedKafka, ExternalKafka, choose

if TYPE_CHECKING:
    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker


def produce(broker: Broker, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
    for number in range(count):
        producer.produce(topic, value=b"%d" % number, key=b"%d" % (number % 7))
    assert producer.flush(30) == 0


def consume(broker: Broker, topic: str, count: int) -> list[Message]:
    settings = {"bootstrap.servers": broker.bootstrap, "group.id": topic, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    messages: list[Message] = []
    for _ in range(300):
        messages += consumer.consume(count, 0.1)
        if len(messages) >= count:
            break
    consumer.close()
    return messages


def values(messages: list[Message]) -> list[int]:
    return sorted(int(message.value() or b"-1") for message in messages)


@pytest.mark.broker
def test_what_is_produced_is_consumed(broker: Broker, make_topic: TopicFactory) -> None:
    topic = make_topic()
    produce(broker, topic, 100)
    assert values(consume(broker, topic, 100)) == list(range(100))


@pytest.mark.kafka
def test_the_broker_is_apache_kafka_in_kraft_mode(broker: Broker) -> None:
    admin = broker.admin()
    node = next(iter(admin.list_topics(timeout=10).brokers))
    resource = ConfigResource(ResourceType.BROKER, str(node))
    settings = admin.describe_configs([resource])[resource].result(10)
    assert "broker" in settings["process.roles"].value


@pytest.mark.kafka
def test_a_topic_has_the_partitions_and_settings_that_were_asked(broker: Broker, make_topic: TopicFactory) -> None:
    topic = make_topic(partitions=3, config={"retention.ms": "123456"})
    admin = broker.admin()
    resource = ConfigResource(ResourceType.TOPIC, topic)
    assert len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 3
    assert admin.describe_configs([resource])[resource].result(10)["retention.ms"].value == "123456"


def test_the_embedded_broker_stores_and_gives_back() -> None:
    with EmbeddedKafka() as embedded:
        embedded.create_topic("some-topic", 4, {})
        produce(embedded, "some-topic", 100)
        assert values(consume(embedded, "some-topic", 100)) == list(range(100))


@pytest.mark.kafka
def test_a_broker_comes_back_from_a_kill_with_its_data_and_from_a_freeze(broker: Broker) -> None:
    if not isinstance(broker, ApacheKafka):
        pytest.skip("the broker in use is not ours to kill")
    with ApacheKafka() as own:
        own.create_topic("kept", 1, {})
        produce(own, "kept", 10)
        address = own.bootstrap
        own.kill()
        own.start()
        assert own.bootstrap == address
        assert values(consume(own, "kept", 10)) == list(range(10))
        own.freeze()
        with pytest.raises(KafkaException):
            own.admin().list_topics(timeout=1)
        own.thaw()
        assert "kept" in own.admin().list_topics(timeout=30).topics


def test_an_address_in_the_environment_is_preferred_to_a_broker_of_our_own() -> None:
    chosen = choose({"KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9092"})
    assert isinstance(chosen, ExternalKafka)
    assert chosen.bootstrap == "kafka.example:9092"
