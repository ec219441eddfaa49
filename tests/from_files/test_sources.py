"""What lines, rows and pairs come to: events with the same values, or faults by their place; and ids that stay."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.producers.reference import decoded, micros, table_of
from worker.from_files.csv_rows import Columns, CsvRows, kind_of, kind_of_all
from worker.from_files.drafts import Fault, Making, Ready, Source, SourceError
from worker.from_files.files import kept
from worker.from_files.json_lines import JsonLines
from worker.from_files.pairs import Pairs
from worker.producer.encoding import offline

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 4096
ENCODING = offline()
TABLE: dict[str, Any] = {"fields": ["age"], "values": [[41.0]]}
ANSWER: dict[str, Any] = {"fields": ["p"], "values": [["yes"]]}
LINE: dict[str, Any] = {"asset": "a", "request": TABLE, "response": ANSWER}


def making(source: Source, **defaults: str) -> list[Ready | Fault]:
    made = Making(source.digest(), defaults, ENCODING, LIMIT)
    return [made.of(draft) for draft in source.drafts()]


def lines(*texts: bytes | str | dict[str, Any]) -> JsonLines:
    data = [json.dumps(text) if isinstance(text, dict) else text for text in texts]
    whole = b"\n".join(each.encode() if isinstance(each, str) else each for each in data)
    return JsonLines(kept(io.BytesIO(whole)), "e.jsonl", 8 * LIMIT)


def rows(text: str | bytes, columns: Columns) -> CsvRows:
    data = text.encode() if isinstance(text, str) else text
    return CsvRows(kept(io.BytesIO(data)), "e.csv", 8 * LIMIT, columns)


def events(made: list[Ready | Fault]) -> list[dict[str, Any]]:
    found = []
    for each in made:
        assert isinstance(each, Ready), each
        found.append(decoded(each.value))
    return found


def faults(made: list[Ready | Fault]) -> list[str]:
    return [str(each) for each in made if isinstance(each, Fault)]


# --- JSON Lines -------------------------------------------------------------------------------------------------------


def test_a_line_has_every_field_of_an_event() -> None:
    body = {"content_type": "text/csv", "data": "1,2\n"}
    whole = {
        **LINE,
        "binding": "b",
        "deployment": "d",
        "scoring_id": "s",
        "scored_at": "2026-01-01T01:00:00.000001+01:00",
        "response_time_ms": 12,
        "attributes": {"k": "v"},
        "request": body,
    }
    (found,) = events(making(lines(whole)))
    assert micros(found.pop("scored_at")) == 1_767_225_600_000_001
    assert found.pop("request")[1] == {"content_type": "text/csv", "data": b"1,2\n"}
    assert table_of(found.pop("response")) == ANSWER
    del whole["scored_at"], whole["request"], whole["response"]
    assert found == whole


def test_whatever_else_is_json_is_a_body_of_the_engine() -> None:
    native = {"Inputs": {"input1": [{"age": 41.0}]}}
    (found,) = events(making(lines({**LINE, "request": native})))
    assert found["request"][1] == {"content_type": "application/json", "data": b'{"Inputs":{"input1":[{"age":41.0}]}}'}


def test_defaults_stand_for_what_a_line_does_not_say() -> None:
    bare = {name: LINE[name] for name in ("request", "response")}
    found = events(making(lines(bare, {**LINE, "binding": "own"}, "", "  "), asset="loans", binding="east"))
    assert [(each["asset"], each["binding"]) for each in found] == [("loans", "east"), ("a", "own")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (b"\xff{}", "not-utf8: the line is not UTF-8 at byte 0"),
        ("{", "not-json: the line is not JSON at byte 1"),
        ("[1]", "shape: the line is an array, not an object"),
        ({"aset": "a"}, "shape: an event has no field 'aset'; it has asset, binding"),
        ({"request": TABLE, "response": ANSWER}, "asset-missing: asset: it is not said here, nor by --asset"),
        ({"asset": "a", "request": TABLE}, "shape: response: it is missing"),
        ({**LINE, "request": "text"}, "shape: request: it is a string, neither a Body, a Table nor JSON of an engine"),
        ({**LINE, "request": {"data": {}}}, "shape: request: content_type and data of a Body are texts"),
        ({**LINE, "scored_at": "yesterday"}, "shape: scored_at: it is no date and time as ISO 8601 writes them"),
        ({**LINE, "scored_at": "2026-01-01T00:00:00"}, "shape: scored_at: it has no time zone: Z stands for UTC"),
        ({**LINE, "attributes": []}, "shape: attributes: it is an array, not an object of texts"),
        (
            json.dumps(LINE).replace("41.0", "NaN"),
            "not-finite: request: values[0], column 'age' is not a finite number",
        ),
        (json.dumps(LINE).replace("41.0", "1e999"), "not-finite: request: values[0], column 'age'"),
        ({**LINE, "request": {"text": "x" * LIMIT}}, "event-too-large: request and response: the event has"),
        ("x" * 9 * LIMIT, "event-too-large: the line has more than 32768 bytes"),
    ],
)
def test_a_faulty_line_is_named_by_its_number_and_the_others_are_not_harmed(wrong: Any, said: str) -> None:
    made = making(lines(LINE, wrong, LINE))
    assert [isinstance(each, Ready) for each in made] == [True, False, True]
    assert faults(made)[0].startswith(f"e.jsonl:2: {said}")


def test_a_byte_order_mark_is_skipped() -> None:
    assert len(events(making(lines(b"\xef\xbb\xbf" + json.dumps(LINE).encode())))) == 1


# --- scoring ids ------------------------------------------------------------------------------------------------------


def ids(made: list[Ready | Fault]) -> list[str]:
    return [each.scoring_id for each in made if isinstance(each, Ready)]


def test_ids_are_the_same_for_the_same_input_and_others_for_any_other() -> None:
    first = ids(making(lines(LINE, LINE)))
    assert len(set(first)) == 2
    assert ids(making(lines(LINE, LINE))) == first
    for other in (making(lines(LINE, LINE, LINE)), making(lines(LINE, LINE), binding="east")):
        assert not set(ids(other)) & set(first)


def test_an_id_of_the_lines_own_is_kept() -> None:
    assert ids(making(lines({**LINE, "scoring_id": "own"}))) == ["own"]


# --- CSV --------------------------------------------------------------------------------------------------------------

CSV = '''\
id,at,age,hours,name,zip,member,probability,prediction
s-1,2026-01-01T00:00:00Z,41,37,"Ann, or ""A""",01234,true,"[0.25, 0.75]",yes
,,23,20.5,,99999,false,[],no
'''
COLUMNS = Columns(("prediction",), "prob", "id", "at")


def test_columns_become_the_request_and_the_response_by_kind() -> None:
    first, second = events(making(rows(CSV, COLUMNS), asset="a"))
    assert json.dumps(table_of(first["request"])) == json.dumps(
        {"fields": ["age", "hours", "name", "zip", "member"], "values": [[41, 37.0, 'Ann, or "A"', "01234", True]]}
    )
    assert json.dumps(table_of(second["request"])["values"]) == '[[23, 20.5, null, "99999", false]]'
    assert table_of(first["response"]) == {"fields": ["probability", "prediction"], "values": [[[0.25, 0.75], "yes"]]}
    assert (first["scoring_id"], micros(first["scored_at"])) == ("s-1", 1_767_225_600_000_000)
    assert second["scoring_id"] not in {"", None}
    assert second["scored_at"] is None


def test_a_row_is_named_by_its_first_line_also_behind_a_cell_of_several() -> None:
    found = rows('age,p\n"1\n2",x\n\n3\n4,y\n', Columns(("p",)))
    made = making(found, asset="a")
    assert [each.partition(" cells")[0] for each in faults(made)] == ["e.csv:5: row-width: 1"]
    assert [each.number for each in made] == [2, 5, 6]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age,p\nNaN,1\n2,1\n", "e.csv:2: not-finite: request: values[0], column 'age' is not a finite number"),
        ("age,p\n1e999,1\n2,1\n", "e.csv:2: not-finite: request: values[0], column 'age'"),
        (b"age,p\n1,1\n\xff,1\n", "e.csv:3: shape: the line is not UTF-8 at byte 0"),
        ('age,p\n1,1\n"a"b,1\n', "e.csv:3: shape: it is no CSV"),
        ('age,p\n1,1\n"a,1\n', "e.csv:3: shape: it is no CSV"),
        ("age,p\n" + "x" * 9 * LIMIT + ",1\n2,2", "e.csv:2: shape: the line has more than 32768 bytes"),
        ("age,p\n1,2,3\n", "e.csv:2: row-width: 3 cells for 2 columns"),
    ],
)
def test_a_faulty_row_is_named_by_its_line(text: str | bytes, said: str) -> None:
    (fault,) = faults(making(rows(text, Columns(("p",))), asset="a"))
    assert fault.startswith(said)


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("", Columns(("p",)), "e.csv:1: there is no header"),
        ("a,a,p\n", Columns(("p",)), "e.csv:1: the column 'a' occurs more than once"),
        ("a,p\n", Columns(("q",)), "e.csv:1: there is no column 'q'"),
        ("a,p\n", Columns(("p",), scoring_id="id"), "e.csv:1: there is no column 'id'"),
        ("a,p\n", Columns(), "e.csv:1: no column is the response's: say --response-columns or --response-prefix"),
        ("p\n", Columns(("p",)), "e.csv:1: no column is left to be the request's"),
    ],
)
def test_a_header_that_cannot_be_used_is_told(text: str, columns: Columns, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        rows(text, columns)
    assert str(caught.value) == said


def test_a_column_that_is_said_to_be_text_is_text() -> None:
    (found,) = events(making(rows("code,p\n12,1\n", Columns(("p",), text=("code",))), asset="a"))
    assert json.dumps(table_of(found["request"])["values"]) == '[["12"]]'


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_a_cell_that_was_written_from_a_value_is_read_as_it(value: Any) -> None:
    kind = {int: "integer", float: "double", bool: "boolean"}[type(value)]
    assert kind_of(str(value)) == kind
    found = rows(f"a,p\n{value},1\n", Columns(("p",)))
    (event,) = events(making(found, asset="a"))
    assert json.dumps(table_of(event["request"])["values"]) == json.dumps([[value]])


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        ({"integer"}, "integer"),
        ({"integer", "double"}, "double"),
        ({"boolean", "integer"}, "text"),
        ({"double", "text"}, "text"),
        (set(), "text"),
    ],
)
def test_a_columns_kind_is_that_of_all_its_cells(kinds: set[str], kind: str) -> None:
    assert kind_of_all(kinds) == kind


@pytest.mark.parametrize("cell", ["007", "99999999999999999999", "1_000", "0x1F", "", " 1", "\u0661", "[1", "[1] "])
def test_what_only_looks_like_a_number_or_an_array_is_text(cell: str) -> None:
    assert kind_of(cell) == ("array" if cell == "[1] " else "text")


# --- pairs ------------------------------------------------------------------------------------------------------------


def pair(place: Path, name: str, request: bytes = b'{"values":[[1]]}', end: str = "json") -> None:
    (place / f"{name}.request.{end}").write_bytes(request)
    (place / f"{name}.response.json").write_bytes(b'{"fields":["p"],"values":[[1]]}')


def test_pairs_become_bodies_with_their_bytes_untouched(tmp_path: Path) -> None:
    pair(tmp_path, "b.2", b"1, 2.\n", "csv")
    pair(tmp_path, "a", b'{ "values": [[41.0]] }')
    (tmp_path / "notes.txt").write_text("x")
    source = Pairs(tmp_path, LIMIT)
    assert source.others == 1
    first, second = events(making(source, asset="x"))
    assert first["request"][1] == {"content_type": "application/json", "data": b'{ "values": [[41.0]] }'}
    assert second["request"][1] == {"content_type": "text/csv", "data": b"1, 2.\n"}
    assert ids(making(Pairs(tmp_path, LIMIT, names_are_ids=True), asset="x")) == ["a", "b.2"]


def test_what_has_no_other_half_or_two_or_is_too_large_is_named(tmp_path: Path) -> None:
    pair(tmp_path, "alone")
    (tmp_path / "alone.response.json").unlink()
    pair(tmp_path, "large", b"x" * (LIMIT + 1), "csv")
    pair(tmp_path, "twice")
    (tmp_path / "twice.request.csv").write_bytes(b"1")
    found = faults(making(Pairs(tmp_path, LIMIT), asset="x"))
    assert [each.removeprefix(f"{tmp_path}/") for each in found] == [
        "alone: shape: of its response there is none: one of NAME.response.json, .jsonl or .csv",
        f"large: event-too-large: request: the file has {LIMIT + 1} bytes, of {LIMIT}",
        "twice: shape: of its request there are 2: one of NAME.request.json, .jsonl or .csv",
    ]


def test_a_pair_that_is_written_to_changes_the_whole(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    source = Pairs(tmp_path, LIMIT)
    assert not source.changed()
    before = ids(making(source, asset="x"))
    assert ids(making(Pairs(tmp_path, LIMIT), asset="x")) == before
    pair(tmp_path, "b")
    assert source.changed()
    assert ids(making(Pairs(tmp_path, LIMIT), asset="x"))[:1] != before


def test_a_directory_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file or directory"):
        Pairs(tmp_path / "nowhere", LIMIT)
