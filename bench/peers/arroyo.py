"""sentry-arroyo: a stream processor over `BatchStep`, `RunTask`, `RunTaskInThreads`, `CommitOffsets`.

Batched first, so that its steps cost per batch and not per event; decoded and encoded in the processor's own thread,
where all the CPU is, and posted in threads, as its documents advise for waiting on others. Its way to more cores,
`RunTaskWithMultiprocessing`, is left out: every contender is one process here.
"""

# mypy: disable-error-code="import-not-found,misc"
from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any, Final

from arroyo.backends.kafka import KafkaConsumer
from arroyo.backends.kafka.configuration import build_kafka_consumer_configuration
from arroyo.commit import ONCE_PER_SECOND
from arroyo.processing import StreamProcessor
from arroyo.processing.strategies import CommitOffsets, ProcessingStrategyFactory, RunTask, RunTaskInThreads
from arroyo.processing.strategies.batching import BatchStep
from arroyo.types import Topic

from bench.peers.posts import Poster
from bench.peers.work import BATCH, CONSUMER, IN_FLIGHT, Work, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

LINGER_SECONDS: Final = 0.1
POLL_SECONDS: Final = 0.05
PENDING: Final = 2 * IN_FLIGHT
"""Batches that may wait for a thread: beyond, the processor sleeps 10 ms before it looks again."""


class Reader(KafkaConsumer):
    """The library's consumer: its processor waits a second for an event, and looks at full batches only then."""

    def poll(self, timeout: float | None = None) -> Any:
        """Wait for a shorter time."""
        del timeout
        return super().poll(POLL_SECONDS)


class Factory(ProcessingStrategyFactory):
    """Makes the chain of steps for each assignment."""

    def __init__(self, work: Work, poster: Poster) -> None:
        self._work = work
        self._poster = poster

    def create_with_partitions(self, commit: Any, partitions: Mapping[Any, int]) -> Any:
        """From the last step to the first."""
        del partitions
        post = RunTaskInThreads(self._post, IN_FLIGHT, PENDING, CommitOffsets(commit))
        return BatchStep(BATCH, LINGER_SECONDS, RunTask(self._encode, post))

    def _encode(self, message: Any) -> bytes:
        record = self._work.record
        return encode(
            [
                record(
                    each.payload.value,
                    each.partition.topic.name,
                    each.partition.index,
                    each.offset,
                    int(each.timestamp.timestamp() * 1000),
                )
                for each in message.payload
            ]
        )

    def _post(self, message: Any) -> None:
        self._poster.post(message.payload)


def main(bootstrap: str, topic: str, group: str, url: str, schema: str) -> None:
    """Post the topic's events until the process is ended."""
    work = Work(url, schema)
    settings = build_kafka_consumer_configuration(
        {}, group, auto_offset_reset="earliest", bootstrap_servers=[bootstrap], override_params=CONSUMER
    )
    factory = Factory(work, Poster(work))
    processor = StreamProcessor(Reader(settings), Topic(topic), factory, ONCE_PER_SECOND)
    signal.signal(signal.SIGTERM, lambda *_: processor.signal_shutdown())
    processor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
