"""Generated readers: as fastavro reads, but for what Avro does not allow; in work and memory that the bytes bound."""

from __future__ import annotations

import io
import json
import struct
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rooms import fuzz
from tests.way.events import avro, body, custom, event
from worker.edges.schemas import load_schemas, reader_schema
from worker.model import Body, Event, Table
from worker.rooms import binary
from worker.rooms.binary import NotFiniteError
from worker.rooms.compiled import generate
from worker.rooms.framing import SchemaId
from worker.rooms.kept import BUDGET, LARGEST, Beginnings, Kept
from worker.rooms.shape import Compiled, UnsupportedError
from worker.rooms.writer_schema import compile_reader

if TYPE_CHECKING:
    from random import Random

SUBJECTS = fuzz.subjects()
EVENTS = SUBJECTS[0].readers[1]
TABLE = {"fields": ["a", "b"], "values": [[1, "x"], [None, [0.5, [True]]]], "meta": None}
ARRAY, MAP = {"type": "array", "items": "long"}, {"type": "map", "values": "long"}
ENUM = {"type": "enum", "name": "E", "symbols": ["a", "b"]}
LONG = fuzz.Writer(fuzz.chance_of(0), {}, 0).long
FIXED = {"type": "fixed", "name": "F", "size": 3}


def reader(schema: Any) -> Compiled:
    named: dict[str, Any] = {}
    return generate(fastavro.parse_schema(schema, named), named)


# --- the same as fastavro --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", SUBJECTS, ids=["event", "everything", "wide"])
@given(chance=st.randoms(use_true_random=False), odd=st.sampled_from([0, 0.01]))
def test_a_message_and_its_broken_ones_are_read_as_fastavro_reads_them(
    subject: fuzz.Subject, chance: Random, odd: float
) -> None:
    value = fuzz.Writer(chance, subject.named, odd).write(subject.schema)
    for each in (value, fuzz.broken(chance, value), value + b"\0"):
        assert subject.difference(each) is None


@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_messages_are_read_as_fastavro_reads_them(seed: int) -> None:
    """`python -m tests.rooms.fuzz` tries as many as one likes."""
    for at in range(60):
        chance = fuzz.chance_of(1_000_000 * (seed + 1) + at)
        for subject in SUBJECTS:
            found = [subject.difference(value) for value in fuzz.messages(chance, subject)]
            assert [each for each in found if each is not None] == []


@pytest.mark.parametrize("subject", SUBJECTS, ids=["event", "everything", "wide"])
def test_every_truncation_of_a_message_is_refused(subject: fuzz.Subject) -> None:
    for seed in range(5):
        value = fuzz.Writer(fuzz.chance_of(seed), subject.named, 0).write(subject.schema)
        for length in range(len(value)):
            assert subject.difference(value[:length]) is None
            for read in subject.readers:
                assert fuzz.by_generated(read, value[:length]) == fuzz.REFUSED


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("boolean", b"\x02"),
        ("boolean", b"\xff"),
        (["null", "long"], b"\x01"),
        (["null", "long"], b"\x03"),
        (["null", "long"], b"\x83\x00"),
        (ENUM, b"\x01"),
        (ENUM, b"\x03"),
        ("long", b"\xff" * 9 + b"\x03"),
        ("long", b"\xff" * 9 + b"\x7f"),
        ("long", b"\x80" * 10 + b"\x00"),
        ("long", b"\x80" * 5_000 + b"\x00"),
        (ARRAY, b"\xff" * 9 + b"\x01\x00\x00"),
    ],
    ids=lambda each: each.hex()[:24] if isinstance(each, bytes) else None,
)
def test_what_no_avro_writer_writes_is_refused_though_fastavro_makes_up_a_value(schema: Any, value: bytes) -> None:
    with pytest.raises((IndexError, OverflowError, EOFError, ValueError)):
        reader({"type": "record", "name": "R", "fields": [{"name": "a", "type": schema}]})(value + b"\x00", 0)
    with pytest.raises((IndexError, OverflowError, EOFError, ValueError)):
        reader({"type": "record", "name": "R", "fields": [{"name": "a", "type": schema}]})(value, 0)


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ("long", b"\xff" * 9 + b"\x01", -(1 << 63)),
        ("long", b"\xfe" + b"\xff" * 8 + b"\x01", (1 << 63) - 1),
        ("long", b"\x82\x80\x80\x80\x80\x80\x80\x80\x80\x00", 1),
        ("long", b"\x7f", -64),
        ("long", b"\x80\x01", 64),
        (["null", "long"], b"\x82\x00\x04", 2),
        (["null", "long"], b"\x80\x00", None),
        ("string", b"\x84\x00ab", "ab"),
        (ARRAY, b"\x02\x02\x04\x04\x06\x00", [1, 2, 3]),
        (ARRAY, b"\x03\x04\x02\x04\x00", [1, 2]),
        (ARRAY, b"\x01\xff\x7f\x02\x00", [1]),
        (ARRAY, b"\x80\x00", []),
        (MAP, b"\x04\x02a\x02\x02a\x04\x00", {"a": 2}),
        (ENUM, b"\x02", "b"),
        (FIXED, b"abc", b"abc"),
        ("float", struct.pack("<f", 0.5), 0.5),
        ("double", struct.pack("<d", 0.1), 0.1),
        ("bytes", b"\x02\xff", b"\xff"),
        ("null", b"", None),
    ],
    ids=str,
)
def test_what_avro_allows_is_read(schema: Any, value: bytes, expected: Any) -> None:
    found = reader({"type": "record", "name": "R", "fields": [{"name": "a", "type": schema}]})(b"xx" + value, 2)
    assert found == {"a": expected}
    assert type(found["a"]) is type(expected)


