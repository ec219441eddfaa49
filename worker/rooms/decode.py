"""From a record's bytes to an `Event`: framing, writer schema, Avro."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.model import Disposition, Envelope, Event, Refusal
from worker.rooms.framing import (
    CONFLUENT_SIZE,
    Framed,
    SchemaId,
    SchemaRef,
    TopicSchema,
    confluent_header,
    read_framing,
)
from worker.rooms.writer_schema import Reader, TrailingBytesError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class SchemaBook:
    """The writer schemas that are known, by every name that a framing can give them."""

    readers: Mapping[SchemaRef, Reader]
    bare_topics: frozenset[str] = field(init=False, repr=False, compare=False)
    sound: Mapping[bytes, Callable[[bytes, int], Event]] = field(init=False, repr=False, compare=False)
    """The readers of sound events, by Confluent's header of what they read."""

    def __post_init__(self) -> None:
        topics = (name.topic for name in self.readers if isinstance(name, TopicSchema))
        object.__setattr__(self, "bare_topics", frozenset(topics))
        found = {
            confluent_header(name): reader.sound
            for name, reader in self.readers.items()
            if isinstance(name, SchemaId) and 0 <= name.id < 1 << 32 and reader.sound is not None
        }
        object.__setattr__(self, "sound", found)

    def bare(self, topic: str) -> bool:
        """Whether the bodies of a topic stand without a framing."""
        return topic in self.bare_topics


@dataclass(frozen=True, slots=True)
class Decoder:
    """The first room. `limit` is the most bytes that a record's value may have."""

    schemas: SchemaBook
    limit: int

    def event(self, envelope: Envelope) -> Event | Refusal:
        """The event of one record, or why it has none."""
        value = envelope.value
        if not value or len(value) > self.limit:
            return self._size_refusal(value)
        read = self.schemas.sound.get(value[:CONFLUENT_SIZE])
        if read is not None and envelope.claim.topic not in self.schemas.bare_topics:
            try:
                return read(value, CONFLUENT_SIZE)
            except Exception:  # noqa: BLE001, S110 - bad bytes raise whatever they run into
                pass  # the way below reads what is only unsound, and has the words for what is bad
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
        return reader.event(value, start)
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
