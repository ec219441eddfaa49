"""A consumer of Kafka's that is told what to read, and joins no group; its group only keeps positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from worker.edges.claims import SourceError
from worker.edges.cluster import client

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.config import Kafka

_OF_MEMBERS = ("group.", "partition.assignment.", "session.timeout.", "heartbeat.", "max.poll.", "auto.")
"""How settings begin that are for members of a group."""

_DEFAULTS: dict[str, Any] = {
    "fetch.queue.backoff.ms": 20,
    "queued.max.messages.kbytes": 4_096,
    "fetch.max.bytes": 2 * 1024 * 1024,
}
_FIXED: dict[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,  # the last offsets of a span may hold no record
}


def consumer(
    kafka: Kafka, group: str | None, *, on_commit: Callable[..., None], on_error: Callable[..., None]
) -> Consumer:
    """One that keeps its positions in `group`, None: nowhere; raises `ClientError`."""
    own = {name: value for name, value in kafka.consumer.items() if not name.startswith(_OF_MEMBERS)}
    settings = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "group.id": group or kafka.group_id,  # a name has to be given, though none is joined
        **_DEFAULTS,
        **own,
        **_FIXED,
        "on_commit": on_commit,
        "error_cb": on_error,
    }
    return client(Consumer, settings)


def set_back(consumer: Consumer, places: list[TopicPartition]) -> None:
    """Commit these places, whatever was committed before; raises `SourceError`.

    Else what is stopped before its first commit would go on where the replay before it had ended.
    """
    try:
        answers = consumer.commit(offsets=places, asynchronous=False) or ()
        failed = next((each.error for each in answers if each.error is not None), None)
    except KafkaException as error:
        failed = error.args[0]
    if failed is not None:
        raise SourceError(f"the replay's group could not be set back ({failed.str()}); nothing was replayed")
