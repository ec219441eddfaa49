"""Each framing names its schema and its body's place; what is none says so."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.rooms.framing import Fingerprint, Framed, SchemaId, TopicSchema, read_framing


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


@given(st.binary(min_size=1).filter(lambda value: value[:2] != b"\xc3\x01"))
def test_on_a_topic_of_bare_bodies_any_other_value_is_a_body_from_its_first_byte(value: bytes) -> None:
    assert read_framing(value, "t", bare=True) == Framed(TopicSchema("t"), 0)


@pytest.mark.parametrize("header", [b"\x00\x00\x00\x00\x01", b"\xc3\x01" + bytes(8)])
def test_a_header_is_refused_at_every_length_but_its_own(header: bytes) -> None:
    for length in range(1, len(header)):
        assert isinstance(read_framing(header[:length], "t", bare=False), str), length
    assert isinstance(read_framing(header, "t", bare=False), Framed)


@given(st.integers(1, 255), st.binary())
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
