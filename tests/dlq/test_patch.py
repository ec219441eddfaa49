"""Repairs: each verb at each place, values that stay as they are, and errors that name a path and never a value."""

from __future__ import annotations

import copy
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.way.events import SCHEMA, avro, body, custom, event
from worker.dlq.content import PatchError, repaired
from worker.dlq.encoding import Encoder
from worker.dlq.opening import Opened
from worker.dlq.patch import Patch, PatchFileError, patch
from worker.edges.schemas import load_schemas, reader_schema
from worker.rooms.framing import SINGLE_OBJECT_MARKER, VALUE_SCHEMA, Framed, SchemaId
from worker.rooms.writer_schema import compile_reader

TABLE = {"fields": ["age", "sector"], "values": [["41", "retail"], ["7", None]], "meta": None}


def _table() -> dict[str, Any]:
    return event("credit", copy.deepcopy(TABLE), copy.deepcopy(TABLE))


def changed(record: dict[str, Any], *changes: str) -> dict[str, Any]:
    """The event after changes, each written as the lines of its table."""
    return repaired(record, made(*changes))[0]


def made(*changes: str) -> Patch:
    return patch("\n".join(f"[[change]]\n{each}" for each in changes).encode())


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        ('set = "asset"\nto = "other"', ("asset",), "other"),
        ('default = "binding"\nto = "b"', ("binding",), "b"),
        ('set = "response_time_ms"\nto = 0', ("response_time_ms",), 0),
        ('set = "attributes.service"\nto = "s"', ("attributes", "service"), "s"),
        ('rename = "request.column.age"\nto = "years"', ("request", "fields"), ["years", "sector"]),
        ('drop = "request.column.age"', ("request", "values"), [["retail"], [None]]),
        ('cast = "request.column.age"\nto = "integer"', ("request", "values"), [[41, "retail"], [7, None]]),
        ('cast = "request.column.age"\nto = "number"', ("request", "values"), [[41, "retail"], [7, None]]),
        ('default = "request.column.sector"\nto = "x"', ("request", "values"), [["41", "retail"], ["7", "x"]]),
        ('default = "request.column.new"\nto = 1', ("request", "values"), [["41", "retail", 1], ["7", None, 1]]),
    ],
)
def test_a_change_of_an_event_or_its_table(change: str, path: tuple[str, ...], value: object) -> None:
    record = _table()
    before = copy.deepcopy(record)
    found: Any = changed(record, change)
    for step in path:
        found = found[step]
    assert found == value
    assert record == before


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ('set = "request.body.a.b"\nto = 2', {"a": {"b": 2}, "list": [{"n": "1"}, {"n": "2.5"}]}),
        ('cast = "request.body.list.*.n"\nto = "number"', {"a": {"b": "x"}, "list": [{"n": 1}, {"n": 2.5}]}),
        ('drop = "request.body.a"', {"list": [{"n": "1"}, {"n": "2.5"}]}),
        ('rename = "request.body.a.b"\nto = "c"', {"a": {"c": "x"}, "list": [{"n": "1"}, {"n": "2.5"}]}),
        ('drop = ["request", "body", "list", "*", "n"]', {"a": {"b": "x"}, "list": [{}, {}]}),
        ('default = "request.body.d"\nto = true', {"a": {"b": "x"}, "list": [{"n": "1"}, {"n": "2.5"}], "d": True}),
    ],
)
def test_a_change_inside_of_a_json_body(change: str, after: object) -> None:
    record = event("credit", body({"a": {"b": "x"}, "list": [{"n": "1"}, {"n": "2.5"}]}), copy.deepcopy(TABLE))
    assert json.loads(changed(record, change)["request"]["data"]) == after


def test_a_column_of_a_custom_engines_body_is_a_column() -> None:
    found = changed(custom(2), 'rename = "request.column.age"\nto = "years"', 'drop = "request.column.hours"')
    document = json.loads(found["request"]["data"])
    assert document["fields"] == ["years", "income", "sector"]
    assert document["values"] == [[0, None, "sector 0"], [1, None, "sector 1"]]


def test_the_scoring_id_that_was_given_stays_and_only_an_empty_one_goes() -> None:
    drop = 'drop = "scoring_id"'
    assert changed(custom() | {"scoring_id": "given"}, drop)["scoring_id"] == "given"
    assert changed(custom() | {"scoring_id": ""}, drop)["scoring_id"] is None


def test_a_change_that_finds_nothing_is_none() -> None:
    nothing = [
        'rename = "request.column.gone"\nto = "x"',
        'drop = "request.body.gone.deep"',
        'set = "asset"\nto = "action"',
    ]
    record, done = repaired(custom(), made(*nothing))
    assert (record, done) == (custom(), [])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ('cast = "request.column.sector"\nto = "number"', "cannot-cast"),
        ('rename = "request.column.age"\nto = "sector"', "name-taken"),
        ('drop = "request.body.a"', "no-body"),
    ],
)
def test_what_cannot_be_done_is_told_by_path_without_a_value(change: str, code: str) -> None:
    with pytest.raises(PatchError) as caught:
        changed(_table(), change)
    assert caught.value.code == code
    assert "request." in str(caught.value)
    assert "retail" not in str(caught.value)


