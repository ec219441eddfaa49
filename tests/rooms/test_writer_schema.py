"""What a writer schema must be to be read with: safe, an Avro schema, and one that resolves against the reader's."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import Any

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.way.events import avro, custom
from worker.edges.schemas import reader_schema
from worker.rooms.schema_checks import check
from worker.rooms.writer_schema import Reader, TrailingBytesError, UnsafeSchemaError, compile_reader

READER = reader_schema()
EMPTY = 0xC15D213AA4D7A795
"""The CRC-64-AVRO fingerprint of no bytes (Avro specification, "Schema Fingerprints")."""


def crc64(data: bytes) -> int:
    """CRC-64-AVRO bit by bit, without the table of the specification."""
    found = EMPTY
    for byte in data:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (EMPTY if found & 1 else 0)
    return found


def compiled(writer: Any, reader: Any = READER) -> Reader:
    return compile_reader("w", writer, reader)


def record(name: str, *types: Any, namespace: str = "n") -> dict[str, Any]:
    fields = [{"name": f"f{at}", "type": kind} for at, kind in enumerate(types)]
    return {"type": "record", "name": name, "namespace": namespace, "fields": fields}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


@pytest.mark.parametrize(
    ("schema", "canonical"),
    [
        ("int", '"int"'),
        ({"type": "string", "doc": "d"}, '"string"'),
        (
            {"type": "enum", "name": "E", "namespace": "a.b", "symbols": ["x", "y"], "doc": "no"},
            '{"name":"a.b.E","type":"enum","symbols":["x","y"]}',
        ),
        (
            {"type": "record", "name": "R", "aliases": ["Q"], "fields": [{"name": "a", "type": "long", "default": 1}]},
            '{"name":"R","type":"record","fields":[{"name":"a","type":"long"}]}',
        ),
    ],
)
def test_a_fingerprint_is_that_of_the_canonical_form(schema: Any, canonical: str) -> None:
    reader = compiled(schema, schema)
    assert reader.fingerprint == crc64(canonical.encode())
    little = int.from_bytes(bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")), "little")
    assert reader.fingerprint == little


def test_the_fingerprint_of_the_specifications_example_is_found() -> None:
    """The value that Avro's own test data has for the schema `"int"`."""
    assert compiled("int", "int").fingerprint == 8247732601305521295


def test_a_body_is_read_from_where_it_begins_and_to_the_end_of_the_value() -> None:
    reader = compiled(READER)
    body = avro(custom())
    for start in (0, 1, 10):
        value = b"\xff" * start + body
        assert reader.read(value, start)["asset"] == "action"
        with pytest.raises(TrailingBytesError, match=r"^3$"):
            reader.read(value + b"abc", start)


@pytest.mark.parametrize(
    "writer",
    [
        record("R", ["null", "n.R"]),
        record("R", ["null", "R"]),
        record("R", array("R")),
        record("R", {"type": "map", "values": "R"}),
        record("A", record("B", ["null", "A"])),
        record("A", ["null", record("B", array("A"))]),
    ],
    ids=["union", "short name", "array", "map", "mutual", "through a union"],
)
def test_a_recursive_schema_is_refused_by_name(writer: Any) -> None:
    with pytest.raises(UnsafeSchemaError, match=r"recursive \(in (n\.)?[RA]\)"):
        compiled(writer)


def test_recursion_is_found_behind_a_record_of_the_same_short_name() -> None:
    inner = record("R", "string", namespace="b")
    with pytest.raises(UnsafeSchemaError, match="recursive"):
        compiled(record("R", inner, ["null", "a.R"], namespace="a"))


def test_a_record_within_another_of_the_same_short_name_is_not_recursive() -> None:
    check(fastavro.parse_schema(record("R", record("R", "string", namespace="b"), namespace="a")))


def test_a_reference_from_within_to_another_record_of_the_same_short_name_is_not_recursive() -> None:
    outer = record("T", record("R", "string", namespace="b"), record("R", "b.R", namespace="a"))
    check(fastavro.parse_schema(outer))