def test_an_event_is_made_of_the_models_own_values() -> None:
    found = EVENTS(avro(event("a", body("1"), TABLE, binding="b", scored_at=1_560_247_200_123_456)), 0)
    assert isinstance(found, Event)
    assert isinstance(found.request, Body)
    assert isinstance(found.response, Table)
    assert (found.binding, found.scored_at, found.response.values) == ("b", 1_560_247_200_123_456, TABLE["values"])


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("cell", [lambda number: number, lambda number: [number], lambda number: [[0.5, number]]])
def test_a_sound_event_has_finite_numbers_only(cell: Any, number: float) -> None:
    """The room that names the cell reads the others."""
    read = SUBJECTS[0].sound
    assert read is not None
    table = TABLE | {"values": [[1, "x"], [None, cell(number)]]}
    for request, response in ((table, TABLE), (TABLE, table)):
        with pytest.raises(NotFiniteError):
            read(avro(event("a", request, response)), 0)
    found = read(avro(event("a", TABLE, body("1"))), 0)
    assert isinstance(found.request, Table)
    assert found.request.sound
    assert not EVENTS(avro(event("a", TABLE, body("1"))), 0).request.sound


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=20))
def test_longs_of_all_sizes_are_read_whatever_was_read_before(numbers: list[int]) -> None:
    written = b"".join(LONG(number) for number in numbers)
    found, at = [], 0
    for _ in numbers:
        number, at = binary.long(written, at)
        found.append(number)
    assert (found, at) == (numbers, len(written))


@given(
    st.dictionaries(st.text(max_size=70), st.text(max_size=70), max_size=4),
    st.integers(0, 400),
    st.binary(max_size=3),
)
def test_attributes_are_refused_unread_when_reading_would_refuse_them(
    attributes: dict[str, str], at: int, new: bytes
) -> None:
    stream = bytearray(b"".join(_map_of_strings(attributes)))
    stream[at : at + len(new)] = new
    try:
        expected = binary.strings(bytes(stream), 0)
        if expected[1] > len(stream):
            return
    except (ValueError, IndexError, OverflowError):
        with pytest.raises((ValueError, IndexError, OverflowError)):
            binary.unread_strings(bytes(stream), 0)
    else:
        found, end = binary.unread_strings(bytes(stream), 0)
        assert (found, end) == expected
        assert list(found) == list(expected[0])
        assert len(found) == len(expected[0])


def _map_of_strings(attributes: dict[str, str]) -> list[bytes]:
    out = [LONG(len(attributes))] if attributes else []
    for pair in attributes.items():
        out += [LONG(len(each.encode())) + each.encode() for each in pair]
    return [*out, b"\0"]


# --- bounded ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", [ARRAY, MAP, {"type": "array", "items": FIXED}, {"type": "map", "values": "null"}])
@pytest.mark.parametrize("count", [1 << 20, 1 << 40, (1 << 63) - 1, -(1 << 40), -(1 << 63)])
def test_items_that_are_not_there_cost_nothing(schema: Any, count: int) -> None:
    read = reader({"type": "record", "name": "R", "fields": [{"name": "a", "type": schema}]})
    began = time.process_time()
    for tail in (b"", b"\0", b"\0" * 20):
        with pytest.raises((IndexError, EOFError, OverflowError)):
            read(LONG(count) + tail, 0)
    assert time.process_time() - began < 0.1


def read_and_measured(value: bytes) -> tuple[Any, int]:
    """What was read, and the bytes of memory that it takes."""
    tracemalloc.start()
    try:
        found = EVENTS(value, 0)
        return found, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("item", [b"\x00", b"\x0a\x00", b"\x04\x80\x01", b"\x08\x00", b"\x06" + b"\1" * 8])
def test_memory_stays_in_proportion_to_the_bytes(item: bytes) -> None:
    count = 100_000 // len(item)
    table = b"\x02\x00" + b"\x02" + LONG(count) + item * count + b"\x00\x00\x00"
    value = b"\x00\x02a\x00\x00\x00\x00" + table + b"\x00\x00\x00" + b"\x00"
    found, used = read_and_measured(value)
    assert len(found.request.values[0]) == count
    assert used < 66 * len(value)


