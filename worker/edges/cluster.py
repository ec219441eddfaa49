"""What the worker must know of the Kafka cluster before it reads: its id, its topics and what these take."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.config import Kafka

C = TypeVar("C")
log = structlog.get_logger()

TIMEOUT = 10.0
"""Seconds that a broker has to answer."""

_NO_TOPIC_IDS = (
    KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001 - librdkafka's own codes begin so
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
)
"""What a broker answers that has no topic ids, or does not tell this client."""

_CLIENT_WIDE = ("security.", "sasl.", "ssl.", "enable.ssl.", "client.", "socket.", "broker.address.", "log")
"""How settings begin that a consumer shares with every other client."""


class ClusterError(Exception):
    """The cluster does not answer, or lacks a topic; the message says which."""


class ClientError(ClusterError):
    """Librdkafka refuses a setting; the message names it."""


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


@dataclass(frozen=True, slots=True)
class Limits:
    """What a topic takes and keeps.

    `message_bytes` is for a batch as it is stored, compressed or not; `replicas` those of its thinnest partition;
    `retention_ms` is -1 for ever. `by_log_time`: a record's age counts from when it was written, not from its own
    timestamp. `compacted`: of records with one key only the last is kept, and a record without a key is refused.
    """

    message_bytes: int
    min_insync_replicas: int
    replicas: int
    retention_ms: int
    by_log_time: bool
    compacted: bool


def describe(kafka: Kafka, topics: Sequence[str]) -> Cluster:
    """Ask the cluster for its id and for these topics; raises `ClusterError`."""
    admin = admin_client(kafka)
    found = _metadata(admin, kafka)
    partitions = {topic: len(found.topics[topic].partitions) if topic in found.topics else 0 for topic in topics}
    known = [topic for topic in topics if partitions[topic]]
    has_controller = found.controller_id in found.brokers
    return Cluster(str(found.cluster_id), _topic_ids(admin, known) if has_controller else {}, partitions)


def limits(kafka: Kafka, topics: Sequence[str]) -> dict[str, Limits]:
    """Ask for the limits of topics that exist.

    Raises:
        ClusterError: they are not to be had: no right, a broker that does not tell, or none that answers.
    """
    admin = admin_client(kafka)
    found = _metadata(admin, kafka)
    if found.controller_id not in found.brokers:
        raise ClusterError("this broker does not tell its topics' limits")
    try:
        futures = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic) for topic in topics])
        described = {resource.name: future.result(TIMEOUT) for resource, future in futures.items()}
        return {topic: _limits(config, found.topics[topic]) for topic, config in described.items()}
    except KafkaException as error:
        raise ClusterError(f"the topics' limits are not to be had ({error.args[0].str()})") from None
    except (KeyError, TypeError, ValueError, TimeoutError):
        raise ClusterError("the topics' limits are not to be had in full") from None


def _limits(config: Mapping[str, Any], topic: Any) -> Limits:
    """Of a topic's settings, by name, and its metadata."""
    return Limits(
        message_bytes=int(config["max.message.bytes"].value),
        min_insync_replicas=int(config["min.insync.replicas"].value),
        replicas=min(len(partition.replicas) for partition in topic.partitions.values()),
        retention_ms=int(config["retention.ms"].value) if "delete" in config["cleanup.policy"].value else -1,
        by_log_time=config["message.timestamp.type"].value == "LogAppendTime",
        compacted="compact" in config["cleanup.policy"].value,
    )


def _metadata(admin: AdminClient, kafka: Kafka) -> Any:
    try:
        return admin.list_topics(timeout=TIMEOUT)
    except KafkaException as error:
        raise ClusterError(f"{kafka.bootstrap_servers}: no broker answers ({error.args[0].str()})") from None


def _topic_ids(admin: AdminClient, topics: Sequence[str]) -> dict[str, str]:
    """Topic ids; none from a broker that has none: then a topic's name stands for it.

    Only that may leave them out: a worker that took a broker's silence for it would derive other scoring ids than the
    one before, and store twice what is delivered again.
    """
    if not topics:
        return {}
    try:
        futures = admin.describe_topics(TopicCollection(list(topics)), request_timeout=TIMEOUT)
        described = {topic: future.result() for topic, future in futures.items()}
    except KafkaException as error:
        if error.args[0].code() in _NO_TOPIC_IDS:
            return {}
        raise ClusterError(f"the topics' ids are not to be had ({error.args[0].str()})") from None
    return {topic: str(each.topic_id) for topic, each in described.items() if each.topic_id is not None}


def admin_client(kafka: Kafka) -> AdminClient:
    """A client for questions; raises `ClientError`. It counts as false (it has a length): compare it with None."""
    return client(AdminClient, connection_settings(kafka))


def connection_settings(kafka: Kafka) -> dict[str, Any]:
    """What every client needs to connect: the address, and what `kafka.consumer` says of connections."""
    settings: dict[str, Any] = {name: value for name, value in kafka.consumer.items() if name.startswith(_CLIENT_WIDE)}
    return {"bootstrap.servers": kafka.bootstrap_servers, **settings}


def client(kind: Callable[..., C], settings: dict[str, Any]) -> C:
    """Make a client of Kafka.

    Raises:
        ClientError: librdkafka refuses a setting.
    """
    try:
        return kind(settings, logger=_logger())
    except (KafkaException, TypeError, ValueError) as error:
        text = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        raise ClientError(f"kafka.consumer or kafka.producer: {text}") from None


class _Forward(logging.Handler):
    """Gives librdkafka's own log lines to the worker's log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("kafka.client", text=record.getMessage())


def _logger() -> logging.Logger:
    logger = logging.getLogger("payload_worker.librdkafka")
    if not logger.handlers:
        logger.addHandler(_Forward())
        logger.propagate = False
        logger.setLevel(logging.DEBUG)
    return logger
