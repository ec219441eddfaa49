"""Azure's own forms, converted by the data mart, and cells as the subscription declares them (contract §5.2, §6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.mart import ON_EVERY_STORE, record

if TYPE_CHECKING:
    from tests.sandbox.mart import Mart
    from worker.sandbox.seed import Seeded

pytestmark = ON_EVERY_STORE
OBJECTS = [{"age": 31, "sector": "x"}, {"sector": "y", "age": 45}]


def stored(mart: Mart, seeded: Seeded) -> list[dict[str, Any]]:
    """The rows of a subscription's table, the newest first: the model's cells and the probability, by column."""
    table = mart.transactions(seeded)
    rows = [dict(zip(table["fields"], row, strict=True)) for row in table["values"]]
    own = ("scoring_id", "scoring_timestamp", "deployment_id", "asset_revision")
    return [{name: cell for name, cell in row.items() if name not in own} for row in rows]


def refused(mart: Mart, seeded: Seeded, **sides: object) -> str:
    """Why a record with these sides cannot be processed."""
    assert mart.post(record(seeded, "bad", **sides)).status_code == 202
    (error,) = mart.sandbox.errors(seeded.subscription_id)
    assert mart.sandbox.rows(seeded.subscription_id) == []
    return str(error["reason"])


def declare(mart: Mart, **types: str) -> None:
    """Declare columns of the custom subscription."""
    fields = [{"name": name, "type": kind, "nullable": True} for name, kind in types.items()]
    value = {"type": "struct", "fields": fields}
    patch = [{"op": "add", "path": "/asset_properties/input_data_schema", "value": value}]
    assert mart.http.patch(mart.subscription_path(), json=patch).status_code == 200


@pytest.mark.parametrize("port", ["output1", "WebServiceOutput0"])
def test_azure_ml_studios_forms_are_converted(mart: Mart, port: str) -> None:
    studio = mart.seeded["azure-studio"]
    answers = [
        {"age": "31", "sector": "x", "Scored Labels": "no", "Scored Probabilities": "0.25"},
        {"age": "45", "sector": "y", "Scored Labels": "yes", "Scored Probabilities": "0.875"},
    ]
    sides = {
        "request": {"Inputs": {"input1": OBJECTS}, "GlobalParameters": {}},
        "response": {"Results": {port: answers}},
    }
    mart.post(record(studio, "r", **sides))
    own = {"Scored Labels": "yes", "Scored Probabilities": "0.875", "prediction_probability": 0.875}
    assert stored(mart, studio)[0] == {"age": 45.0, "sector": "y", **own}
    assert stored(mart, studio)[1]["prediction_probability"] == 0.75
    (kept,) = mart.sandbox.records(studio.subscription_id)
    assert {name: kept[name] for name in sides} == sides


@pytest.mark.parametrize("form", [lambda answer: answer, json.dumps])
def test_azure_ml_services_forms_are_converted(mart: Mart, form: Any) -> None:
    service = mart.seeded["azure-service"]
    answers = [{"Scored Labels": "no", "Scored Probabilities": [0.9, 0.1]}] * 2
    mart.post(record(service, "r", request={"input": OBJECTS}, response=form({"output": answers})))
    expected = {"age": 45.0, "sector": "y", "Scored Labels": "no", "Scored Probabilities": [0.9, 0.1]}
    assert stored(mart, service)[0] == expected | {"prediction_probability": 0.9}


def test_azure_ml_services_bare_object_is_one_row(mart: Mart) -> None:
    service = mart.seeded["azure-service"]
    answer = json.dumps({"Scored Labels": "no", "Scored Probabilities": [0.9, 0.1]})
    mart.post(record(service, "r", request={"input": OBJECTS[:1]}, response=answer))
    assert stored(mart, service)[0]["Scored Labels"] == "no"


def test_class_columns_of_azure_are_the_probability_where_the_subscription_names_none(mart: Mart) -> None:
    studio = mart.seeded["azure-studio"]
    patch = [{"op": "remove", "path": "/asset_properties/probability_fields"}]
    mart.http.patch(mart.subscription_path(studio), json=patch)
    answer = {f'Scored Probabilities for Class "{name}"': text for name, text in (("a", "0.2"), ("b", "0.7"))}
    sides = {"request": {"Inputs": {"input1": OBJECTS[:1]}}, "response": {"Results": {"output1": [answer]}}}
    mart.post(record(studio, "r", **sides))
    assert stored(mart, studio)[0]["prediction_probability"] == 0.7


@pytest.mark.parametrize("engine", ["azure-studio", "azure-service"])
def test_what_azures_caller_has_converted_stays_as_it_is(mart: Mart, engine: str) -> None:
    mart.post(record(mart.seeded[engine], "r"))
    assert len(mart.sandbox.rows(mart.seeded[engine].subscription_id)) == 1


STUDIO_ANSWER = {"Results": {"output1": [{"Scored Labels": "a"}]}}


@pytest.mark.parametrize(
    ("engine", "request_", "response", "reason"),
    [
        ("azure-studio", {"Inputs": {"data": OBJECTS}}, STUDIO_ANSWER, "request has neither values nor Inputs.input1"),
        (
            "azure-studio",
            {"Inputs": {"input1": {"ColumnNames": ["a"], "Values": [["1"]]}}},
            STUDIO_ANSWER,
            "request has no list of objects in Inputs.input1",
        ),
        (
            "azure-studio",
            {"Inputs": {"input1": [{}]}},
            STUDIO_ANSWER,
            "request has no list of objects in Inputs.input1",
        ),
        (
            "azure-studio",
            {"Inputs": {"input1": [{"a": 1}, {"b": 2}]}},
            STUDIO_ANSWER,
            "request has other keys in row 2 of Inputs.input1 than in the first",
        ),
        ("azure-studio", {"Inputs": {"input1": OBJECTS}}, STUDIO_ANSWER, "request has 2 rows, response 1"),
        (
            "azure-studio",
            {"Inputs": {"input1": OBJECTS}},
            {"Results": {"a": OBJECTS, "b": OBJECTS}},
            "response has neither values nor one table in Results",
        ),
        ("azure-service", {"input": OBJECTS}, "no JSON", "response is a text that is not JSON"),
        ("azure-service", {"input": OBJECTS}, "[" * 5000, "response is a text that is not JSON"),
        ("azure-service", {"input": OBJECTS}, '{"error": "s3cret"}', "response reports an error"),
        ("azure-service", {"data": OBJECTS}, {"output": OBJECTS}, "request has neither values nor input"),
        ("azure-service", {"input": "x"}, {"output": OBJECTS}, "request has no list of objects in input"),
        ("azure-service", {"input": OBJECTS}, "7", "response has no values"),
        ("sagemaker", "0,1,17", {"predictions": [{"score": 0.1}]}, "request has no values"),
        ("custom", {"input": OBJECTS}, {"output": OBJECTS}, "request has no values"),
    ],
)
def test_what_is_in_no_form_of_its_engine_cannot_be_processed(
    mart: Mart, engine: str, request_: object, response: object, reason: str
) -> None:
    assert refused(mart, mart.seeded[engine], request=request_, response=response) == reason


@pytest.mark.parametrize(
    ("kind", "sent", "kept"),
    [
        ("double", 1, 1.0),
        ("double", " 2.5e3 ", 2500.0),
        ("float", None, None),
        ("integer", "27", 27),
        ("integer", 27.0, 27),
        ("long", "9007199254740993", 9007199254740993),
        ("integer", "27.0", 27),
        ("string", 27, "27"),
        ("string", 1.5, "1.5"),
        ("string", ["a", None], '["a",null]'),
        ("string", "a\0b", "a\0b"),
        ("boolean", "True", True),
        ("boolean", False, False),
        ("timestamp", "2019-06-11", "2019-06-11"),
        ("strange", "1", "1"),
    ],
)
def test_cells_are_stored_as_their_column_is_declared(mart: Mart, kind: str, sent: object, kept: object) -> None:
    declare(mart, age=kind)
    mart.post(record(mart.custom, "r", request={"fields": ["age", "sector"], "values": [[sent, "x"]]}))
    (row,) = mart.sandbox.rows(mart.custom.subscription_id)
    assert repr(row["values"][0]) == repr(kept)
    assert repr(stored(mart, mart.custom)[0]["age"]) == repr(kept)


UNFIT: dict[str, list[object]] = {
    "double": ["", "old", "nan", "1e999", "1_000", True, [1.0], {"a": 1}],
    "integer": [1.5, "1.5", 2**63, "9" * 20, "9" * 5000, False, []],
    "boolean": [1, 0.0, "yes", [True]],
}


@pytest.mark.parametrize(("kind", "cell"), [(kind, cell) for kind, cells in UNFIT.items() for cell in cells])
def test_a_record_with_a_cell_that_its_column_cannot_hold_cannot_be_processed(
    mart: Mart, kind: str, cell: object
) -> None:
    declare(mart, age=kind)
    sides = {"fields": ["sector", "age"], "values": [["x", cell]]}
    reason = refused(mart, mart.custom, request=sides)
    assert reason == f"row 1: the cell of age is not of the type {kind}"


def test_columns_of_the_response_have_declared_types_too(mart: Mart) -> None:
    declare(mart, prediction="double")
    mart.post(record(mart.custom, "r", response={"fields": ["prediction"], "values": [["1"]]}))
    assert stored(mart, mart.custom)[0]["prediction"] == 1.0
