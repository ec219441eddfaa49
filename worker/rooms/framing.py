"""Which writer schema a record's bytes or headers name, and where its Avro body begins."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    Headers = Sequence[tuple[str, bytes | None]]

CONFLUENT_MAGIC = 0
"""First byte of Confluent's wire format; four bytes of schema id follow, big-endian."""

CONFLUENT_SIZE = 5
"""Bytes of that header."""

SINGLE_OBJECT_MARKER = b"\xc3\x01"
"""First bytes of Avro's single-object encoding; eight bytes of CRC-64-AVRO fingerprint follow, little-endian."""

VALUE_SCHEMA = "__value_schema_id"
"""Kafka header of Confluent's newer serialisers: 0 and four bytes of schema id, or 1 and sixteen of GUID."""

GLUE_MAGIC = 3
"""First byte of AWS Glue's header; then 0 or 5 for a body that is plain or zlib's, and sixteen bytes of UUID."""

GLUE_SIZE = 18
"""Bytes of that header."""

_GLUE_COMPRESSED = {0: False, 5: True}


@dataclass(frozen=True, slots=True)
class SchemaId:
    """A schema named by its id in a registry (Confluent wire format)."""

    id: int

    def __str__(self) -> str:
        return f"schema id {self.id}"


@dataclass(frozen=True, slots=True)
class SchemaGuid:
    """A schema named by its GUID in a registry (the header of Confluent's serializers of 2025 and later)."""

    guid: UUID

    def __str__(self) -> str:
        return f"schema {self.guid}"


@dataclass(frozen=True, slots=True)
class GlueVersion:
    """A schema named by the UUID of its version in an AWS Glue registry."""

    uuid: UUID

    def __str__(self) -> str:
        return f"Glue schema version {self.uuid}"


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


SchemaRef = SchemaId | SchemaGuid | GlueVersion | Fingerprint | TopicSchema


def confluent_header(schema: SchemaId) -> bytes:
    """How every body begins that Confluent's wire format says was written with this schema."""
    return bytes([CONFLUENT_MAGIC]) + schema.id.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Framed:
    """What the framing says: the writer schema's name, and the offset in bytes of the Avro body.

    `compressed`: the body is a zlib stream.
    """

    schema: SchemaRef
    start: int
    compressed: bool = False


def in_headers(headers: Headers) -> bool:
    """Whether the schema is named by a header of the record, and not by its value."""
    for name, _ in headers:  # noqa: SIM110 - asked of every record that has headers, and any() takes three times as long
        if name == VALUE_SCHEMA:
            return True
    return False


def read_framing(
    value: bytes, topic: str, *, bare: bool, headers: Headers = (), known: Container[SchemaRef] = ()
) -> Framed | str:
    """Recognise the framing of a value that is not empty; a sentence where there is none.

    A header decides before the bytes do. A bare body may begin with any byte but the single-object marker, which read
    as a union's index would be -98; as Glue's it is only taken where the sixteen bytes of UUID are `known`.
    """
    if headers and in_headers(headers):
        return _from_header(headers)
    if bare and value[:2] != SINGLE_OBJECT_MARKER:
        glue = _glue(value) if value[0] == GLUE_MAGIC else ""
        return glue if isinstance(glue, Framed) and glue.schema in known else Framed(TopicSchema(topic), 0)
    return _from_bytes(value)


def _from_bytes(value: bytes) -> Framed | str:
    if value[0] == CONFLUENT_MAGIC:
        if len(value) < CONFLUENT_SIZE:
            return "the Confluent header is cut: 5 bytes are needed"
        return Framed(SchemaId(int.from_bytes(value[1:5], "big")), CONFLUENT_SIZE)
    if value[:2] == SINGLE_OBJECT_MARKER:
        if len(value) < 10:
            return "the single-object header is cut: 10 bytes are needed"
        return Framed(Fingerprint(int.from_bytes(value[2:10], "little")), 10)
    if value[0] == GLUE_MAGIC:
        return _glue(value)
    return (
        f"the first byte is {value[0]:#04x}: neither Confluent's 0x00, AWS Glue's 0x03 nor the single-object marker "
        f"0xc3 0x01; there is no header {VALUE_SCHEMA}, and the topic is not set as one of bare bodies"
    )


def _from_header(headers: Headers) -> Framed | str:
    """The last of that name counts, as for Confluent's own clients."""
    named = [value for name, value in headers if name == VALUE_SCHEMA][-1] or b""
    if len(named) == CONFLUENT_SIZE and named[0] == CONFLUENT_MAGIC:
        return Framed(SchemaId(int.from_bytes(named[1:], "big")), 0)
    if len(named) == 17 and named[0] == 1:
        return Framed(SchemaGuid(UUID(bytes=named[1:])), 0)
    return f"the header {VALUE_SCHEMA} is neither 0x00 with 4 bytes of schema id nor 0x01 with 16 of GUID"


def _glue(value: bytes) -> Framed | str:
    if len(value) < GLUE_SIZE:
        return "the AWS Glue header is cut: 18 bytes are needed"
    compressed = _GLUE_COMPRESSED.get(value[1])
    if compressed is None:
        return f"the second byte of the AWS Glue header is {value[1]:#04x}: neither 0 (plain) nor 5 (zlib)"
    return Framed(GlueVersion(UUID(bytes=value[2:GLUE_SIZE])), GLUE_SIZE, compressed)


def inflated(value: bytes, start: int, limit: int) -> bytes | None:
    """The body of a zlib stream that begins at `start` and ends with the value; None where it has more than `limit`.

    Raises:
        zlib.error: it is no such stream.
    """
    stream = zlib.decompressobj()
    body = stream.decompress(memoryview(value)[start:], limit + 1)
    if len(body) > limit:
        return None
    if not stream.eof or stream.unused_data:
        raise zlib.error
    return body
