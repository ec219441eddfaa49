"""The loop that a good engineer writes in a day: consume, decode, build the records, post 500 of them, commit.

At-least-once, by confluent-kafka, in the worker's own environment. Made a fair opponent: posts go out in threads while
the next batch is decoded, and what was accepted is committed once a second, as far as all before it was.
`python -m bench.naive BOOTSTRAP TOPIC GROUP URL SCHEMA`; it runs until it is ended.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from bench.peers.posts import Poster, Posts
from bench.peers.work import BATCH, COMMIT_SECONDS, CONSUMER, Work, encode

if TYPE_CHECKING:
    from confluent_kafka import Message

POLL_SECONDS: Final = 0.1
"""How long a batch may take to fill; the read returns at once when it has."""

Ends = dict[tuple[str, int], int]
"""Of a batch, the offset after its last event, by topic and partition."""


def main(bootstrap: str, topic: str, group: str, url: str, schema: str) -> None:
    """Post the topic's events until the process is ended."""
    work = Work(url, schema)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **CONSUMER,
        }
    )
    consumer.subscribe([topic])
    posts: Posts[Ends] = Posts(Poster(work))
    stored: Ends = {}
    due = time.monotonic() + COMMIT_SECONDS
    while True:
        messages = consumer.consume(BATCH, timeout=POLL_SECONDS)
        for ends in posts.send(*_batch(work, messages)) if messages else posts.done():
            stored |= ends
        if stored and time.monotonic() >= due:
            offsets = [TopicPartition(*place, offset) for place, offset in stored.items()]
            consumer.commit(offsets=offsets, asynchronous=True)
            stored, due = {}, time.monotonic() + COMMIT_SECONDS


def _batch(work: Work, messages: list[Message]) -> tuple[bytes, Ends]:
    """The body of a post, and where its events end."""
    records: list[dict[str, Any]] = []
    ends: Ends = {}
    for message in messages:
        if error := message.error():
            raise KafkaException(error)
        topic, partition, offset = _place(message)
        records.append(work.record(message.value() or b"", topic, partition, offset, message.timestamp()[1]))
        ends[topic, partition] = offset + 1
    return encode(records), ends


def _place(message: Any) -> tuple[str, int, int]:
    """`Any`, for the type says None of what only errors lack."""
    return message.topic(), message.partition(), message.offset()


if __name__ == "__main__":
    main(*sys.argv[1:])
