"""Which writer schema a record's bytes name, and where its Avro body begins."""

from __future__ import annotations

from dataclasses import dataclass

CONFLUENT_MAGIC = 0
"""First byte of Confluent's wire format; four bytes of schema id follow, big-endian."""

CONFLUENT_SIZE = 5
"""Bytes of that header."""

SINGLE_OBJECT_MARKER = b"\xc3\x01"
"""First bytes of Avro's single-object encoding; eight bytes of CRC-64-AVRO fingerprint follow, little-endian."""


@dataclass(frozen=True, slots=True)
class SchemaId:
    """A schema named by its id in a registry (Confluent wire format)."""

    id: int

    def __str__(self) -> str:
        return f"schema id {self.id}"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A schema named by the CRC-64-AVRO fingerprint of its canonical form (Avro specification)."""

    value: int

    def __str__(self) -> str:
        return f"schema fingerprint {self.value:016x}"


@dataclass(frozen=True, slots=True)
class TopicSchema:
    """The schema that the settings name for a topic of bare bodies."""

    topic: str

    def __str__(self) -> str:
        return f"schema of topic {self.topic}"


SchemaRef = SchemaId | Fingerprint | TopicSchema


def confluent_header(schema: SchemaId) -> bytes:
    """How every body begins that Confluent's wire format says was written with this schema."""
    return bytes([CONFLUENT_MAGIC]) + schema.id.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Framed:
    """What the framing says: the writer schema's name, and the offset in bytes of the Avro body."""

    schema: SchemaRef
    start: int


def read_framing(value: bytes, topic: str, *, bare: bool) -> Framed | str:
    """Recognise the framing of a value; a sentence where there is none.

    A bare body may begin with any byte but the single-object marker: read as a union's index that would be -98.
    """
    if value[:2] == SINGLE_OBJECT_MARKER:
        if len(value) < 10:
            return "the single-object header is cut: 10 bytes are needed"
        return Framed(Fingerprint(int.from_bytes(value[2:10], "little")), 10)
    if bare:
        return Framed(TopicSchema(topic), 0)
    if value[0] == CONFLUENT_MAGIC:
        if len(value) < 5:
            return "the Confluent header is cut: 5 bytes are needed"
        return Framed(SchemaId(int.from_bytes(value[1:5], "big")), 5)
    return (
        f"the first byte is {value[0]:#04x}: neither Confluent's 0x00 nor the single-object marker 0xc3 0x01, "
        "and the topic is not set as one of bare bodies"
    )
