"""Amazon SageMaker: CSV and JSON in, predictions by key or bare scores out (contract §6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.model import Body, Disposition, Normal, Refusal, Target
from worker.rooms.normalise import normalise

if TYPE_CHECKING:
    from decimal import Decimal

FEATURES = ("age", "pay", "len")
ONE = {"predictions": [{"predicted_label": 0.0, "score": 0.2}]}


def as_body(value: object) -> Body:
    """Bytes are CSV, a list of values in a tuple JSON Lines, all else JSON."""
    if isinstance(value, bytes):
        return Body("text/csv; charset=utf-8", value)
    if isinstance(value, tuple):
        return Body("application/jsonlines", b"".join(json.dumps(line).encode() + b"\n" for line in value))
    return Body("application/json", json.dumps(value).encode())


def run(request: object, response: object = ONE, features: tuple[str, ...] = FEATURES) -> Normal | Refusal:
    return normalise(as_body(request), as_body(response), Target("b", "s", "d", "amazon_sagemaker", features))


def passed(request: object, response: object = ONE) -> Normal:
    result = run(request, response)
    assert isinstance(result, Normal), result
    return result


def refused(request: object, response: object = ONE, features: tuple[str, ...] = FEATURES) -> Refusal:
    result = run(request, response, features)
    assert isinstance(result, Refusal)
    return result


def predictions(count: int) -> dict[str, Any]:
    return {"predictions": [{"score": 0.5}] * count}


@pytest.mark.parametrize(
    "text",
    [
        b"0,1,17",
        b"0,1,17\n",
        b"0,1,17\r\n",
        b" 0, 1 ,17.\n\n",
        b"0.0,1e0,1.7E+1",
        b"+0,.1e1,1700e-2",
        b"\xef\xbb\xbf0,1,17",
    ],
)
def test_csv_becomes_floats_under_the_subscriptions_features(text: bytes) -> None:
    result = passed(text)
    assert repr(dict(result.request)) == repr({"fields": list(FEATURES), "values": [[0.0, 1.0, 17.0]]})
    assert result.response == {"fields": ["predicted_label", "score"], "values": [[0.0, 0.2]]}


@given(
    st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["{!r}", " {!r} ", "{:.20e}"]),
)
def test_csv_of_floats_gives_the_same_floats(rows: list[tuple[float, ...]], newline: str, form: str) -> None:
    text = newline.join(",".join(form.format(cell) for cell in row) for row in rows)
    values = passed(text.encode(), predictions(len(rows))).request["values"]
    assert repr(values) == repr([list(row) for row in rows])


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**6), max_value=10**6))
def test_a_csv_cell_is_the_double_nearest_to_its_decimal(number: Decimal) -> None:
    ((cell, _, _),) = passed(f"{number},0,0".encode()).request["values"]
    assert cell.hex() == (number.as_integer_ratio()[0] / number.as_integer_ratio()[1]).hex() or cell == 0 == number


@pytest.mark.parametrize(
    ("text", "code", "detail"),
    [
        (b"1,2,3\n1,2\n", "csv-width", "line 2 has 2 cells for 3 columns"),
        (b"1,2,3,\n", "csv-width", "line 1 has 4 cells for 3 columns"),
        (b"1,2,3\n\n1,2,3\n", "csv-width", "line 2 has 1 cells for 3 columns"),
        (b"age,pay,len\n1,2,3\n", "csv-number", "line 1, column 'age' is not a number"),
        (b"1,2,3\n4,,6\n", "csv-number", "line 2, column 'pay' is empty"),
        (b"1,2, \n", "csv-number", "line 1, column 'len' is empty"),
        (b"1,2,1_000\n", "csv-number", "line 1, column 'len' is not a number"),
        ("1,2,٣\n".encode(), "csv-number", "line 1, column 'len' is not a number"),
        (b'1,"2",3\n', "csv-number", "line 1, column 'pay' is not a number"),
        (b"1,2,3\r4,5,6\n", "csv-width", "line 1 has 5 cells for 3 columns"),
        (b"1,0x10,3\n", "csv-number", "line 1, column 'pay' is not a number"),
        (b"1,NaN,3\n", "not-finite", "line 1, column 'pay' is not a finite number"),
        (b"1,-Infinity,3\n", "not-finite", "line 1, column 'pay' is not a finite number"),
        (b"1,2,1e999\n", "not-finite", "line 1, column 'len' is not a finite number"),
        (b"inf,-inf,1\n", "not-finite", "line 1, column 'age' is not a finite number"),
        (b"1,2,\xff\n", "not-utf8", "the body is not UTF-8 at byte 4"),
    ],
)
def test_csv_that_is_no_table_of_numbers_is_refused_by_line_and_column(text: bytes, code: str, detail: str) -> None:
    refusal = refused(text, predictions(text.count(b"\n")))
    assert (refusal.code, refusal.detail) == (code, f"request: {detail}")


def test_large_numbers_whose_sum_overflows_are_taken() -> None:
    assert passed(b"1e308,1e308,1e308").request["values"] == [[1e308, 1e308, 1e308]]


@pytest.mark.timeout(5)
@pytest.mark.parametrize("line", [b"1" * 100_000 + b"x,1,1", b"1e308,1e308,1e308", b"1,1,_", b"1,1"])
def test_a_large_odd_csv_is_judged_in_linear_time(line: bytes) -> None:
    count = 400_000 // len(line)
    request = b"\n".join([b"1e308,1e308,1e308"] * count + [line])
    assert isinstance(run(request, predictions(count + 1)), (Normal, Refusal))


def test_without_features_the_refusal_says_what_to_set() -> None:
    for request in (b"1,2,3", {"instances": [{"features": [1, 2, 3]}]}):
        refusal = refused(request, features=())
        assert (refusal.code, refusal.disposition) == ("no-features", Disposition.NORMALISE)
        assert "set feature_columns" in refusal.detail


def test_csv_without_a_line_has_no_rows() -> None:
    assert refused(b"\n", {"predictions": []}).code == "no-rows"


@pytest.mark.parametrize(
    "request_",
    [
        {"instances": [{"features": [0, 1.5, "x"]}, {"features": [2, None, True]}]},
        {"instances": [{"data": {"features": {"values": [0, 1.5, "x"]}}}, {"features": {"values": [2, None, True]}}]},
        {"instances": [[0, 1.5, "x"], [2, None, True]]},
        [[0, 1.5, "x"], [2, None, True]],
        ({"features": [0, 1.5, "x"]}, {"data": {"features": {"values": [2, None, True]}}}),
        ([0, 1.5, "x"], [2, None, True]),
        {"fields": list(FEATURES), "values": [[0, 1.5, "x"], [2, None, True]]},
    ],
)
def test_json_instances_keep_the_types_of_their_cells(request_: object) -> None:
    values = passed(request_, predictions(2)).request["values"]
    assert repr(values) == repr([[0, 1.5, "x"], [2, None, True]])
    assert passed(request_, predictions(2)).request["fields"] == list(FEATURES)


@pytest.mark.parametrize(
    ("request_", "code", "place"),
    [
        ({"instances": {"features": [1, 2, 3]}}, "shape", "instances is an object"),
        ({"instances": [{"x": 1}]}, "shape", "instances[0] has no array of features"),
        ({"instances": [{"features": 1}]}, "shape", "instances[0] has no array of features"),
        ({"instances": [{"data": {}}]}, "shape", "instances[0] has no array of features"),
        (
            {"instances": [{"data": {"features": {"keys": [1], "shape": [3], "values": [1, 2, 3]}}}]},
            "shape",
            "instances[0] has no array of features",
        ),
        ({"instances": [[1, 2, 3], {"features": [1, 2]}]}, "row-width", "instances[1] has 2 cells"),
        ({"instances": [[1, 2, {}]]}, "cell-type", "instances[0], column 'len'"),
        ({"rows": []}, "shape", "the body has no instances"),
        (7, "shape", "rows is a number"),
        (([1, 2],), "row-width", "lines[0] has 2 cells"),
    ],
)
def test_json_requests_of_another_shape_are_refused(request_: object, code: str, place: str) -> None:
    refusal = refused(request_)
    assert refusal.code == code
    assert refusal.detail.startswith(f"request: {place}")


def test_predictions_are_taken_by_key_in_whatever_order() -> None:
    rows = [{"score": [0.1, 0.9], "predicted_label": 1.0}, {"predicted_label": 0.0, "score": [0.8, 0.2]}]
    normal = {"fields": ["score", "predicted_label"], "values": [[[0.1, 0.9], 1.0], [[0.8, 0.2], 0.0]]}
    assert passed(b"1,2,3\n4,5,6", {"predictions": rows}).response == normal
    assert passed(b"1,2,3\n4,5,6", tuple(rows)).response == normal


def test_a_regression_answers_scores_alone() -> None:
    assert passed(b"1,2,3", {"predictions": [{"score": 4}]}).response == {"fields": ["score"], "values": [[4]]}


def test_csv_answers_are_scores_one_a_line_or_one_a_class() -> None:
    assert passed(b"1,2,3\n4,5,6", b"0.25\n0.75\n").response == {"fields": ["score"], "values": [[0.25], [0.75]]}
    assert passed(b"1,2,3", b"0.25,0.75").response == {"fields": ["score"], "values": [[[0.25, 0.75]]]}
    assert refused(b"1,2,3\n4,5,6", b"0.25,0.75\n").code == "row-counts"
    assert refused(b"1,2,3\n4,5,6", b"0.25\n0.25,0.75\n").code == "csv-width"
    assert refused(b"1,2,3", b"yes\n").detail == "response: line 1, column 'score' is not a number"


@pytest.mark.parametrize(
    ("response", "code", "place"),
    [
        ({"predictions": [{"score": 1}, {"label": 1}]}, "columns", "predictions[1] has no column 'score'"),
        ({"predictions": [0.5]}, "shape", "predictions[0] is a number, not an object"),
        ({"predictions": {}}, "shape", "predictions is an object"),
        ({"error": "x"}, "shape", "the body has no predictions"),
        ([{"score": 1}], "shape", "the body is an array"),
    ],
)
def test_answers_of_another_shape_are_refused(response: object, code: str, place: str) -> None:
    refusal = refused(b"1,2,3", response)
    assert refusal.code == code
    assert refusal.detail.startswith(f"response: {place}")


def test_a_broken_line_of_json_lines_is_named() -> None:
    body = Body("application/jsonlines", b'{"features":[1,2,3]}\n\n{"features":[\n')
    result = normalise(body, as_body(predictions(2)), Target("b", "s", "d", "amazon_sagemaker", FEATURES))
    assert isinstance(result, Refusal)
    assert result.detail == "request: the body is not JSON at byte 13 of line 3"
