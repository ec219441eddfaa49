"""From a record's bytes to an `Event`: framing, writer schema, Avro."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.model import Disposition, Envelope, Event, Refusal
from worker.rooms.framing import (
    CONFLUENT_SIZE,
    Framed,
    SchemaGuid,
    SchemaId,
    SchemaRef,
    TopicSchema,
    confluent_header,
    in_headers,
    inflated,
    read_framing,
)
from worker.rooms.sizes import size_refusal
from worker.rooms.writer_schema import Reader, TrailingBytesError

if TYPE_CHECKING:
    from collections.abc import Callable

Asked = SchemaId | SchemaGuid
"""What a registry can be asked for."""


@dataclass(frozen=True, slots=True)
class SchemaBook:
    """The writer schemas that are known, by every name that a framing can give them.

    `asks`: there is a registry, which is asked for what is not in `readers`. `refused` is what is known not to be
    readable, and why.
    """

    readers: dict[SchemaRef, Reader]
    asks: bool = False
    refused: dict[SchemaRef, Refusal] = field(default_factory=dict)
    bare_topics: frozenset[str] = field(init=False, repr=False, compare=False)
    sound: dict[bytes, Callable[[bytes, int], Event]] = field(init=False, repr=False, compare=False)
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

    def add(self, name: SchemaRef, reader: Reader) -> None:
        """Take in a schema that a registry has."""
        self.readers[name] = reader
        if isinstance(name, SchemaId) and reader.sound is not None:
            self.sound[confluent_header(name)] = reader.sound

    def missing(self, name: SchemaRef) -> Refusal | Asked:
        """Why there is no reader of that name; or the name itself, if the registry is to be asked for it."""
        if self.asks and isinstance(name, Asked) and name not in self.refused and not _impossible(name):
            return name
        return self.refused.get(name) or unknown(name, "the schema directory")


def _impossible(name: Asked) -> bool:
    """Whether no registry can have it: ids are Java's ints, and of others registries do not say that they have none."""
    return isinstance(name, SchemaId) and name.id >= 1 << 31


def unknown(name: SchemaRef, place: str) -> Refusal:
    """A schema that is not there; `place`: where it was looked for."""
    detail = f"{name} is not in {place}: add it to index.json, or correct the producer"
    return Refusal(Disposition.SCHEMA, "unknown-schema", detail)


@dataclass(frozen=True, slots=True)
class Decoder:
    """The first room. `limit` is the most bytes that a record's value may have."""

    schemas: SchemaBook
    limit: int

    def event(self, envelope: Envelope) -> Event | Refusal | Asked:
        """The event of one record, or why it has none; the name of its schema where that is to be asked for."""
        value = envelope.value
        if not value or len(value) > self.limit:
            return size_refusal(value, self.limit)
        read = self.schemas.sound.get(value[:CONFLUENT_SIZE])
        topic, headers = envelope.claim.topic, envelope.headers
        if read is not None and topic not in self.schemas.bare_topics and not (headers and in_headers(headers)):
            try:
                return read(value, CONFLUENT_SIZE)
            except Exception:  # noqa: BLE001, S110 - bad bytes raise whatever they run into
                pass  # the way below reads what is only unsound, and has the words for what is bad
        bare, readers = self.schemas.bare(topic), self.schemas.readers
        framed = read_framing(value, topic, bare=bare, headers=headers, known=readers)
        if not isinstance(framed, Framed):
            return Refusal(Disposition.DECODE, "no-framing", framed)
        reader = readers.get(framed.schema)
        if reader is None:
            return self.schemas.missing(framed.schema)
        return self._inflated(reader, value, framed.start) if framed.compressed else _read(reader, value, framed.start)

    def _inflated(self, reader: Reader, value: bytes, start: int) -> Event | Refusal:
        try:
            body = inflated(value, start, self.limit)
        except zlib.error:
            return Refusal(Disposition.DECODE, "not-zlib", "the body is not the zlib stream that its header says it is")
        if body is None:
            detail = f"the body has more than the {self.limit} bytes that limits.event_bytes allows, once inflated"
            return Refusal(Disposition.TOO_LARGE, "event-too-large", detail)
        return _read(reader, body, 0)


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
