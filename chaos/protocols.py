"""The three ways in which a group shares out partitions, as settings of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

RANGE: Final = "range"
COOPERATIVE: Final = "cooperative-sticky"
CONSUMER: Final = "consumer"

PROTOCOLS: Final[Mapping[str, Mapping[str, str]]] = {
    RANGE: {"KAFKA__CONSUMER__PARTITION_ASSIGNMENT_STRATEGY": "range"},
    # librdkafka may leave a member out of a rebalance that follows another at once: only the broker's patience ends it
    COOPERATIVE: {
        "KAFKA__CONSUMER__PARTITION_ASSIGNMENT_STRATEGY": "cooperative-sticky",
        "KAFKA__CONSUMER__SESSION_TIMEOUT_MS": "6000",
        "KAFKA__CONSUMER__MAX_POLL_INTERVAL_MS": "10000",
    },
    CONSUMER: {"KAFKA__CONSUMER__GROUP_PROTOCOL": "consumer"},
}
