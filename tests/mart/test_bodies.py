"""What is sent is, to the letter, what the contract says (§2 to §4); the examples are its own, with other values."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from worker.control import bodies
from worker.control.bodies import Columns
from worker.control.credentials import Given
from worker.control.engines import ENGINES, EngineName
from worker.control.errors import ControlError

SAGEMAKER: dict[str, Any] = {
    "metadata": {"guid": "44cb", "url": "credit-1", "created_at": "2021-08-05T18:04:15.144Z"},
    "entity": {
        "name": "credit-1",
        "type": "online",
        "deployment_rn": "arn:aws:sagemaker:endpoint/credit-1",
        "scoring_endpoint": {"url": "credit-1"},
        "asset": {
            "asset_id": "9345",
            "asset_rn": "arn:aws:sagemaker:model/credit",
            "url": "s3://bucket/model.tar.gz",
            "name": "credit-ll",
            "asset_type": "model",
            "created_at": "2021-08-05T18:04:07.177Z",
        },
        "asset_properties": {"asset_revision": "1628187083172"},
    },
}
SAID = Columns("structured", "binary", "Risk", "predicted_label", ("score",), ("a", "b"), ("a",))


def without(resource: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """The discovered deployment with other asset properties."""
    return resource | {"entity": resource["entity"] | {"asset_properties": properties}}


def test_a_database_is_sent_as_clients_send_it() -> None:
    given = {"db_type": "postgresql", "name": "pg-1", "uri": "postgres://u:p@h:5432/compose"}
    assert bodies.database(given, "aios") == {
        "database_configuration": {
            "database_type": "postgresql",
            "name": "pg-1",
            "credentials": given,
            "location": {"schema": "aios"},
        }
    }


def test_a_database_is_known_by_its_uri_and_has_a_location_without_a_schema() -> None:
    body = bodies.database({"uri": "postgres://h/d"}, None)["database_configuration"]
    assert (body["database_type"], body["name"], body["location"]) == ("postgresql", "postgresql", {})
    assert body["credentials"] == {"uri": "postgres://h/d"}


@pytest.mark.parametrize("given", [{"uri": "db2://h/d"}, {"db_type": "db2", "uri": "postgres://h"}, {}])
def test_another_database_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ControlError, match="no PostgreSQL"):
        bodies.database(given, None)


def test_a_binding_is_sent_with_headers_beside_its_credentials() -> None:
    values = {"url": "http://host:1234", "username": "u", "password": "p"}
    body = bodies.binding(ENGINES[EngineName.CUSTOM], "My engine", Given(values, "5a89", {"x": "y"}), None)
    assert body == {
        "name": "My engine",
        "service_type": "custom_machine_learning",
        "instance_id": "5a89",
        "credentials": values,
        "request_headers": {"x": "y"},
    }


def test_a_custom_engine_has_one_id_whatever_its_password_is() -> None:
    def made(**values: str) -> str:
        return str(bodies.binding(ENGINES[EngineName.CUSTOM], "n", Given(values), None)["instance_id"])

    url = "http://host:1234"
    assert made(url=url, username="u", password="p") == made(url=url, username="u", password="q")  # noqa: S106
    assert made(url=url, username="u", password="p") != made(url=url, username="v", password="p")  # noqa: S106
    assert uuid.UUID(made(url=url)).version == 5


@pytest.mark.parametrize("name", [EngineName.AZURE_STUDIO, EngineName.AZURE_SERVICE, EngineName.SAGEMAKER])
def test_other_engines_have_a_new_id_each_time(name: EngineName) -> None:
    made = {bodies.binding(ENGINES[name], "n", Given({}), None)["instance_id"] for _ in range(2)}
    assert len(made) == 2
    assert "request_headers" not in bodies.binding(ENGINES[name], "n", Given({}), None)


def test_the_service_types_are_those_of_the_contract() -> None:
    assert {name.value: engine.service_type for name, engine in ENGINES.items()} == {
        "custom": "custom_machine_learning",
        "azure-studio": "azure_machine_learning",
        "azure-service": "azure_machine_learning_service",
        "sagemaker": "amazon_sagemaker",
    }


def test_a_subscription_is_sent_as_clients_send_it() -> None:
    assert bodies.subscription("amazon_sagemaker", SAGEMAKER, SAID) == {
        "asset": {
            "asset_id": "9345",
            "url": "s3://bucket/model.tar.gz",
            "name": "credit-ll",
            "asset_type": "model",
            "created_at": "2021-08-05T18:04:07.177Z",
        },
        "asset_properties": {
            "asset_revision": "1628187083172",
            "input_data_type": "structured",
            "problem_type": "binary",
            "label_column": "Risk",
            "prediction_field": "predicted_label",
            "probability_fields": ["score"],
            "feature_fields": ["a", "b"],
            "categorical_fields": ["a"],
        },
        "deployments": [
            {
                "deployment_id": "44cb",
                "url": "credit-1",
                "name": "credit-1",
                "deployment_type": "online",
                "created_at": "2021-08-05T18:04:15.144Z",
                "scoring_endpoint": {"url": "credit-1"},
                "deployment_rn": "arn:aws:sagemaker:endpoint/credit-1",
            }
        ],
    }


def test_what_the_engine_leaves_out_has_the_clients_defaults() -> None:
    bare = {
        "metadata": {"guid": "d"},
        "entity": {
            "name": "n",
            "type": "online",
            "scoring_endpoint": {"url": "http://e"},
            "asset": {"asset_id": "a", "name": "m"},
        },
    }
    body = bodies.subscription("custom_machine_learning", bare, Columns())
    assert body["asset"] == {"asset_id": "a", "url": "http://e", "name": "m", "asset_type": "model"}
    assert body["asset_properties"] == {}
    deployment = body["deployments"][0]
    assert (deployment["url"], deployment["created_at"]) == ("", "0000-01-01T00:00:00.0Z")
    assert "deployment_rn" not in deployment


def test_what_is_said_wins_over_what_is_discovered_and_the_rest_stays() -> None:
    found = without(SAGEMAKER, label_column="old", problem_type="binary", output_data_schema={"type": "struct"})
    made = bodies.subscription("azure_machine_learning", found, Columns(label="new"))["asset_properties"]
    assert made == {"label_column": "new", "problem_type": "binary", "output_data_schema": {"type": "struct"}}


def test_features_that_nobody_said_are_those_of_the_training_data_without_the_label() -> None:
    schema = {"type": "struct", "fields": [{"name": "a"}, {"name": "Risk"}, {"name": "b"}]}
    found = without(SAGEMAKER, training_data_schema=schema)
    made = bodies.subscription("amazon_sagemaker", found, Columns(label="Risk"))["asset_properties"]
    assert made["feature_fields"] == ["a", "b"]
    assert "feature_fields" not in bodies.subscription("amazon_sagemaker", found, Columns())["asset_properties"]


def test_sagemakers_discovered_prediction_takes_its_own_place() -> None:
    found = without(SAGEMAKER, predicted_target_field="label")
    made = bodies.subscription("amazon_sagemaker", found, Columns())["asset_properties"]
    assert made == {"prediction_field": "label"}
    kept = bodies.subscription("azure_machine_learning", found, Columns())["asset_properties"]
    assert kept == {"predicted_target_field": "label"}


@pytest.mark.parametrize(
    ("service_type", "prediction"),
    [("amazon_sagemaker", "prediction_field"), ("custom_machine_learning", "predicted_target_field")],
)
def test_a_patch_names_two_properties_in_its_own_way(service_type: str, prediction: str) -> None:
    changes = {"label_column": "Risk", "prediction_field": "p", "probability_fields": ["s"]}
    assert bodies.patch(service_type, changes) == [
        {"op": "add", "path": "/asset_properties/label_column", "value": "Risk"},
        {"op": "add", "path": f"/asset_properties/{prediction}", "value": "p"},
        {"op": "add", "path": "/asset_properties/probability_fields", "value": "s"},
    ]


@pytest.mark.parametrize(
    "properties",
    [
        {"probability_fields": ["s"], "prediction_field": "p", "label_column": "other"},
        {"probability_fields": "s", "predicted_target_field": "p", "prediction_field": "before"},
        {"prediction_probability_field": "s", "prediction_field": "p"},
    ],
)
def test_what_is_there_in_any_of_its_forms_does_not_differ(properties: dict[str, Any]) -> None:
    assert bodies.differing(Columns(prediction="p", probability=("s",)), properties) == {}


def test_only_what_was_said_can_differ() -> None:
    there = {"label_column": "a", "feature_fields": ["x", "y"], "problem_type": "binary"}
    assert bodies.differing(Columns(label="b", features=("y", "x")), there) == {
        "label_column": "b",
        "feature_fields": ["y", "x"],
    }
