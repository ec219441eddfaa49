"""The custom engine's forms (contract §6), and the engines that are taken as one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker.model import Body, Disposition, Normal, Refusal, Target
from worker.rooms.normalise import normalise

REQUEST = {"fields": ["a", "t"], "values": [[1, "x"], [2, None]]}
RESPONSE = {"fields": ["prediction", "probability"], "values": [["Y", [0.1, 0.9]], ["N", [0.8, 0.2]]]}


def as_json(value: object) -> Body:
    return Body("application/json", json.dumps(value).encode())


def run(request: Any, response: Any, engine: str = "custom_machine_learning") -> Normal | Refusal:
    return normalise(as_json(request), as_json(response), Target("b", "s", "d", engine))


def passed(request: Any, response: Any, engine: str = "custom_machine_learning") -> Normal:
    result = run(request, response, engine)
    assert isinstance(result, Normal), result
    return result


def refused(request: Any, response: Any) -> Refusal:
    result = run(request, response)
    assert isinstance(result, Refusal)
    return result


@pytest.mark.parametrize("engine", ["custom_machine_learning", "watson_machine_learning", "something new"])
def test_the_normal_form_passes_as_it_is(engine: str) -> None:
    assert passed(REQUEST, RESPONSE, engine) == Normal(REQUEST, RESPONSE, 2)


def test_meta_and_labels_are_kept_and_other_keys_left_out() -> None:
    meta = {"fields": ["id"], "values": [["u1"], ["u2"]]}
    result = passed({**REQUEST, "meta": meta, "trace": 1}, {**RESPONSE, "labels": ["Y", "N"], "took": 3})
    assert result.request == {**REQUEST, "meta": meta}
    assert result.response == {**RESPONSE, "labels": ["Y", "N"]}
    assert passed({**REQUEST, "meta": None}, {**RESPONSE, "labels": None}) == Normal(REQUEST, RESPONSE, 2)


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        ([], "shape"),
        ({}, "no-fields"),
        ({"fields": ["id"], "values": [["u1"]]}, "row-counts"),
        ({"fields": ["id"], "values": [["u1", 1], ["u2", 2]]}, "row-width"),
    ],
)
def test_meta_that_is_no_table_beside_the_rows_is_refused(meta: object, code: str) -> None:
    refusal = refused({**REQUEST, "meta": meta}, RESPONSE)
    assert refusal.code == code
    assert "meta" in refusal.detail


def test_labels_that_are_no_list_are_refused() -> None:
    assert refused(REQUEST, {**RESPONSE, "labels": "Y"}).detail == "response: labels is a string, not an array"
    assert refused(REQUEST, {**RESPONSE, "labels": [{}]}).code == "cell-type"


def test_a_response_may_repeat_the_features() -> None:
    response = {"fields": ["a", "t", "p"], "values": [[1, "x", 0.5], [2, None, 0.6]]}
    assert passed(REQUEST, response).response == response


def test_vectors_lists_of_strings_and_images_keep_their_nesting() -> None:
    request = {"fields": ["v", "w"], "values": [[[4, [0, 3], [1.0, 2.5]], ["x", "y"]]]}
    response = {"fields": ["p"], "values": [[1]]}
    assert passed(request, response) == Normal(request, response, 1)
    image = {"values": [[[[0, 255], [1, 2]]], [[[3, 4], [5, 6]]]]}
    assert passed(image, RESPONSE) == Normal(image, RESPONSE, 2)
    text = {"values": ["first text", "second text"]}
    assert passed(text, RESPONSE) == Normal(text, RESPONSE, 2)


def test_one_flat_array_of_cells_is_one_row() -> None:
    result = passed({"fields": ["a", "b"], "values": [0.0, "x"]}, {"fields": ["p"], "values": [1]})
    assert result == Normal({"fields": ["a", "b"], "values": [[0.0, "x"]]}, {"fields": ["p"], "values": [[1]]}, 1)
    assert refused({"fields": ["a", "b"], "values": [0.0, 1.0, 2.0]}, RESPONSE).code == "shape"


def test_the_wrapping_of_wml_v4_is_taken_off() -> None:
    assert passed({"input_data": [REQUEST]}, {"predictions": [RESPONSE]}) == Normal(REQUEST, RESPONSE, 2)


@pytest.mark.parametrize("wrapped", [[], [RESPONSE, RESPONSE], RESPONSE, None, [[]]])
def test_a_wrapping_of_anything_but_one_table_is_refused(wrapped: object) -> None:
    refusal = refused(REQUEST, {"predictions": wrapped})
    assert refusal.code == "shape"
    assert refusal.detail.startswith("response: predictions")


def test_an_answer_may_be_json_in_a_json_string() -> None:
    assert passed(REQUEST, json.dumps(RESPONSE)) == Normal(REQUEST, RESPONSE, 2)
    assert refused(REQUEST, "not JSON").detail.endswith("counted in the text of the outer string")


def test_a_response_without_names_is_refused() -> None:
    refusal = refused(REQUEST, {"values": [[1], [2]]})
    assert (refusal.code, refusal.disposition) == ("no-fields", Disposition.VALIDATION)


def test_a_body_without_values_is_refused_by_what_it_lacks() -> None:
    assert refused({"fields": ["a"]}, RESPONSE).detail == "request: the body has neither values nor input_data"
    assert refused(REQUEST, {"error": "x"}).detail == "response: the body has neither values nor predictions"


def test_the_native_form_of_spss_is_refused_with_its_reason_and_its_normal_form_taken() -> None:
    spss = "spss_collaboration_and_deployment_services"
    native = {"requestInputTable": [{"id": "t", "requestInputRow": [{"input": [{"name": "Age", "value": "23"}]}]}]}
    answer = {"columnNames": {"name": ["p"]}, "rowValues": [{"value": [{"value": "1"}]}]}
    for request, response in ((native, RESPONSE), (REQUEST, answer)):
        refusal = run(request, response, spss)
        assert isinstance(refusal, Refusal)
        assert (refusal.code, refusal.disposition) == ("spss", Disposition.NORMALISE)
        assert "SPSS" in refusal.detail
    assert passed(REQUEST, RESPONSE, spss).rows == 2
