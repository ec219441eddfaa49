"""KServe's protocols as bodies of a custom engine: tensors (V2) transposed into rows, V1's rows named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.model import Body, Disposition, Normal, Refusal, Target
from worker.rooms.normalise import normalise

PRIVATE = "4929123456789"
ANSWER = {"outputs": [{"name": "p", "shape": [2], "datatype": "FP64", "data": [0.5, 0.25]}]}


def as_json(value: object) -> Body:
    return Body("application/json", json.dumps(value).encode())


def run(request: Any, response: Any = ANSWER, features: tuple[str, ...] = ()) -> Normal | Refusal:
    target = Target("b", "s", "d", "custom_machine_learning", features)
    return normalise(as_json(request), as_json(response), target)


def request_of(request: Any, response: Any = ANSWER, features: tuple[str, ...] = ()) -> Any:
    found = run(request, response, features)
    assert isinstance(found, Normal), found
    return found.request


def tensor(name: str, shape: Any, datatype: Any, data: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}


def test_named_tensors_are_columns() -> None:
    inputs = [
        tensor("age", [2, 1], "INT64", [2**53 + 1, 7]),
        tensor("sector", [2], "BYTES", ["a", "b"], parameters={"content_type": "str"}),
        tensor("old", [2, 1], "BOOL", [[True], [False]]),
        tensor("x", [2], "FP32", [1, 0.5]),
    ]
    assert request_of({"id": "1", "parameters": {"content_type": "pd"}, "inputs": inputs}) == {
        "fields": ["age", "sector", "old", "x"],
        "values": [[2**53 + 1, "a", True, 1], [7, "b", False, 0.5]],
    }


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[1, 2], [3, 4]]])
def test_one_tensor_of_columns_takes_the_features_where_they_are_as_many(data: list[Any]) -> None:
    inputs = {"inputs": [tensor("in", [2, 2], "INT32", data)]}
    values = [[1, 2], [3, 4]]
    assert request_of(inputs, features=("a", "b")) == {"fields": ["a", "b"], "values": values}
    assert request_of(inputs, features=("a",)) == {"fields": ["in_0", "in_1"], "values": values}
    assert request_of(inputs) == {"fields": ["in_0", "in_1"], "values": values}


def test_beside_others_a_tensor_of_columns_is_named_by_itself() -> None:
    inputs = [tensor("in", [2, 2], "INT8", [1, 2, 3, 4]), tensor("t", [2], "UINT8", [5, 6])]
    found = request_of({"inputs": inputs}, features=("a", "b"))
    assert found == {"fields": ["in_0", "in_1", "t"], "values": [[1, 2, 5], [3, 4, 6]]}


def test_a_tensor_of_more_dimensions_is_a_column_of_arrays() -> None:
    flat = list(range(12))
    nested = [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]
    for data in (flat, nested):
        found = request_of({"inputs": [tensor("image", [2, 2, 3], "FP32", data)]})
        assert found == {"fields": ["image"], "values": [[each] for each in nested]}


@given(st.data())
def test_rows_are_the_tensor_transposed_flat_or_nested(data: st.DataObject) -> None:
    rows, width = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 4))
    cells = st.integers(-(2**63), 2**63 - 1) | st.none()
    values = data.draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=rows, max_size=rows))
    answer = {"predictions": list(range(rows))}
    expected = {"fields": [f"t_{at}" for at in range(width)], "values": values}
    flat = [cell for row in values for cell in row]
    for given_as in (flat, values):
        assert request_of({"inputs": [tensor("t", [rows, width], "INT64", given_as)]}, answer) == expected
    columns = [
        tensor(f"t_{at}", [rows, 1], "INT64", [row[at] for row in values], extra="ignored") for at in range(width)
    ]
    assert request_of({"inputs": columns}, answer) == expected


@pytest.mark.parametrize(
    ("inputs", "code", "named"),
    [
        ({"a": [1]}, "shape", "inputs"),
        ([], "no-rows", "inputs"),
        ([PRIVATE], "shape", "inputs[0]"),
        ([{"shape": [1]}], "shape", "inputs[0]"),
        ([tensor("t", [2], "INT64", [1])], "shape", "'t'"),
        ([tensor("t", [2, 2], "INT64", [[1, 2], [3]])], "shape", "'t'"),
        ([tensor("t", [2, 2], "INT64", [[1, 2, 3, 4]])], "shape", "'t'"),
        ([tensor("t", [], "INT64", [1])], "shape", "'t'"),
        ([tensor("t", [2, 0], "INT64", [])], "shape", "'t'"),
        ([tensor("t", [-1], "INT64", [1])], "shape", "'t'"),
        ([tensor("t", [True], "INT64", [1])], "shape", "'t'"),
        ([tensor("t", [1] * 17, "INT64", [1])], "shape", "'t'"),
        ([tensor("t", [2, 10**9], "INT64", [1])], "shape", "'t'"),
        ([tensor("t", [0, 10**9], "INT64", [])], "shape", "'t'"),
        ([tensor("t", PRIVATE, "INT64", [1])], "shape", "'t'"),
        ([tensor("t", [2], PRIVATE, [1, 2])], "shape", "'t'"),
        ([tensor("t", [2], ["INT64"], [1, 2])], "shape", "'t'"),
        ([tensor("t", [2], "INT64", PRIVATE)], "shape", "'t'"),
        ([tensor("t", [2], "INT64", [1, PRIVATE])], "cell-type", "'t'"),
        ([tensor("t", [2], "INT64", [1, 2.5])], "cell-type", "'t'"),
        ([tensor("t", [2], "INT8", [1, 128])], "cell-type", "data[1]"),
        ([tensor("t", [2], "UINT8", [1, -1])], "cell-type", "data[1]"),
        ([tensor("t", [2], "BOOL", [1, True])], "cell-type", "data[0]"),
        ([tensor("t", [2], "BYTES", ["a", 4929123456789])], "cell-type", "data[1]"),
        ([tensor("t", [2], "FP64", [1.0, [PRIVATE]])], "cell-type", "'t'"),
        ([tensor("t", [2], "INT64", [1, 2]), tensor("u", [1], "INT64", [1])], "row-counts", "'u'"),
        ([tensor("t", [2], "INT64", [1, 2]), tensor("t", [2], "INT64", [1, 2])], "repeated-field", "'t'"),
        ([tensor("t", [0], "INT64", [])], "row-counts", "0 rows"),
        (
            [{"name": "t", "shape": [2], "datatype": "INT64", "parameters": {"binary_data_size": 16}}],
            "binary-tensor",
            "'t'",
        ),
    ],
)
def test_what_is_no_tensor_is_refused_with_its_name_and_no_value(inputs: Any, code: str, named: str) -> None:
    refusal = run({"inputs": inputs})
    assert isinstance(refusal, Refusal)
    assert refusal.code == code, refusal.detail
    assert named in refusal.detail
    assert refusal.detail.startswith("request") or code == "row-counts"
    assert PRIVATE not in refusal.detail


def test_bytes_behind_the_json_are_binary_tensor_data() -> None:
    head = json.dumps({"inputs": [{"name": "t", "shape": [2], "parameters": {"binary_data_size": 2}}]})
    body = Body("application/octet-stream", head.encode() + b"\x00\xff")
    refusal = normalise(body, as_json(ANSWER), Target("b", "s", "d", "custom_machine_learning"))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.disposition) == ("binary-tensor", Disposition.NORMALISE)


@pytest.mark.parametrize(
    ("instances", "features", "grid"),
    [
        ([[1, 2], [3, 4]], ("a", "b"), {"fields": ["a", "b"], "values": [[1, 2], [3, 4]]}),
        ([[1, 2], [3, 4]], ("a",), {"fields": ["instance_0", "instance_1"], "values": [[1, 2], [3, 4]]}),
        ([1, "x"], ("a",), {"fields": ["a"], "values": [[1], ["x"]]}),
        ([1, 2], (), {"fields": ["instance"], "values": [[1], [2]]}),
        ([{"b": 1, "a": 2}, {"a": 3, "b": 4}], ("a", "b"), {"fields": ["b", "a"], "values": [[1, 2], [4, 3]]}),
        ([[[1, 2]], [[3, 4]]], (), {"fields": ["instance"], "values": [[[[1, 2]]], [[[3, 4]]]]}),
    ],
)
def test_instances_are_rows(instances: Any, features: tuple[str, ...], grid: Any) -> None:
    assert request_of({"instances": instances}, features=features) == grid


@pytest.mark.parametrize(
    ("predictions", "grid"),
    [
        ([0.5, 0.25], {"fields": ["prediction"], "values": [[0.5], [0.25]]}),
        ([[0.1, 0.9], [0.8, 0.2]], {"fields": ["prediction_0", "prediction_1"], "values": [[0.1, 0.9], [0.8, 0.2]]}),
        ([{"score": 1}, {"score": 2}], {"fields": ["score"], "values": [[1], [2]]}),
    ],
)
def test_predictions_are_rows(predictions: Any, grid: Any) -> None:
    found = run({"instances": [1, 2]}, {"predictions": predictions})
    assert isinstance(found, Normal)
    assert found.response == grid


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"instances": {}}, "shape"),
        ({"instances": []}, "no-rows"),
        ({"instances": [[1, 2], [3]]}, "row-width"),
        ({"instances": [[1, 2], 3]}, "shape"),
        ({"instances": [{"a": 1}, {"b": 1}]}, "columns"),
        ({"instances": [[], []]}, "no-fields"),
    ],
)
def test_instances_that_are_no_rows_are_refused(request_: Any, code: str) -> None:
    refusal = run(request_)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