@pytest.mark.parametrize("data", [b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":1e999}', b"\xff", b"[" * 100_000])
def test_a_body_that_would_not_stay_what_it_is_is_not_changed(data: bytes) -> None:
    with pytest.raises(PatchError) as caught:
        changed(event("credit", body(data), body(data)), 'set = "request.body.b"\nto = 1')
    assert caught.value.code == "not-json"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", r"\[\[change\]\] tables"),
        ("[[change]\n", "not TOML"),
        ("other = 1", r"\[\[change\]\] tables"),
        ('[[change]]\nset = "asset"', "change 1: set needs a to"),
        ('[[change]]\ndrop = "binding"\nto = "x"', "change 1: drop has no to"),
        ('[[change]]\nset = "asset"\nto = "x"\n[[change]]\nset = "aset"\nto = "x"', "change 2: there is no aset"),
        ('[[change]]\nset = "scoring_id"\nto = "x"', "set is not for scoring_id: drop"),
        ('[[change]]\nset = "asset"\nto = 1', "asset cannot be set to that"),
        ('[[change]]\ncast = "request.column.age"\nto = "date"', "cast is to one of number"),
        ('[[change]]\nset = "asset"\ndrop = "asset"\nto = "x"', "exactly one of"),
        ("[[change]]\ndrop = 1", "names a path"),
        ('[[change]]\nset = "request.body.a"\nto = 2020-01-01', "cannot be set"),
        ('[[change]]\nset = "request.body.a"\nto = {b = [nan]}', "cannot be set"),
        ('[[change]]\ndefault = "response.column.a"\nto = -inf', "cannot be set"),
    ],
)
def test_a_file_that_is_no_repair_is_refused_by_the_number_of_its_change(text: str, part: str) -> None:
    with pytest.raises(PatchFileError, match=part):
        patch(text.encode())


CELLS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)
LETTERS = st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF)
NAMES = st.lists(st.text(LETTERS, min_size=1, max_size=4), min_size=1, max_size=4, unique=True)


@given(st.data(), NAMES)
def test_a_renamed_column_changes_no_cell_and_renamed_back_is_as_it_was(data: st.DataObject, names: list[str]) -> None:
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=3))
    record = event("a", {"fields": names, "values": rows, "meta": None}, copy.deepcopy(TABLE))
    there = {"rename": ["request", "column", names[0]], "to": "renamed"}
    back = {"rename": ["request", "column", "renamed"], "to": names[0]}
    found = changed(record, _toml(there))
    assert found["request"]["values"] == rows
    assert changed(found, _toml(back)) == record


def _toml(table: dict[str, Any]) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in table.items()).replace("\x7f", "\\u007f")


@given(
    st.recursive(
        CELLS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    )
)
def test_a_body_keeps_all_that_is_not_changed(value: Any) -> None:
    finite = json.loads(json.dumps({"kept": value}, allow_nan=True).replace("-Infinity", "0").replace("Infinity", "0"))
    found = changed(event("a", body(finite), copy.deepcopy(TABLE)), 'set = "request.body.new"\nto = 1')
    assert json.loads(found["request"]["data"]) == finite | {"new": 1}


BOOK = load_schemas(None, {})
READER = BOOK.readers[SchemaId(1)]
HEADERS: list[tuple[str, bytes | None]] = [("trace", b"1"), (VALUE_SCHEMA, b"\x00\x00\x00\x00\x01")]


def test_an_event_keeps_its_framing_where_its_schema_is_the_reader_schema() -> None:
    value = b"\x00\x00\x00\x00\x01" + avro(custom())
    opened = Opened(Framed(SchemaId(1), 5), READER, READER.read(value, 5))
    assert Encoder(reader_schema()).written(opened.record, opened, value, HEADERS) == (value, HEADERS)


def test_an_event_of_another_schema_becomes_a_single_object_of_the_reader_schema() -> None:
    older = copy.deepcopy(reader_schema())
    older["fields"] = [each for each in older["fields"] if each["name"] != "attributes"]
    reader = compile_reader("older", older, reader_schema())
    opened = Opened(Framed(SchemaId(7), 5), reader, custom())
    value, headers = Encoder(reader_schema()).written(opened.record, opened, b"", HEADERS)
    assert value == SINGLE_OBJECT_MARKER + READER.fingerprint.to_bytes(8, "little") + avro(custom())
    assert headers == HEADERS[:1]


def test_a_value_that_does_not_fit_the_schema_is_refused_without_saying_it() -> None:
    opened = Opened(Framed(SchemaId(1), 5), READER, custom())
    with pytest.raises(PatchError, match="does not fit"):
        Encoder(reader_schema()).written(custom() | {"response_time_ms": "secret"}, opened, b"\0" * 5, ())
    assert fastavro.schema.fullname(SCHEMA) == "openscale.payload.PayloadEvent"
