"""What holds of every engine: tables, cells, content types, JSON's edges; and that nothing ever raises or tells."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from worker.model import Body, Disposition, Engine, Normal, Refusal, Table, Target
from worker.rooms.normalise import Code, normalise

FEATURES = ("a", "b", "c")
ANSWER = Body("application/json", b'{"fields":["prediction"],"values":[["Y"]]}')
ENGINES = [engine.value for engine in Engine]
CONTENT_TYPES = ["application/json", "text/csv", "application/jsonlines", "", "text/plain"]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
cells = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


@st.composite
def grids(draw: st.DrawFn, rows: int) -> tuple[list[str], list[list[Any]]]:
    fields = draw(st.lists(st.text(max_size=8), min_size=1, max_size=5, unique=True))
    return fields, [[draw(cells) for _ in fields] for _ in range(rows)]


def target(engine: str = "custom_machine_learning", features: tuple[str, ...] = FEATURES) -> Target:
    return Target("b", "s", "d", engine, features)


def as_json(value: object, content_type: str = "application/json") -> Body:
    return Body(content_type, json.dumps(value).encode())


def refused(request: Body | Table, response: Body | Table = ANSWER, engine: str = "custom_machine_learning") -> Refusal:
    result = normalise(request, response, target(engine))
    assert isinstance(result, Refusal)
    return result


def request_of(body: Body) -> Any:
    result = normalise(body, ANSWER, target())
    assert isinstance(result, Normal), result
    return result.request


@given(st.data(), st.integers(1, 4), st.sampled_from([*ENGINES, "watson_machine_learning", "no such engine"]))
def test_any_table_stays_as_it_is_for_every_engine(data: st.DataObject, rows: int, engine: str) -> None:
    fields, values = data.draw(grids(rows))
    names, answers = data.draw(grids(rows))
    result = normalise(Table(fields, values), Table(names, answers), target(engine))
    assert isinstance(result, Normal)
    assert result == Normal({"fields": fields, "values": values}, {"fields": names, "values": answers}, rows)
    assert len(orjson.loads(orjson.dumps(result.request))["values"]) == rows


@given(st.data(), st.integers(1, 4))
def test_any_custom_body_keeps_every_cell_and_its_type(data: st.DataObject, rows: int) -> None:
    fields, values = data.draw(grids(rows))
    body = as_json({"fields": fields, "values": values, "other": 1})
    answer = as_json({"fields": ["p"], "values": [[None]] * rows})
    result = normalise(body, answer, target())
    assert isinstance(result, Normal)
    assert result.rows == rows
    assert repr(dict(result.request)) == repr({"fields": fields, "values": values})


@given(st.data(), st.sampled_from(ENGINES))
def test_a_body_cut_at_any_byte_is_refused(data: st.DataObject, engine: str) -> None:
    fields, values = data.draw(grids(1))
    whole = json.dumps({"fields": fields, "values": values}, ensure_ascii=False).encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    result = normalise(Body("application/json", whole[:cut]), ANSWER, target(engine))
    assert isinstance(result, Refusal)
    assert result.code in {"not-json", "not-utf8"}
    assert result.detail.startswith("request: ")


@given(st.binary(), st.binary(), st.sampled_from(ENGINES), st.sampled_from(CONTENT_TYPES))
def test_random_bytes_never_raise(asked: bytes, answered: bytes, engine: str, content_type: str) -> None:
    result = normalise(Body(content_type, asked), Body(content_type, answered), target(engine))
    assert isinstance(result, (Normal, Refusal))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["values", "x", "[1]", '{"a":1}']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("fields", "values", "meta", "labels", "Inputs", "Results", "input1", "ColumnNames"),
                    *("Values", "value", "input", "output", "predictions", "input_data", "instances"),
                    *("features", "data", "a", "score"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values, json_values, st.sampled_from(ENGINES))
def test_json_of_any_shape_is_refused_or_becomes_postable_rows(asked: object, answered: object, engine: str) -> None:
    result = normalise(as_json(asked), as_json(answered), target(engine))
    if isinstance(result, Refusal):
        assert result.code in set(Code)
        return
    posted = orjson.loads(orjson.dumps([result.request, result.response]))
    assert [len(side["values"]) for side in posted] == [result.rows, result.rows]
    assert "NaN" not in json.dumps([result.request, result.response])
    assert "Infinity" not in json.dumps([result.request, result.response])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400, "9" * 5000])
def test_a_number_that_is_not_finite_is_refused_with_its_field(number: str) -> None:
    body = Body("application/json", b'{"fields":["a","b"],"values":[[1,2],[3,[0,%s]]]}' % number.encode())
    refusal = refused(body)
    assert (refusal.code, refusal.disposition) == ("not-finite", Disposition.VALIDATION)
    assert refusal.detail == "request: values[1], column 'b'[1] is not a finite number"


@pytest.mark.parametrize("cell", [float("nan"), float("inf"), float("-inf"), [[float("nan")]]])
def test_a_table_with_a_number_that_is_not_finite_is_refused(cell: object) -> None:
    assert refused(Table(["a"], [[1.0], [cell]])).code == "not-finite"
    table = Table(["p", "q"], [[1.0, cell]])
    assert refused(Table(["a"], [[1.0]]), table).detail.startswith("response: values[0], column 'q'")


def test_integers_keep_their_type_up_to_64_bits_and_are_the_nearest_double_beyond() -> None:
    row = [-(2**63), 2**64 - 1, 2**53 + 1, 1]
    assert request_of(as_json({"fields": list("abcd"), "values": [row]}))["values"] == [row]
    for beyond in (2**64, -(2**63) - 1, 10**300):
        (cell,) = request_of(as_json({"fields": ["a"], "values": [[beyond]]}))["values"][0]
        assert type(cell) is float
        assert cell == float(beyond)
    assert refused(Table(["a"], [[2**64]])).code == "int-range"
    assert refused(Table(["a"], [[-(2**63) - 1]])).code == "int-range"


def test_a_second_reading_keeps_integers_as_the_first_would() -> None:
    text = b'{"fields":["a"],"values":[[18446744073709551616],[18446744073709551615]],"other":NaN}'
    answer = as_json({"fields": ["p"], "values": [[0], [0]]})
    result = normalise(Body("application/json", text), answer, target())
    assert isinstance(result, Normal)
    assert repr(result.request["values"]) == "[[1.8446744073709552e+19], [18446744073709551615]]"


@pytest.mark.parametrize("cell", [{}, {"a": 1}, [1, {"a": 1}]])
def test_an_object_is_no_cell(cell: object) -> None:
    assert refused(as_json({"fields": ["a"], "values": [[cell]]})).code == "cell-type"
    assert refused(Table(["a"], [[cell]])).code == "cell-type"
    assert refused(as_json({"values": [cell]})).code == "cell-type"


def test_a_cell_that_json_has_no_word_for_is_refused() -> None:
    assert refused(Table(["a"], [[b"bytes"]])).code == "cell-type"


@pytest.mark.parametrize("depth", [1_100, 100_000])
@pytest.mark.parametrize("engine", ENGINES)
def test_deep_nesting_is_refused_and_never_a_recursion_error(depth: int, engine: str) -> None:
    deep = b"[" * depth + b"]" * depth
    assert refused(Body("application/json", b'{"values":' + deep + b"}"), engine=engine).code == "too-deep"
    assert refused(Body("application/json", b'{"a":NaN,"values":' + deep), engine=engine).code in {
        "too-deep",
        "not-json",
    }


def test_arrays_may_be_32_deep_in_a_row() -> None:
    def nested(depth: int) -> Any:
        return [nested(depth - 1)] if depth else 1

    result = request_of(as_json({"fields": ["a"], "values": [[nested(31)]]}))
    assert orjson.loads(orjson.dumps(result))["values"] == [[nested(31)]]
    assert refused(as_json({"fields": ["a"], "values": [[nested(32)]]})).code == "too-deep"


@pytest.mark.parametrize(
    ("fields", "values", "code"),
    [
        (["a", "b"], [[1, 2], [1]], "row-width"),
        (["a", "b"], [[1, 2, 3]], "row-width"),
        (["a", "a"], [[1, 2]], "repeated-field"),
        (["a", 1], [[1, 2]], "field-name"),
        (["a", None], [[1, 2]], "field-name"),
        ("ab", [[1, 2]], "shape"),
        (["a"], 1, "shape"),
        (["a"], "x", "shape"),
        (["a"], {"a": 1}, "shape"),
        (["a"], [[1], 2], "shape"),
        (["a"], [None, [1]], "shape"),
        (["a", "b"], ["xy"], "shape"),
    ],
)
def test_a_table_that_is_not_one_is_refused(fields: Any, values: Any, code: str) -> None:
    assert refused(Table(fields, values)).code == code
    assert refused(as_json({"fields": fields, "values": values})).code == code


def test_the_place_of_a_short_row_is_told() -> None:
    detail = refused(as_json({"fields": ["a", "b"], "values": [[1, 2], [1]]})).detail
    assert detail == "request: values[1] has 1 cells for 2 fields"


def test_rows_of_request_and_response_must_agree() -> None:
    refusal = refused(Table(["a"], [[1], [2]]), Table(["p"], [[1]]))
    assert refusal == Refusal(Disposition.VALIDATION, "row-counts", "request has 2 rows, response has 1")
    assert refused(Table(["a"], []), Table(["p"], [[1]])).code == "row-counts"


def test_no_rows_at_all_are_refused_for_they_would_store_nothing() -> None:
    refusal = refused(Table(["a"], []), Table(["p"], []))
    assert (refusal.disposition, refusal.code) == (Disposition.VALIDATION, "no-rows")


def test_a_table_without_names_is_unstructured_and_only_a_request_may_be() -> None:
    answer = Table(["p"], [[1]])
    nameless: tuple[list[str] | None, ...] = (None, [])
    for fields in nameless:
        result = normalise(Table(fields, [[[1, 2], [3, 4]]]), answer, target())
        assert isinstance(result, Normal)
        assert result.request == {"values": [[[1, 2], [3, 4]]]}
    assert refused(Table(["a"], [[1]]), Table(None, [[1]])).code == "no-fields"
    assert refused(as_json({"fields": [], "values": [[]]})).code == "no-fields"


def test_meta_of_a_table_is_kept_and_has_one_row_a_row() -> None:
    meta = {"fields": ["id"], "values": [["x"]]}
    result = normalise(Table(["a"], [[1]], meta), Table(["p"], [[1]]), target())
    assert isinstance(result, Normal)
    assert result.request == {"fields": ["a"], "values": [[1]], "meta": meta}
    long = {"fields": ["id"], "values": [["x"], ["y"]]}
    assert refused(Table(["a"], [[1]], long)).detail == "request: meta has 2 rows beside 1"
    assert refused(Table(["a"], [[1]], {"fields": ["id"], "values": [[float("nan")]]})).code == "not-finite"
    assert refused(Table(["a"], [[1]], {"values": [["x"]]})).code == "no-fields"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"; version=2',
        "application/vnd.api+json",
        "",
        "application/octet-stream",
    ],
)
def test_json_is_read_under_every_name_it_goes_by(content_type: str) -> None:
    table = {"fields": ["a"], "values": [[1]]}
    assert request_of(as_json(table, content_type)) == table


@pytest.mark.parametrize(
    ("content_type", "data", "code"),
    [
        ("application/json; charset=iso-8859-1", b"{}", "content-type"),
        ("text/csv", b"1,2,3", "content-type"),
        ("application/jsonlines", b"{}", "content-type"),
        ("", b"1,2,3", "content-type"),
        ("text/html", b"<html>", "content-type"),
        ("text/html", b"\xff", "not-utf8"),
        ("application/json", b"<html>", "not-json"),
        ("application/json", b"", "not-json"),
        ("application/vnd.api+json", b"x", "not-json"),
        ("x" * 100_000, b"x", "content-type"),
        ("application/json", b"{} {}", "not-json"),
        ("application/json", b'{"fields":["\xff"]}', "not-utf8"),
        ("application/json", b'{"fields":["\\ud800"]}', "not-json"),
        ("application/json", b'{"fields":["\xed\xa0\x80"]}', "not-utf8"),
        ("application/json", '{"fields":[]}'.encode("utf-16"), "not-utf8"),
        ("application/json", b"[]", "shape"),
        ("application/json", b"null", "shape"),
        ("application/json", b'"text"', "not-json"),
        ("application/json", b'"\\"text\\""', "shape"),
    ],
)
def test_what_is_not_the_text_it_says_is_refused(content_type: str, data: bytes, code: str) -> None:
    assert refused(Body(content_type, data)).code == code


def test_a_position_is_told_in_bytes() -> None:
    body = '{"né":1,é}'.encode()
    assert (
        refused(Body("application/json", body)).detail
        == f"request: the body is not JSON at byte {body.index(b',') + 1}"
    )


def test_a_byte_order_mark_is_read_over() -> None:
    table = {"fields": ["é"], "values": [[1]]}
    assert request_of(Body("application/json", json.dumps(table).encode("utf-8-sig"))) == table
    detail = refused(Body("application/json", b'\xef\xbb\xbf{"a":')).detail
    assert detail == "request: the body is not JSON at byte 5, counted without its byte order mark"
    assert refused(Body("application/json", b"\xef\xbb\xbf" * 5_000 + b"{}")).code == "not-json"


PRIVATE = "4929123456789"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "data",
    [
        f'{{"fields":["a"],"values":[["{PRIVATE}",1]]}}',
        f'{{"fields":["a"],"values":["{PRIVATE}"',
        f'{{"fields":["a"],"values":[[{{"x":"{PRIVATE}"}}]]}}',
        f'{{"Inputs":"{PRIVATE}"}}',
        f'{{"Inputs":{{"input1":["{PRIVATE}"]}}}}',
        f'{{"input":["{PRIVATE}"],"instances":[["{PRIVATE}"],"{PRIVATE}"]}}',
        f'"{PRIVATE}x"',
        f"x{PRIVATE},1,2",
        f"{PRIVATE}",
    ],
)
def test_no_refusal_tells_a_value(data: str, engine: str) -> None:
    for content_type in CONTENT_TYPES:
        result = normalise(Body(content_type, data.encode()), ANSWER, target(engine))
        assert isinstance(result, Refusal)
        assert PRIVATE not in result.detail


def test_a_long_or_odd_name_is_cut_and_quoted() -> None:
    refusal = refused(Table(["x" * 1000, "x" * 1000], [[1, 1]]))
    assert len(refusal.detail) < 150
    assert "\n" not in refused(Table(["x\n", "x\n"], [[1, 1]])).detail


def test_codes_are_stable_kebab_case_with_one_disposition_each() -> None:
    assert {code.value for code in Code if code.disposition is Disposition.NORMALISE} == {
        "content-type",
        "not-utf8",
        "not-json",
        "csv-number",
        "csv-width",
        "shape",
        "columns",
        "no-features",
        "binary-tensor",
        "spss",
    }
    assert {code.disposition for code in Code} == {Disposition.NORMALISE, Disposition.VALIDATION}


@given(st.data())
def test_what_was_given_is_not_changed(data: st.DataObject) -> None:
    fields, values = data.draw(grids(2))
    assume(values)
    before = repr((fields, values))
    normalise(Table(fields, values, {"fields": ["m"], "values": [[1], [2]]}), ANSWER, target())
    assert repr((fields, values)) == before


@pytest.mark.timeout(5)
def test_many_fields_with_one_repeated_are_refused_in_linear_time() -> None:
    fields = [f"f{at}" for at in range(200_000)]
    assert refused(Table([*fields, "f199999"], [[1]])).detail == "request: the field 'f199999' occurs more than once"