def test_rows_without_cells_take_no_more_than_a_list_each() -> None:
    value = b"\x00\x02a\x00\x00\x00\x00\x02\x00" + LONG(100_000) + b"\x00" * 100_000 + b"\x00\x00\x00\x00\x00" + b"\x00"
    found, used = read_and_measured(value)
    assert len(found.request.values) == 100_000
    assert used < 66 * len(value)


def test_what_is_kept_is_bounded_in_all_and_at_a_time() -> None:
    kept: Kept[int, bytes] = Kept()
    for at in range(5_000):
        kept.keep(at, bytes(1000), 1000)
        assert at in kept
        assert 1000 * len(kept) <= BUDGET
    kept.keep(-1, b"", LARGEST + 1)
    assert -1 not in kept


def test_names_that_begin_alike_are_told_apart_and_the_latest_are_known() -> None:
    known: Beginnings[int] = Beginnings()
    for at in range(20):
        known.learn(b"x" * 30 + bytes([at]), at, 31)
    ((alike),) = known.values()
    assert [value for _, value, _ in alike] == list(range(19, 11, -1))
    known.learn(b"short", 1, 5)
    assert len(known) == 1


@given(
    st.lists(
        st.lists(st.sampled_from(["feature_of_the_model_" + end for end in "abcdefghijkl"]), max_size=4), max_size=30
    )
)
def test_names_are_the_events_own_whatever_events_came_before(lists: list[list[str]]) -> None:
    for fields in lists:
        found = EVENTS(avro(event("a", TABLE | {"fields": fields}, TABLE)), 0)
        assert (found.request.fields or []) == fields
        assert found.response.fields == TABLE["fields"]


# --- when ------------------------------------------------------------------------------------------------------------


def test_the_schema_that_ships_has_a_generated_reader() -> None:
    reader = load_schemas(None, {}).readers[SchemaId(1)]
    assert reader.generated is not None
    assert reader.sound is not None


@pytest.mark.parametrize(
    "kind", [{"type": "string", "logicalType": "uuid"}, {"type": "string", "logicalType": "none of Avro's"}]
)
def test_a_logical_type_changes_nothing_of_what_is_read(kind: Any) -> None:
    writer = reader_schema()
    writer["fields"][1]["type"] = kind
    assert compile_reader("w", writer, reader_schema()).event(avro(custom()), 0).asset == custom()["asset"]


def test_a_timestamp_in_another_unit_is_left_to_fastavro() -> None:
    writer = json.loads(json.dumps(reader_schema()).replace("timestamp-micros", "timestamp-millis"))
    found = compile_reader("w", writer, reader_schema())
    assert found.generated is None
    assert found.event(avro(custom() | {"scored_at": 12}), 0).scored_at == 12_000


def test_a_writer_that_differs_is_left_to_fastavro() -> None:
    writer = reader_schema()
    del writer["fields"][-1]
    found = compile_reader("w", writer, reader_schema())
    assert found.generated is None
    record = {name: value for name, value in custom().items() if name != "attributes"}
    assert found.read(avro(record | {"attributes": {}})[:-1], 0)["attributes"] == {}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", "R"]}]},
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "R"}}]},
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "record", "name": "R", "fields": []}},
        {"type": "array", "items": {"type": "record", "name": "R", "fields": [{"name": "a", "type": "null"}]}},
        {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}},
        [],
    ],
)
def test_no_reader_is_generated_that_could_exhaust_the_process(schema: Any) -> None:
    with pytest.raises(UnsupportedError):
        reader(schema)


def test_the_source_grows_with_the_schema_and_no_faster() -> None:
    deep: Any = "long"
    for _ in range(30):
        deep = (
            ["null", {"type": "array", "items": deep}]
            if not isinstance(deep, list)
            else {"type": "array", "items": deep}
        )
    assert reader({"type": "record", "name": "R", "fields": [{"name": "a", "type": deep}]})(b"\x00", 0) == {"a": []}
    layers: Any = {"type": "record", "name": "L0", "fields": [{"name": "a", "type": "long"}]}
    for at in range(1, 30):
        fields = [{"name": "a", "type": layers}, {"name": "b", "type": f"L{at - 1}"}]
        layers = {"type": "record", "name": f"L{at}", "fields": fields}
    reader(layers)


@given(st.lists(st.integers(-(1 << 21), 1 << 21), min_size=2), st.sampled_from([1, -1]))
def test_longs_that_end_in_the_same_bytes_are_each_read_as_written(offsets: list[int], sign: int) -> None:
    for number in (sign * 1_560_247_200_000_000 + offset for offset in offsets):
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, "long", number)
        assert binary.long(stream.getvalue() + b"\x80", 0) == (number, 8)
