"""Each framing names its schema and its body's place; what is none says so."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rooms import fuzz_framings
from worker.rooms.framing import (
    VALUE_SCHEMA,
    Fingerprint,
    Framed,
    GlueVersion,
    SchemaGuid,
    SchemaId,
    TopicSchema,
    inflated,
    read_framing,
)

UUIDS = st.uuids()
ID_HEADER = b"\x00\x00\x00\x00\x07"


@given(st.integers(0, 2**32 - 1), st.binary())
def test_a_confluent_header_names_its_schema_id_in_network_order(number: int, body: bytes) -> None:
    framed = read_framing(struct.pack(">BI", 0, number) + body, "t", bare=False)
    assert framed == Framed(SchemaId(number), 5)


@given(number=st.integers(0, 2**64 - 1), body=st.binary(), bare=st.booleans())
def test_a_single_object_header_names_its_fingerprint_little_endian_on_any_topic(
    number: int, body: bytes, *, bare: bool
) -> None:
    framed = read_framing(b"\xc3\x01" + struct.pack("<Q", number) + body, "t", bare=bare)
    assert framed == Framed(Fingerprint(number), 10)


@given(uuid=UUIDS, body=st.binary(), compressed=st.booleans())
def test_a_glue_header_names_the_uuid_of_a_schema_version(uuid: UUID, body: bytes, *, compressed: bool) -> None:
    value = bytes([3, 5 if compressed else 0]) + uuid.bytes + body
    assert read_framing(value, "t", bare=False) == Framed(GlueVersion(uuid), 18, compressed)


@given(uuid=UUIDS, body=st.binary())
def test_on_a_topic_of_bare_bodies_a_value_is_glues_only_where_its_uuid_is_known(uuid: UUID, body: bytes) -> None:
    """Eighteen bytes that a body begins with by chance must not make it another schema's."""
    value = b"\x03\x00" + uuid.bytes + body
    assert read_framing(value, "t", bare=True, known={GlueVersion(uuid)}) == Framed(GlueVersion(uuid), 18)
    assert read_framing(value, "t", bare=True, known={SchemaGuid(uuid)}) == Framed(TopicSchema("t"), 0)


@given(value=st.binary(min_size=1), number=st.integers(0, 2**32 - 1), guid=UUIDS, bare=st.booleans())
def test_a_header_of_the_record_decides_whatever_its_value_looks_like(
    value: bytes, number: int, guid: UUID, *, bare: bool
) -> None:
    by_id = [("trace", b"x"), (VALUE_SCHEMA, struct.pack(">BI", 0, number))]
    assert read_framing(value, "t", bare=bare, headers=by_id) == Framed(SchemaId(number), 0)
    by_guid = [*by_id, (VALUE_SCHEMA, b"\x01" + guid.bytes)]
    assert read_framing(value, "t", bare=bare, headers=by_guid) == Framed(SchemaGuid(guid), 0), "the last one counts"


@pytest.mark.parametrize("named", [None, b"", b"\x00", b"\x00\0\0\0", ID_HEADER + b"\0", b"\x01" * 16, b"\x02" * 17])
def test_a_schema_header_of_another_form_is_refused_and_the_bytes_are_not_guessed_at(named: bytes | None) -> None:
    found = read_framing(ID_HEADER + b"body", "t", bare=False, headers=[(VALUE_SCHEMA, named)])
    assert isinstance(found, str)
    assert VALUE_SCHEMA in found


@given(st.integers(0, 255).filter(lambda second: second not in (0, 5)))
def test_an_unknown_compression_of_glue_is_named(second: int) -> None:
    found = read_framing(bytes([3, second]) + bytes(20), "t", bare=False)
    assert isinstance(found, str)
    assert f"{second:#04x}" in found


@given(body=st.binary(max_size=300), start=st.integers(0, 20))
def test_a_zlib_stream_is_inflated_up_to_the_limit_and_no_further(body: bytes, start: int) -> None:
    value = bytes(start) + zlib.compress(body)
    assert inflated(value, start, len(body)) == body
    if body:
        assert inflated(value, start, len(body) - 1) is None
    for odd in (value[:-1], value + b"\0", value[: start + 3]):
        with pytest.raises(zlib.error):
            inflated(odd, start, 1000)


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = zlib.compress(bytes(64 << 20))
    tracemalloc.start()
    assert inflated(bomb, 0, 1 << 20) is None
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


@given(st.binary(min_size=1).filter(lambda value: value[:2] != b"\xc3\x01"))
def test_on_a_topic_of_bare_bodies_any_other_value_is_a_body_from_its_first_byte(value: bytes) -> None:
    assert read_framing(value, "t", bare=True) == Framed(TopicSchema("t"), 0)


@pytest.mark.parametrize("header", [b"\x00\x00\x00\x00\x01", b"\xc3\x01" + bytes(8), b"\x03" + bytes(17)])
def test_a_header_is_refused_at_every_length_but_its_own(header: bytes) -> None:
    for length in range(1, len(header)):
        assert isinstance(read_framing(header[:length], "t", bare=False), str), length
    assert isinstance(read_framing(header, "t", bare=False), Framed)


@given(st.integers(1, 255).filter(lambda first: first != 3), st.binary())
def test_a_wrong_first_byte_is_named(first: int, rest: bytes) -> None:
    value = bytes([first]) + rest
    found = read_framing(value, "t", bare=False)
    if value[:2] == b"\xc3\x01":
        assert "first byte" not in str(found)
    else:
        assert isinstance(found, str)
        assert f"{first:#04x}" in found


@given(value=st.binary(min_size=1), bare=st.booleans())
def test_every_value_is_framed_within_its_length_or_refused(value: bytes, *, bare: bool) -> None:
    found = read_framing(value, "t", bare=bare)
    assert isinstance(found, str) or 0 <= found.start <= len(value)


def test_schemas_are_named_for_people() -> None:
    names = [str(SchemaId(7)), str(Fingerprint(0xAB)), str(TopicSchema("events"))]
    assert names == ["schema id 7", "schema fingerprint 00000000000000ab", "schema of topic events"]
    assert str(SchemaGuid(UUID(int=1))) == "schema 00000000-0000-0000-0000-000000000001"
    assert str(GlueVersion(UUID(int=2))) == "Glue schema version 00000000-0000-0000-0000-000000000002"


def test_mutated_records_of_every_framing_are_the_event_that_a_plain_decoder_reads_or_refused() -> None:
    difference, ends = fuzz_framings.run(4000, seed=7)
    assert difference is None
    assert min(ends["event"], ends["none"]) > 500
