"""From bytes to events: every framing, every evolution, and bytes that nobody meant."""

from __future__ import annotations

import io
import json
import time
import zlib
from datetime import UTC, datetime, timedelta, timezone
from datetime import time as clock_time
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.way.events import CONFLUENT, SCHEMA, avro, body, confluent, custom, event
from worker.edges.schemas import load_schemas, reader_schema
from worker.model import Body, Claim, Disposition, Envelope, Event, Refusal, Table
from worker.rooms import validate
from worker.rooms.decode import Decoder, SchemaBook
from worker.rooms.framing import VALUE_SCHEMA, GlueVersion, SchemaGuid, SchemaId, TopicSchema
from worker.rooms.writer_schema import UnsafeSchemaError, compile_reader

FRAMED, BARE = Claim("framed", 0), Claim("bare", 0)
DECODER = Decoder(load_schemas(None, {"bare": "payload_event"}), 100_000)
FINGERPRINT = bytes.fromhex(
    fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(SCHEMA), "CRC-64-AVRO")
)
TABLE = {"fields": ["a", "b"], "values": [[1, "x"], [None, [0.5, [True]]]], "meta": None}


def envelope(value: bytes | None, claim: Claim = FRAMED) -> Envelope:
    return Envelope(claim, 7, -1, None, value, ())


def decode(value: bytes | None, claim: Claim = FRAMED, decoder: Decoder = DECODER) -> Event | Refusal:
    found = decoder.event(envelope(value, claim))
    assert isinstance(found, Event | Refusal), found
    return found


def decoded(value: bytes | None, claim: Claim = FRAMED, decoder: Decoder = DECODER) -> Event:
    found = decode(value, claim, decoder)
    assert isinstance(found, Event), found
    return found


def refused(value: bytes | None, claim: Claim = FRAMED, decoder: Decoder = DECODER) -> tuple[str, str]:
    found = decode(value, claim, decoder)
    assert isinstance(found, Refusal), found
    return str(found.disposition), found.code


