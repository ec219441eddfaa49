"""How many records a topic holds, without reading them."""

from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition


def records(bootstrap: str, topic: str) -> int:
    """The sum over its partitions; nothing in these tests is deleted, and there are no transactions."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "counting", "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10) for number in partitions]
        return sum(end for _, end in ends)
    finally:
        consumer.close()