@pytest.mark.parametrize(
    "items",
    [
        "null",
        record("Z"),
        record("Z", "null", "null"),
        record("Z", record("Y", "null")),
        {"type": "fixed", "name": "F", "size": 0},
        {"type": "null"},
    ],
    ids=["null", "no fields", "nulls", "nested nulls", "fixed 0", "a null spelt out"],
)
def test_an_array_of_items_without_bytes_is_refused(items: Any) -> None:
    with pytest.raises(UnsafeSchemaError, match="array items of no bytes"):
        compiled(record("T", array(items)))
    with pytest.raises(UnsafeSchemaError, match="array items of no bytes"):
        compiled(record("T", ["null", array(array(items))]))


def test_a_named_record_without_bytes_is_refused_as_an_item() -> None:
    with pytest.raises(UnsafeSchemaError, match="array items of no bytes"):
        compiled(record("T", record("Z"), array("n.Z")))


def test_a_record_without_bytes_is_not_mistaken_for_another_of_the_same_short_name() -> None:
    """Five bytes of such a message make as many millions of items as they like."""
    empty, full = record("R", namespace="a"), record("R", "string", namespace="b")
    with pytest.raises(UnsafeSchemaError, match="array items of no bytes"):
        compiled(record("T", empty, full, array("a.R")))


def test_a_record_with_bytes_is_not_mistaken_for_another_of_the_same_short_name() -> None:
    empty, full = record("R", namespace="a"), record("R", "string", namespace="b")
    check(fastavro.parse_schema(record("T", full, empty, array("b.R"))))


def test_a_map_of_nulls_is_harmless() -> None:
    check(fastavro.parse_schema(record("T", {"type": "map", "values": "null"})))


@pytest.mark.parametrize("items", ["string", ["null", "string"], record("Z", "null", "boolean"), array("long")])
def test_an_array_of_items_with_bytes_is_read(items: Any) -> None:
    check(fastavro.parse_schema(record("T", array(items))))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["string", "null", "R", "record", "n.R", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "namespace", "fields", "items", "values", "symbols", "size", "aliases"]),
            inner | st.sampled_from(["record", "array", "map", "enum", "fixed", "int"]),
            max_size=5,
        )
    ),
    max_leaves=12,
)


@example({"type": "record", "name": "x"})
@example({"type": "fixed", "name": "F", "size": "x"})
@given(JSON)
def test_any_json_is_a_schema_or_is_refused_as_none(schema: Any) -> None:
    with suppress(UnsafeSchemaError):
        assert isinstance(compiled(schema), Reader)


def test_a_schema_nested_beyond_the_stack_is_refused() -> None:
    deep: Any = "string"
    for _ in range(3000):
        deep = array(deep)
    with pytest.raises(UnsafeSchemaError, match="RecursionError"):
        compiled(deep)


@pytest.mark.parametrize(
    "writer",
    ["string", record("Other", "string"), READER | {"name": "Other"}, READER | {"fields": READER["fields"][:1]}],
    ids=["no record", "another record", "another name", "no asset"],
)
def test_a_schema_that_no_message_can_be_read_with_is_refused_at_the_start(writer: Any) -> None:
    """Else each message is dead-lettered as broken, though the fault is in the schema directory."""
    with pytest.raises(UnsafeSchemaError):
        compiled(writer)


def test_a_timestamp_in_micros_is_read_as_the_number_it_is() -> None:
    writer = json.loads(json.dumps(READER))
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(writer), custom() | {"scored_at": 1_560_247_200_123_456})
    found = compiled(READER).read(stream.getvalue(), 0)["scored_at"]
    assert (type(found), found) == (int, 1_560_247_200_123_456)


def test_a_default_of_a_writer_that_is_not_of_its_fields_type_is_no_reason_to_refuse_it() -> None:
    """Older registries took such schemas, and no message is read with a writer's defaults."""
    writer = json.loads(json.dumps(READER))
    writer["fields"].append({"name": "extra", "type": "string", "default": None})
    assert compiled(writer, READER).generated is None
    writer["fields"].pop()
    writer["fields"][0]["default"] = 5
    assert compiled(writer, READER).generated is not None
