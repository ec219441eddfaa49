"""Records written to Kafka, each until it is acknowledged; what was not is told, with the reason."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from worker.edges.cluster import ClusterError, client
from worker.edges.deadletter import ALONE, TOO_LARGE, producer_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.config import Kafka
    from worker.dlq.sending import Outgoing

PATIENCE: Final = 60.0
"""Seconds in which all of a chunk is acknowledged or refused; librdkafka tells of each before, unless set otherwise."""


class Writer:
    """Writes chunks with an idempotent producer that wants all replicas' word; to be closed.

    Raises:
        ClientError: librdkafka refuses a setting.
    """

    def __init__(self, kafka: Kafka, overrides: Mapping[str, Any] | None = None, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._settings = {**producer_settings(kafka), **(overrides or {})}
        self._producer = client(Producer, self._settings)
        self._alone: Producer | None = None

    def write(self, records: Sequence[Outgoing]) -> list[Outgoing]:
        """Write records; those that are too large for their topic, which nobody else's letters have to wait for.

        Raises:
            ClusterError: one was not acknowledged for any other reason; others of the chunk may have been.
        """
        large = self._written(self._producer, records)
        if large:  # perhaps only the batch was
            if self._alone is None:
                self._alone = client(Producer, {**self._settings, **ALONE})
            large = self._written(self._alone, large)
        return large

    def close(self) -> None:
        """Forget what is not acknowledged."""
        for producer in (self._producer, self._alone):
            if producer is not None:
                producer.purge()
                producer.flush(1)

    def _written(self, producer: Producer, records: Sequence[Outgoing]) -> list[Outgoing]:
        large: list[Outgoing] = []
        failed: list[str] = []

        def reported(record: Outgoing) -> Callable[[KafkaError | None, object], None]:
            def report(error: KafkaError | None, _: object) -> None:
                if error is not None and error.code() in TOO_LARGE:
                    large.append(record)
                elif error is not None:
                    failed.append(f"{record.topic}: {error.str()}")

            return report

        for record in records:
            self._produce(producer, record, reported(record))
        silent = producer.flush(self._patience)
        failed += [f"no answer within {self._patience:g} s"] * silent
        if failed:
            raise ClusterError(f"{len(failed)} of {len(records)} were not acknowledged ({failed[0]})")
        return large

    @staticmethod
    def _produce(producer: Producer, record: Outgoing, report: Callable[[KafkaError | None, object], None]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                producer.produce(
                    record.topic,
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=record.partition,
                    timestamp=max(record.timestamp_ms, 0),
                    on_delivery=report,
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise ClusterError("the producer's queue is full, and Kafka takes nothing") from None
                producer.poll(0.1)
            except KafkaException as error:
                report(error.args[0], None)
                return
            else:
                producer.poll(0)
                return
