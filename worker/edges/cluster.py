"""What the worker must know of the Kafka cluster before it reads: its id, and the ids and sizes of its topics."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.config import Kafka

TIMEOUT = 10.0
"""Seconds that a broker has to answer."""

_CLIENT_WIDE = ("security.", "sasl.", "ssl.", "client.", "socket.", "broker.address.")


class ClusterError(Exception):
    """The cluster does not answer, or lacks a topic; the message says which."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """`topic_ids` where the broker gives them (KIP-516); `partitions` of each topic asked for, 0: no such topic."""

    id: str
    topic_ids: Mapping[str, str]
    partitions: Mapping[str, int]

    def require(self, topics: Sequence[str]) -> None:
        """Raise `ClusterError` unless all these topics exist."""
        missing = [topic for topic in topics if not self.partitions.get(topic)]
        if missing:
            raise ClusterError(f"no such topic: {', '.join(missing)}; create it, the worker never does")


def describe(kafka: Kafka, topics: Sequence[str]) -> Cluster:
    """Ask the cluster for its id and for these topics; raises `ClusterError`."""
    settings: dict[str, Any] = {name: value for name, value in kafka.consumer.items() if name.startswith(_CLIENT_WIDE)}
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, **settings}, logger=_silent())
    try:
        found = admin.list_topics(timeout=TIMEOUT)
    except KafkaException as error:
        raise ClusterError(f"{kafka.bootstrap_servers}: no broker answers ({error.args[0].str()})") from None
    partitions = {topic: len(found.topics[topic].partitions) if topic in found.topics else 0 for topic in topics}
    return Cluster(str(found.cluster_id), _topic_ids(admin, [t for t in topics if partitions[t]]), partitions)


def _topic_ids(admin: AdminClient, topics: Sequence[str]) -> dict[str, str]:
    """Topic ids; none from a broker too old to have them: then a topic's name stands for it."""
    if not topics:
        return {}
    try:
        futures = admin.describe_topics(TopicCollection(list(topics)), request_timeout=TIMEOUT)
        described = {topic: future.result() for topic, future in futures.items()}
    except KafkaException:
        return {}
    return {topic: str(each.topic_id) for topic, each in described.items() if each.topic_id is not None}


def _silent() -> Any:
    logger = logging.getLogger("payload_worker.librdkafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
