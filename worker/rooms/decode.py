"""From a record's bytes to an `Event`: framing, writer schema, Avro."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from worker.model import Body, Disposition, Envelope, Event, Refusal, Rejection, Table
from worker.rooms.framing import Framed, SchemaRef, TopicSchema, read_framing
from worker.rooms.writer_schema import Reader, TrailingBytesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SchemaBook:
    """The writer schemas that are known, by every name that a framing can give them."""

    readers: Mapping[SchemaRef, Reader]

    def bare(self, topic: str) -> bool:
        """Whether the bodies of a topic stand without a framing."""
        return TopicSchema(topic) in self.readers


@dataclass(frozen=True, slots=True)
class Decoder:
    """The first room. `limit` is the most bytes that a record's value may have."""

    schemas: SchemaBook
    limit: int

    def decode(self, envelopes: Iterable[Envelope]) -> tuple[list[tuple[Envelope, Event]], list[Rejection]]:
        """Decode a chunk; records that cannot be are rejected as `decode`, `schema` or `too-large`."""
        passed: list[tuple[Envelope, Event]] = []
        rejected: list[Rejection] = []
        for envelope in envelopes:
            event = self._decode(envelope)
            if isinstance(event, Event):
                passed.append((envelope, event))
            else:
                rejected.append(Rejection(envelope, event))
        return passed, rejected

    def _decode(self, envelope: Envelope) -> Event | Refusal:
        value = envelope.value
        if not value or len(value) > self.limit:
            return self._size_refusal(value)
        topic = envelope.claim.topic
        framed = read_framing(value, topic, bare=self.schemas.bare(topic))
        if not isinstance(framed, Framed):
            return Refusal(Disposition.DECODE, "no-framing", framed)
        reader = self.schemas.readers.get(framed.schema)
        if reader is None:
            return Refusal(
                Disposition.SCHEMA,
                "unknown-schema",
                f"{framed.schema} is not in the schema directory: add it to index.json, or correct the producer",
            )
        return _read(reader, value, framed.start)

    def _size_refusal(self, value: bytes | None) -> Refusal:
        if value is None:
            return Refusal(Disposition.DECODE, "tombstone", "the record has no value (a tombstone)")
        if not value:
            return Refusal(Disposition.DECODE, "empty-value", "the record's value has no bytes")
        return Refusal(
            Disposition.TOO_LARGE,
            "event-too-large",
            f"the value has {len(value)} bytes; limits.event_bytes allows {self.limit}",
        )


def _read(reader: Reader, value: bytes, start: int) -> Event | Refusal:
    try:
        return _event(reader.read(value, start))
    except TrailingBytesError as error:
        return Refusal(
            Disposition.DECODE,
            "trailing-bytes",
            f"{error} bytes are left over behind the body written as {reader.name}",
        )
    except Exception as error:  # noqa: BLE001 - bad bytes raise whatever they run into; all mean the same
        return Refusal(
            Disposition.DECODE,
            "not-avro",
            f"the bytes are not a body written with schema {reader.name} ({type(error).__name__})",
        )


def _event(record: dict[str, Any]) -> Event:
    scored_at = record["scored_at"]
    return Event(
        record["binding"],
        record["asset"],
        record["deployment"],
        record["scoring_id"],
        scored_at if scored_at is None or scored_at.__class__ is int else (scored_at - _EPOCH) // _MICROSECOND,
        record["response_time_ms"],
        _content(record["request"]),
        _content(record["response"]),
        record["attributes"],
    )


def _content(record: dict[str, Any]) -> Body | Table:
    if "data" in record:
        return Body(record["content_type"], record["data"])
    return Table(record["fields"] or None, record["values"], record["meta"])