def zigzag(number: int) -> bytes:
    """A long as Avro writes it; unlike fastavro's writer, of any value."""
    number = (number << 1 ^ number >> 63) & (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


# --- framings --------------------------------------------------------------------------------------------------------

# what names the shipped schema, and in which topic; of the ids that a directory may give it
GUID = UUID(int=0xABC)
KNOWN = DECODER.schemas.readers
NAMED = Decoder(
    SchemaBook({**KNOWN, GlueVersion(GUID): KNOWN[SchemaId(1)], SchemaGuid(GUID): KNOWN[SchemaId(1)]}), 100_000
)
HEADERS = {"id": CONFLUENT, "GUID": b"\x01" + GUID.bytes}
FRAMINGS = [(CONFLUENT, FRAMED), (b"\xc3\x01" + FINGERPRINT, FRAMED), (b"\xc3\x01" + FINGERPRINT, BARE), (b"", BARE)]
IDS = ["confluent", "single-object", "single-object on a topic of bare bodies", "bare"]
framings = pytest.mark.parametrize(("header", "claim"), FRAMINGS, ids=IDS)


@pytest.mark.parametrize("claim", [FRAMED, BARE])
@pytest.mark.parametrize("by", HEADERS)
def test_an_event_whose_schema_a_header_names_is_read_from_its_first_byte(by: str, claim: Claim) -> None:
    found = NAMED.event(Envelope(claim, 7, -1, None, avro(custom()), [("trace", b"1"), (VALUE_SCHEMA, HEADERS[by])]))
    assert isinstance(found, Event), found
    assert found.asset == "action"


def test_a_header_that_names_the_schema_wins_over_bytes_that_look_like_confluents() -> None:
    """The body of another schema begins with the very five bytes of the shipped one's header."""
    writer = {**without(), "fields": [{"name": name, "type": "int"} for name in "vwxyz"] + without()["fields"]}
    stream = io.BytesIO()
    named = dict.fromkeys("vwxy", 0) | {"z": -1}
    fastavro.schemaless_writer(stream, fastavro.parse_schema(json.loads(json.dumps(writer))), custom() | named)
    assert stream.getvalue()[:5] == CONFLUENT
    decoder = Decoder(SchemaBook({**KNOWN, SchemaId(9): compile_reader("w", writer, reader_schema())}), 100_000)
    nine = [(VALUE_SCHEMA, b"\x00" + (9).to_bytes(4, "big"))]
    assert isinstance(decoder.event(Envelope(FRAMED, 7, -1, None, stream.getvalue(), nine)), Event)
    one = [(VALUE_SCHEMA, CONFLUENT)]
    assert isinstance(decoder.event(Envelope(FRAMED, 7, -1, None, stream.getvalue(), one)), Refusal)


@pytest.mark.parametrize("claim", [FRAMED, BARE])
def test_an_event_in_glues_framing_is_read_plain_and_compressed(claim: Claim) -> None:
    body = avro(custom())
    assert decoded(b"\x03\x00" + GUID.bytes + body, claim, NAMED).asset == "action"
    assert decoded(b"\x03\x05" + GUID.bytes + zlib.compress(body), claim, NAMED).asset == "action"


def test_what_glue_says_is_compressed_is_refused_where_it_is_none_or_too_large() -> None:
    header = b"\x03\x05" + GUID.bytes
    assert refused(header + avro(custom()), decoder=NAMED) == ("decode", "not-zlib")
    assert refused(header + zlib.compress(avro(custom()))[:-2], decoder=NAMED) == ("decode", "not-zlib")
    assert refused(header + zlib.compress(bytes(100_001)), decoder=NAMED) == ("too-large", "event-too-large")
    assert refused(header + zlib.compress(avro(custom()) + b"x"), decoder=NAMED) == ("decode", "trailing-bytes")


def test_only_what_a_registry_can_be_asked_for_waits_and_only_where_there_is_one() -> None:
    book = SchemaBook({}, asks=True)
    decoder = Decoder(book, 100_000)
    assert decoder.event(envelope(CONFLUENT + b"x")) == SchemaId(1)
    assert decoder.event(Envelope(FRAMED, 7, -1, None, b"x", [(VALUE_SCHEMA, HEADERS["GUID"])])) == SchemaGuid(GUID)
    for value in (b"\xc3\x01" + bytes(9), b"\x03\x00" + bytes(17)):
        assert refused(value, decoder=decoder) == ("schema", "unknown-schema")
    reason = Refusal(Disposition.SCHEMA, "unusable-schema", "recursive")
    book.refused[SchemaId(1)] = reason
    assert decoder.event(envelope(CONFLUENT + b"x")) is reason
    assert refused(CONFLUENT + b"x", decoder=Decoder(SchemaBook({}), 100_000)) == ("schema", "unknown-schema")


def test_an_id_that_no_registry_can_have_is_not_asked_for() -> None:
    """A registry answers it like a wrong address: the record would wait for ever, and hold up its partition."""
    decoder = Decoder(SchemaBook({}, asks=True), 100_000)
    assert refused(b"\x00\x80\x00\x00\x00x", decoder=decoder) == ("schema", "unknown-schema")
    assert decoder.event(envelope(b"\x00\x7f\xff\xff\xffx")) == SchemaId((1 << 31) - 1)


def test_a_schema_that_is_added_is_read_with_from_then_on_in_the_fastest_way() -> None:
    book = SchemaBook({}, asks=True)
    book.add(SchemaId(5), KNOWN[SchemaId(1)])
    assert decoded(b"\x00" + (5).to_bytes(4, "big") + avro(custom()), decoder=Decoder(book, 100_000)).asset == "action"
    assert (b"\x00" + (5).to_bytes(4, "big")) in book.sound


@framings
def test_an_event_is_read_field_by_field(header: bytes, claim: Claim) -> None:
    more = {
        "binding": "b",
        "deployment": "d",
        "scoring_id": "s",
        "scored_at": 1_560_247_200_123_456,
        "response_time_ms": 12,
        "attributes": {"trace": "1"},
    }
    found = decoded(header + avro(event("a", body("1,2", "text/csv"), TABLE, **more)), claim)
    got = {name: getattr(found, name) for name in more}
    assert got == more
    assert found.asset == "a"
    assert isinstance(found.request, Body)
    assert (found.request.content_type, found.request.data) == ("text/csv", b"1,2")
    assert isinstance(found.response, Table)
    assert (found.response.fields, found.response.values) == (TABLE["fields"], TABLE["values"])
    assert found.response.meta is None


@framings
def test_fields_that_are_left_out_are_none(header: bytes, claim: Claim) -> None:
    found = decoded(header + avro(custom()), claim)
    left = (found.binding, found.deployment, found.scoring_id, found.scored_at, found.response_time_ms)
    assert left == (None,) * 5
    assert found.attributes == {}


def test_a_table_without_names_has_no_fields_and_meta_is_kept() -> None:
    meta = {"fields": ["m"], "values": [["x"]]}
    found = decoded(confluent(event("a", {"fields": [], "values": [[1]], "meta": meta}, TABLE)))
    assert isinstance(found.request, Table)
    assert found.request.fields is None
    assert found.request.meta == meta


@framings
@pytest.mark.parametrize("record", [custom(), event("a", TABLE, TABLE, scored_at=5, attributes={"k": "v"})])
def test_a_truncated_event_is_refused_at_every_byte(header: bytes, claim: Claim, record: dict[str, Any]) -> None:
    whole = header + avro(record)
    decoded(whole, claim)
    for length in range(1, len(whole)):
        disposition, code = refused(whole[:length], claim)
        assert disposition == "decode"
        assert code in ({"no-framing", "not-avro"} if length < len(header) else {"not-avro"}), length


@framings
@given(tail=st.binary(min_size=1, max_size=40))
def test_trailing_bytes_are_refused_and_counted(header: bytes, claim: Claim, tail: bytes) -> None:
    found = decode(header + avro(custom()) + tail, claim)
    assert isinstance(found, Refusal)
    assert found.code == "trailing-bytes"
    assert found.detail.startswith(f"{len(tail)} bytes ")


def test_values_that_hold_nothing_are_told_apart() -> None:
    assert refused(None) == ("decode", "tombstone")
    assert refused(b"") == ("decode", "empty-value")


def test_an_unknown_schema_is_a_fault_of_its_own_and_is_named() -> None:
    found = decode(b"\x00" + (99).to_bytes(4, "big") + avro(custom()))
    assert isinstance(found, Refusal)
    assert (found.disposition, found.code) == ("schema", "unknown-schema")
    assert found.detail.startswith("schema id 99 ")
    swapped = decode(b"\xc3\x01" + FINGERPRINT[::-1] + avro(custom()))
    assert isinstance(swapped, Refusal)
    assert swapped.code == "unknown-schema"
    assert FINGERPRINT.hex() in swapped.detail


@pytest.mark.parametrize("size", [99_999, 100_000])
def test_a_value_of_the_limit_is_read_and_one_more_byte_is_too_large(size: int) -> None:
    sane = confluent(event("a", body(b"x" * 90_000), TABLE))
    exact = confluent(event("a", body(b"x" * (90_000 + size - len(sane))), TABLE))
    assert len(exact) == size
    decoded(exact)
    found = decode(exact + bytes(100_001 - size))
    assert isinstance(found, Refusal)
    assert (found.disposition, found.code) == ("too-large", "event-too-large")
    assert "100001 bytes" in found.detail


def test_the_limit_is_looked_at_before_the_framing() -> None:
    assert refused(b"\x07" * 100_001) == ("too-large", "event-too-large")


@pytest.mark.parametrize("field", ["binding", "asset", "deployment", "scoring_id"])
def test_text_that_is_not_utf8_is_refused(field: str) -> None:
    value = confluent(custom() | {field: "@@@@"})
    assert refused(value.replace(b"@@@@", b"@\xff@@")) == ("decode", "not-avro")
    assert refused(value.replace(b"@@@@", b"\xed\xa0\x80@")) == ("decode", "not-avro")


@pytest.mark.parametrize("count", [1 << 20, 1 << 40, (1 << 63) - 1, -1, -(1 << 20), -(1 << 63)])
@pytest.mark.parametrize("marker", [b"\x02\x02a", b"\x02\x04\x02\x00"], ids=["fields", "values"])
def test_an_array_that_claims_more_than_there_is_costs_nothing(count: int, marker: bytes) -> None:
    sane = avro(event("a", {"fields": ["a"], "values": [[None], [True]][:1], "meta": None}, TABLE))
    place = sane.index(b"\x02\x02a")
    bomb = CONFLUENT + (sane[:place] if marker[2:] == b"a" else sane[: place + 4]) + zigzag(count)
    began = time.process_time()
    assert refused(bomb) == ("decode", "not-avro")
    assert refused(bomb + zigzag(1 << 40)) == ("decode", "not-avro")
    assert time.process_time() - began < 0.5


@given(st.binary(min_size=1, max_size=300))
def test_random_bytes_never_raise(value: bytes) -> None:
    for header, claim in FRAMINGS:
        found = decode(header + value, claim)
        assert isinstance(found, Event | Refusal)


@given(st.data())
def test_a_valid_event_with_bytes_changed_never_raises(data: st.DataObject) -> None:
    value = bytearray(confluent(event("a", TABLE, body({"a": 1}), scored_at=1, attributes={"k": "v"})))
    for place in data.draw(st.lists(st.integers(5, len(value) - 1), max_size=4)):
        value[place] = data.draw(st.integers(0, 255))
    found = decode(bytes(value))
    if isinstance(found, Event):
        validate.refusal(found)


def test_a_record_does_not_touch_those_that_are_read_after_it() -> None:
    values = [confluent(custom(start=0)), None, b"\x07", confluent(custom(start=1)), confluent(custom())[:-1]]
    envelopes = [Envelope(FRAMED, offset, -1, None, value, ()) for offset, value in enumerate(values)]
    found = {each.offset: DECODER.event(each) for each in envelopes}
    assert [offset for offset, each in found.items() if isinstance(each, Event)] == [0, 3]
    assert [offset for offset, each in found.items() if isinstance(each, Refusal)] == [1, 2, 4]
    for offset in (0, 3):
        assert found[offset] == DECODER.event(envelopes[offset])


def test_no_refusal_tells_of_the_value() -> None:
    told = "4711-told"
    value = confluent(custom() | {"asset": told})
    for bad in (value[:-1], value + told.encode(), b"\x07" + told.encode(), value[:4]):
        found = decode(bad)
        assert isinstance(found, Refusal)
        assert told not in found.detail


# --- evolution -------------------------------------------------------------------------------------------------------


def changed(name: str, **more: Any) -> dict[str, Any]:
    """The reader schema with one field changed; a value of None removes the key."""
    schema: dict[str, Any] = json.loads(json.dumps(reader_schema()))
    for field in schema["fields"]:
        if field["name"] == name:
            field.update(more)
            for key in [key for key, value in field.items() if value is None and key != "default"]:
                del field[key]
            if "default" not in more:
                field.pop("default", None)
    return schema


def without(*names: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(json.dumps(reader_schema()))
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in names]
    return schema


def through(writer: Any, record: dict[str, Any]) -> Event | Refusal:
    """A record written with another schema, read by a worker that knows it."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(json.loads(json.dumps(writer))), record)
    book = SchemaBook({SchemaId(2): compile_reader("w", writer, reader_schema())})
    return decode(b"\x00" + (2).to_bytes(4, "big") + stream.getvalue(), decoder=Decoder(book, 100_000))


def refused_anywhere(writer: Any, record: dict[str, Any]) -> bool:
    """Whether the schema is refused when it is loaded, or each message of it is."""
    try:
        return isinstance(through(writer, record), Refusal)
    except UnsafeSchemaError:
        return True


def read_through(writer: Any, record: dict[str, Any]) -> Event:
    found = through(writer, record)
    assert isinstance(found, Event), found
    return found


def test_a_writer_that_lacks_optional_fields_is_read_with_their_defaults() -> None:
    names = ("binding", "deployment", "scoring_id", "scored_at", "response_time_ms", "attributes")
    record = {name: value for name, value in custom().items() if name not in names}
    found = read_through(without(*names), record)
    assert [getattr(found, name) for name in names] == [None] * 5 + [{}]


@pytest.mark.parametrize("name", ["asset", "request", "response"])
def test_a_writer_that_lacks_a_needed_field_is_refused(name: str) -> None:
    writer = without(name)
    if name == "request":
        writer["fields"] = [field for field in writer["fields"] if field["name"] != "response"]
    assert refused_anywhere(writer, {key: value for key, value in custom().items() if key != name})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", "x"),
        ({"type": "array", "items": "long"}, [1, 2]),
        ({"type": "record", "name": "More", "fields": [{"name": "x", "type": "bytes"}]}, {"x": b"y"}),
        ({"type": "enum", "name": "Colour", "symbols": ["red", "green"]}, "green"),
        ({"type": "fixed", "name": "Four", "size": 4}, b"abcd"),
        (["null", "double"], 0.5),
        ({"type": "map", "values": {"type": "array", "items": "string"}}, {"a": ["b"]}),
    ],
)
@pytest.mark.parametrize("place", [0, 3, 9])
def test_a_field_that_only_the_writer_has_is_skipped_wherever_it_stands(kind: Any, value: Any, place: int) -> None:
    writer = json.loads(json.dumps(reader_schema()))
    writer["fields"].insert(place, {"name": "extra", "type": kind})
    found = read_through(writer, custom() | {"extra": value})
    assert found.asset == "action"
    assert isinstance(found.response, Body)


def test_fields_are_found_by_name_in_whatever_order() -> None:
    writer = json.loads(json.dumps(reader_schema()))
    request, response = writer["fields"][6], writer["fields"][7]
    writer["fields"] = [request, response, *writer["fields"][5::-1], writer["fields"][8]]
    assert read_through(writer, custom() | {"binding": "b"}).binding == "b"


@pytest.mark.parametrize(("kind", "value"), [("int", 12), ("long", 12), (["null", "int"], 12), (["int", "null"], None)])
def test_a_shorter_integer_is_promoted(kind: Any, value: int | None) -> None:
    found = read_through(changed("response_time_ms", type=kind), custom() | {"response_time_ms": value})
    assert found.response_time_ms == value


def test_bytes_are_promoted_to_text_and_must_be_utf8() -> None:
    writer = changed("asset", type="bytes")
    assert read_through(writer, custom() | {"asset": "ä".encode()}).asset == "ä"
    assert isinstance(through(writer, custom() | {"asset": b"\xff"}), Refusal)


@given(st.integers(0, 253_402_300_799_999), st.integers(-12, 12))
@example(9_223_372_036_855, 0)
def test_a_timestamp_in_millis_becomes_micros(millis: int, hours: int) -> None:
    when = datetime(1970, 1, 2, tzinfo=timezone(timedelta(hours=hours))) + timedelta(milliseconds=millis // 2)
    writer = changed("scored_at", type=["null", {"type": "long", "logicalType": "timestamp-millis"}])
    expected = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert read_through(writer, custom() | {"scored_at": when}).scored_at == expected


def test_a_timestamp_that_is_none_stays_none_with_any_writer() -> None:
    writer = changed("scored_at", type=["null", {"type": "long", "logicalType": "timestamp-millis"}])
    assert read_through(writer, custom()).scored_at is None


def test_a_plain_long_is_taken_as_micros() -> None:
    assert read_through(changed("scored_at", type="long"), custom() | {"scored_at": 5}).scored_at == 5


def test_a_timestamp_out_of_any_calendar_is_refused() -> None:
    writer = changed("scored_at", type={"type": "long", "logicalType": "timestamp-millis"})
    found = validate.refusal(read_through(writer, custom() | {"scored_at": 1 << 60}))
    assert found is not None
    assert found.code == "scored-at-range"


def test_an_enum_where_text_is_wanted_is_refused_and_not_taken_for_something_else() -> None:
    writer = changed("asset", type={"type": "enum", "name": "Asset", "symbols": ["action"]})
    assert refused_anywhere(writer, custom())


@pytest.mark.parametrize("field", ["asset", "binding", "deployment", "scoring_id"])
def test_a_uuid_of_a_writers_logical_type_stays_the_text_that_it_is(field: str) -> None:
    given = UUID(int=7)
    kind = {"type": "string", "logicalType": "uuid"}
    found = read_through(changed(field, type=kind), custom() | {field: given})
    assert (type(getattr(found, field)), getattr(found, field)) == (str, str(given))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ({"type": "int", "logicalType": "time-millis"}, clock_time(0, 0, 0, 12_000)),
        ({"type": "long", "logicalType": "timestamp-millis"}, datetime(1970, 1, 1, 0, 0, 0, 12_000, tzinfo=UTC)),
    ],
)
def test_a_response_time_of_a_logical_type_is_the_number_that_was_written(kind: Any, given: object) -> None:
    """It raises out of the rooms else: the worker ends, and meets the same record after its restart."""
    found = read_through(changed("response_time_ms", type=kind), custom() | {"response_time_ms": given})
    assert validate.refusal(found) is None
    assert found.response_time_ms == 12


def test_a_writer_of_bodies_only_is_read() -> None:
    writer = json.loads(json.dumps(reader_schema()))
    request = next(field for field in writer["fields"] if field["name"] == "request")
    response = next(field for field in writer["fields"] if field["name"] == "response")
    request["type"], response["type"] = request["type"][0], "Body"
    found = read_through(writer, custom())
    assert isinstance(found.request, Body)
    assert json.loads(found.request.data)["fields"][0] == "age"


def test_a_bare_topic_is_read_with_its_own_schema_and_another_topic_is_not() -> None:
    record = {name: value for name, value in custom().items() if name != "attributes"}
    writer = without("attributes")
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(json.loads(json.dumps(writer))), record)
    book = SchemaBook({TopicSchema("bare"): compile_reader("w", writer, reader_schema())})
    decoder = Decoder(book, 100_000)
    assert decoded(stream.getvalue(), BARE, decoder).asset == "action"
    assert refused(stream.getvalue(), FRAMED, decoder)[1] in {"no-framing", "unknown-schema"}
