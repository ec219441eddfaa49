"""Where a dead-lettered record first was, by its headers, in each of the conventions that people's tools write."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Headers = Sequence[tuple[str, bytes | None]]
    Place = tuple[str, int, int]
    """Topic, partition, offset."""

KIP = "__dlq.errors."
"""Prefix of the headers of KIP-1191, which are UTF-8 texts; the worker's own letters have them unless set otherwise."""

CONNECT = "__connect.errors."
"""Prefix of those of Kafka Connect (`DeadLetterQueueReporter`), texts too."""

SPRING = "kafka_dlt-"
"""Prefix of those of Spring Kafka (`DeadLetterPublishingRecoverer`): numbers there are big-endian bytes."""

OWN = "payload-worker."
"""Prefix of the worker's own headers, beside any of them."""

REDRIVES = f"{OWN}redrive.count"
"""How often a record was redriven; it stays on the record, in the topic of events and in that of dead letters."""

TIMESTAMP = f"{OWN}timestamp"
"""The record's own Kafka timestamp, in milliseconds since 1970: a topic by log-append time does not keep it."""

_DIGITS = 19
"""Of the largest offset."""

_PARTITIONS, _OFFSETS = 1 << 31, 1 << 63
"""Kafka's partitions are below the one, its offsets below the other: an int and a long."""

_NEGATIVE = 0x80
"""The sign's bit of the first byte of a Java number."""

_TEXTS = {prefix: (f"{prefix}topic", f"{prefix}partition", f"{prefix}offset") for prefix in (KIP, CONNECT)}
_BYTES = (f"{SPRING}original-topic", f"{SPRING}original-partition", f"{SPRING}original-offset")


def convention(headers: Mapping[str, bytes | None]) -> str | None:
    """The prefix of the convention in which a record's place is told: KIP-1191's wins, then Connect's."""
    if _TEXTS[KIP][0] in headers:
        return KIP
    if _TEXTS[CONNECT][0] in headers:
        return CONNECT
    return SPRING if _BYTES[0] in headers else None


def place(headers: Headers) -> Place | None:
    """The place that headers tell of; None without, or where it cannot be read."""
    by_name = dict(headers)
    prefix = convention(by_name)
    if prefix is None:
        return None
    if prefix == SPRING:  # which appends its headers at each dead-lettering: the first are the first place's
        by_name = dict(reversed(headers))
        return _place(by_name, _BYTES, binary)
    return _place(by_name, _TEXTS[prefix], decimal)


def _place(
    headers: Mapping[str, bytes | None], names: tuple[str, str, str], number: Callable[[bytes], int | None]
) -> Place | None:
    topic = topic_name(headers.get(names[0]))
    partition, offset = (number(headers.get(name) or b"") for name in names[1:])
    if topic is None or partition is None or offset is None:
        return None
    return (topic, partition, offset) if partition < _PARTITIONS and offset < _OFFSETS else None


def topic_name(value: bytes | None) -> str | None:
    """A topic's name; None for what is none."""
    try:
        return value.decode() if value else None
    except UnicodeDecodeError:
        return None


def decimal(value: bytes) -> int | None:
    """A number as a text of digits; None for anything else."""
    return int(value) if len(value) <= _DIGITS and value.isdigit() else None


def binary(value: bytes) -> int | None:
    """A number as a Java int or long; None for other sizes and for negative ones."""
    return int.from_bytes(value, "big") if len(value) in (4, 8) and value[0] < _NEGATIVE else None
