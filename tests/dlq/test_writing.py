"""What goes back to Kafka: acknowledged, or told; a record that is too large holds up nobody else's."""

from __future__ import annotations

from contextlib import closing

import pytest

from worker.config import Kafka
from worker.dlq.sending import Outgoing
from worker.dlq.writing import Writer
from worker.edges.cluster import ClusterError

NOWHERE = Kafka(bootstrap_servers="127.0.0.1:1", producer={"log_level": "0"})
SOON = {"message.timeout.ms": 300}


def record(size: int = 1) -> Outgoing:
    return Outgoing("t", 0, -1, None, b"x" * size, ())


def test_what_no_broker_has_acknowledged_is_not_called_written() -> None:
    with closing(Writer(NOWHERE, SOON)) as writer, pytest.raises(ClusterError, match=r"^2 of 2 were not acknowledged"):
        writer.write([record(), record()])


def test_what_is_still_open_when_patience_ends_is_not_called_written_and_all_of_it_is_counted() -> None:
    """As where `kafka.producer` lets librdkafka try for longer."""
    with (
        closing(Writer(NOWHERE, {"message.timeout.ms": 60_000}, patience=0.3)) as writer,
        pytest.raises(ClusterError, match=r"^3 of 3 were not acknowledged \(no answer within 0\.3 s\)"),
    ):
        writer.write([record()] * 3)


def test_what_is_larger_than_a_record_may_be_is_given_back_and_not_lost() -> None:
    large = record(5000)
    with closing(Writer(NOWHERE, {**SOON, "message.max.bytes": 1000, "batch.size": 1000})) as writer:
        assert writer.write([large]) == [large]
