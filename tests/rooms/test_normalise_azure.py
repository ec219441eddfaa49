"""Azure ML Studio and Azure ML Service: the documented variants of contract §6, and what is refused of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.model import Body, Engine, Normal, Refusal, Target
from worker.rooms.normalise import normalise

STUDIO, SERVICE = Engine.AZURE_STUDIO, Engine.AZURE_SERVICE
ROW = {"A": "F", "B": 27}
SCORED = {"A": "F", "B": "27", "Scored Labels": "x", "Scored Probabilities": "0.01"}
STUDIO_REQUEST = {"Inputs": {"input1": [ROW]}, "GlobalParameters": {}}
STUDIO_RESPONSE = {"Results": {"output1": [SCORED]}}
SERVICE_REQUEST = {"input": [ROW]}
SERVICE_RESPONSE = {"output": [{"Scored Labels": "x", "Scored Probabilities": [0.9, 0.1]}]}


def as_json(value: object) -> Body:
    return Body("application/json", json.dumps(value).encode())


def run(engine: Engine, request: Any, response: Any) -> Normal | Refusal:
    return normalise(as_json(request), as_json(response), Target("b", "s", "d", engine.value))


def passed(engine: Engine, request: Any, response: Any) -> Normal:
    result = run(engine, request, response)
    assert isinstance(result, Normal), result
    return result


def refused(engine: Engine, request: Any, response: Any) -> Refusal:
    result = run(engine, request, response)
    assert isinstance(result, Refusal)
    return result


def test_studio_rows_become_fields_and_values_with_numeric_strings_untouched() -> None:
    assert passed(STUDIO, STUDIO_REQUEST, STUDIO_RESPONSE) == Normal(
        {"fields": ["A", "B"], "values": [["F", 27]]},
        {"fields": ["A", "B", "Scored Labels", "Scored Probabilities"], "values": [["F", "27", "x", "0.01"]]},
        1,
    )


@pytest.mark.parametrize("name", ["output1", "WebServiceOutput0", "ein Name {0}"])
def test_the_one_input_and_output_may_have_any_name(name: str) -> None:
    result = passed(STUDIO, {"Inputs": {name: [ROW]}}, {"Results": {name: [{"Scored Labels": 1.5}]}})
    assert result.response == {"fields": ["Scored Labels"], "values": [[1.5]]}


@pytest.mark.parametrize(
    "columns",
    [
        ['Scored Probabilities for Class "Golf Equipment"', 'Scored Probabilities for Class "Tents"', "Scored Labels"],
        ["Scored Labels"],
        ["Scored Label Mean", "Scored Label Standard Deviation"],
    ],
)
def test_multiclass_and_regression_columns_are_taken_as_they_are_named(columns: list[str]) -> None:
    row = {name: str(at) for at, name in enumerate(columns)}
    result = passed(STUDIO, STUDIO_REQUEST, {"Results": {"output1": [row]}})
    assert result.response == {"fields": columns, "values": [[str(at) for at in range(len(columns))]]}


@given(st.data(), st.dictionaries(st.text(), st.integers() | st.text(), min_size=1, max_size=6), st.integers(2, 4))
def test_the_order_of_columns_in_later_rows_is_irrelevant(
    data: st.DataObject, first: dict[str, Any], count: int
) -> None:
    shuffled = [dict(data.draw(st.permutations([(k, f"{v}{at}") for k, v in first.items()]))) for at in range(count)]
    rows = [first, *shuffled]
    answers = [{"p": at} for at in range(len(rows))]
    for engine, request, response in (
        (STUDIO, {"Inputs": {"i": rows}}, {"Results": {"o": answers}}),
        (SERVICE, {"input": rows}, {"output": answers}),
    ):
        grid = passed(engine, request, response).request
        again = [dict(zip(grid["fields"], values, strict=True)) for values in grid["values"]]
        assert again == [json.loads(json.dumps(first)), *shuffled]
        assert grid["fields"] == list(first)


def test_a_missing_and_an_extra_column_are_named_with_their_row() -> None:
    short = {"Results": {"output1": [SCORED, SCORED, {"A": "F", "B": "2", "Scored Probabilities": "1"}]}}
    refusal = refused(STUDIO, {"Inputs": {"input1": [ROW] * 3}}, short)
    assert refusal.code == "columns"
    assert refusal.detail == "response: Results.output1[2] has no column 'Scored Labels'"
    extra = {"input": [ROW, {**ROW, "C": 1}]}
    detail = refused(SERVICE, extra, SERVICE_RESPONSE).detail
    assert detail == "request: input[1] has a column 'C' that the first row lacks"


def test_the_place_of_a_bad_cell_is_named() -> None:
    detail = refused(STUDIO, {"Inputs": {"input1": [ROW, {"A": "F", "B": {}}]}}, STUDIO_RESPONSE).detail
    assert detail.startswith("request: Inputs.input1[1], column 'B' is neither")


def test_the_classic_form_is_taken_bare_and_under_value() -> None:
    classic = {"ColumnNames": ["A", "B"], "Values": [["F", "27"], ["M", "3"]]}
    answer = {"type": "table", "value": {"ColumnNames": ["p"], "ColumnTypes": ["String"], "Values": [["x"], [None]]}}
    assert passed(STUDIO, {"Inputs": {"input1": classic}}, {"Results": {"output1": answer}}) == Normal(
        {"fields": ["A", "B"], "values": [["F", "27"], ["M", "3"]]}, {"fields": ["p"], "values": [["x"], [None]]}, 2
    )
    short = {"ColumnNames": ["A", "B"], "Values": [["F"]]}
    detail = refused(STUDIO, {"Inputs": {"input1": short}}, STUDIO_RESPONSE).detail
    assert detail == "request: Inputs.input1.Values[0] has 1 cells for 2 fields"


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"inputs": {"input1": [ROW]}},
        {"Inputs": []},
        {"Inputs": {}},
        {"Inputs": {"input1": [ROW], "input2": [ROW]}},
        {"Inputs": {"input1": ["x"]}},
        {"Inputs": {"input1": [[1]]}},
        {"Inputs": {"input1": ROW}},
        {"Inputs": {"input1": "x"}},
        {"Inputs": {"input1": {"ColumnNames": ["A"]}}},
    ],
)
def test_studio_requests_of_another_shape_are_refused(request_: object) -> None:
    refusal = refused(STUDIO, request_, STUDIO_RESPONSE)
    assert refusal.code == "shape"
    assert "nputs" in refusal.detail


def test_objects_without_columns_are_refused_and_without_rows_too() -> None:
    assert refused(STUDIO, {"Inputs": {"input1": [{}]}}, STUDIO_RESPONSE).code == "no-fields"
    assert refused(STUDIO, {"Inputs": {"input1": []}}, {"Results": {"output1": []}}).code == "no-rows"
    assert refused(SERVICE, {"input": []}, SERVICE_RESPONSE).code == "row-counts"


SERVICE_NORMAL = Normal(
    {"fields": ["A", "B"], "values": [["F", 27]]},
    {"fields": ["Scored Labels", "Scored Probabilities"], "values": [["x", [0.9, 0.1]]]},
    1,
)


@pytest.mark.parametrize(
    "response",
    [
        json.dumps(SERVICE_RESPONSE),
        SERVICE_RESPONSE,
        SERVICE_RESPONSE["output"][0],
        json.dumps(SERVICE_RESPONSE["output"][0]),
    ],
)
def test_a_service_answers_json_in_a_string_or_bare_and_one_object_is_one_row(response: object) -> None:
    assert passed(SERVICE, SERVICE_REQUEST, response) == SERVICE_NORMAL


@pytest.mark.parametrize(
    ("request_", "response", "code"),
    [
        ({"data": [ROW]}, SERVICE_RESPONSE, "shape"),
        ({"input": ROW}, SERVICE_RESPONSE, "shape"),
        (SERVICE_REQUEST, {"output": "x"}, "shape"),
        (SERVICE_REQUEST, [1], "shape"),
        (SERVICE_REQUEST, json.dumps({"error": "model not found"}), "shape"),
        (SERVICE_REQUEST, '{"output":', "not-json"),
        (SERVICE_REQUEST, json.dumps(json.dumps(SERVICE_RESPONSE)), "shape"),
        (SERVICE_REQUEST, {}, "no-fields"),
    ],
)
def test_service_bodies_of_another_shape_are_refused(request_: object, response: object, code: str) -> None:
    assert refused(SERVICE, request_, response).code == code


def test_what_the_caller_has_converted_already_is_taken() -> None:
    normal = {"fields": ["A"], "values": [[1]]}
    for engine in (STUDIO, SERVICE):
        assert passed(engine, normal, normal) == Normal(normal, normal, 1)
