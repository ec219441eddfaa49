"""Whatever writes to Kafka waits for all replicas, and writes once: as librdkafka itself says that it is set."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from tests.way.stage import until
from worker.config import Kafka
from worker.dlq.writing import Writer
from worker.edges.cluster import client
from worker.edges.deadletter import producer_settings
from worker.producer import PayloadProducer

if TYPE_CHECKING:
    from collections.abc import Iterator

Poll = Callable[[], object]

LOGGER = logging.getLogger("payload_worker.librdkafka")
"""The one that clients of the worker's have."""

NOWHERE = Kafka(bootstrap_servers="127.0.0.1:1")
TOLD: dict[str, Any] = {"debug": "conf", "log_level": 7}
"""Settings with which a client logs all others, the next time that it is polled."""


class Said(logging.Handler):
    """What a client's log says of its settings, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.search(r"  (\S+) = (.*)$", record.getMessage()):
            self.settings[found[1]] = found[2]


@pytest.fixture
def said() -> Iterator[Said]:
    handler = Said()
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)
    yield handler
    LOGGER.removeHandler(handler)


def letters() -> Poll:
    """The dead-letter topic's."""
    producer = client(Producer, {**producer_settings(NOWHERE), **TOLD})
    return lambda: producer.poll(0.1)


def redriven() -> Poll:
    """That of `dlq redrive` and `dlq park`."""
    writer = Writer(NOWHERE, TOLD)
    return lambda: writer.write([])


def services() -> Poll:
    """That of scoring services."""
    producer = PayloadProducer("127.0.0.1:1", **TOLD, logger=LOGGER)
    return lambda: producer.poll(0.1)


@pytest.mark.parametrize("make", [letters, redriven, services])
def test_a_producer_is_idempotent_and_wants_the_word_of_all_replicas(make: Callable[[], Poll], said: Said) -> None:
    poll = make()

    def told() -> bool:
        poll()
        return "request.required.acks" in said.settings

    until(told, "its settings")
    assert said.settings["request.required.acks"] == "-1"
    assert said.settings["enable.idempotence"] == "true"
