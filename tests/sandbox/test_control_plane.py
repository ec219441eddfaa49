"""Data marts, bindings, subscriptions and their configuration (contract §2 to §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.mart import ON_EVERY_STORE, error_of, record
from worker.sandbox.seed import seed

if TYPE_CHECKING:
    from tests.sandbox.mart import Mart

pytestmark = ON_EVERY_STORE
OTHER = "/v1/data_marts/other"
POSTGRES = {
    "database_configuration": {
        "database_type": "postgresql",
        "name": "pg-1",
        "credentials": {"uri": "postgres://u:p@h:5432/compose"},
        "location": {"schema": "loans"},
    }
}
BINDING: dict[str, Any] = {
    "name": "My engine",
    "service_type": "azure_machine_learning_service",
    "instance_id": "5a89cb8b",
    "credentials": {"client_id": "c", "client_secret": "s", "subscription_id": "i", "tenant": "t"},
    "request_headers": {"x": "y"},
}


def test_a_data_mart_shows_the_database_that_it_was_given(mart: Mart) -> None:
    assert mart.http.put(OTHER, json=POSTGRES).status_code == 200
    answer = mart.http.get(OTHER)
    expected = POSTGRES | {"status": {"state": "active"}, "service_instance_crn": "N/A"}
    assert (answer.status_code, answer.json()) == (200, expected)


def test_an_internal_data_mart_says_so(mart: Mart) -> None:
    assert mart.http.get(mart.path).json()["internal_database"] is True


def test_a_data_mart_is_defined_once_and_changed_by_force(mart: Mart) -> None:
    mart.http.put(OTHER, json=POSTGRES)
    assert error_of(mart.http.put(OTHER, json={"internal_database": True})) == (409, "AISCS0004W")
    assert mart.http.put(OTHER, params={"force": "true"}, json={"internal_database": True}).status_code == 200
    assert "name" not in mart.http.get(OTHER).json()["database_configuration"]


@pytest.mark.parametrize("body", [{}, [], {"database_configuration": 1}, {"internal_database": False}])
def test_a_data_mart_without_a_database_is_refused(mart: Mart, body: object) -> None:
    assert error_of(mart.http.put(OTHER, json=body))[0] == 400


def test_a_deleted_data_mart_is_gone_with_what_was_in_it(mart: Mart) -> None:
    mart.post(record(mart.custom, "a"))
    assert mart.http.delete(mart.path, params={"force": "true"}).status_code == 202
    assert error_of(mart.http.get(mart.path)) == (404, "AISCS0005W")
    assert error_of(mart.http.delete(mart.path)) == (404, "AISCS0005W")
    seed(mart.sandbox.url)
    assert mart.count() == 0


def test_a_binding_is_answered_under_its_instance_id_with_its_secrets(mart: Mart) -> None:
    answer = mart.http.post(f"{mart.path}/service_bindings", json=BINDING)
    body = answer.json()
    assert answer.status_code == 201
    assert body["metadata"]["guid"] == "5a89cb8b"
    assert body["metadata"]["url"] == f"{mart.path}/service_bindings/5a89cb8b"
    assert body["entity"] == BINDING | {"status": {"state": "active"}}
    assert mart.http.get(f"{mart.path}/service_bindings/5a89cb8b").json() == body
    assert body in mart.http.get(f"{mart.path}/service_bindings").json()["service_bindings"]


def test_a_second_binding_of_an_instance_id_is_409(mart: Mart) -> None:
    mart.http.post(f"{mart.path}/service_bindings", json=BINDING)
    answer = mart.http.post(f"{mart.path}/service_bindings", json=BINDING | {"name": "again"})
    assert error_of(answer) == (409, "AIQCS0010W")


@pytest.mark.parametrize(
    "change", [{"name": None}, {"service_type": "other"}, {"credentials": []}, {"instance_id": 1}, {"instance_id": ""}]
)
def test_a_binding_that_lacks_what_is_needed_is_refused(mart: Mart, change: dict[str, Any]) -> None:
    assert error_of(mart.http.post(f"{mart.path}/service_bindings", json=BINDING | change))[0] == 400


def test_a_deleted_binding_is_gone_with_its_subscriptions(mart: Mart) -> None:
    path = f"{mart.path}/service_bindings/{mart.custom.binding_id}"
    assert mart.http.delete(path).status_code == 202
    assert error_of(mart.http.get(path)) == (404, "SANDBOX-BINDING-UNKNOWN")
    assert error_of(mart.post(record(mart.custom))) == (404, "SANDBOX-BINDING-UNKNOWN")
    assert mart.http.get(mart.subscription_path(mart.seeded["sagemaker"])).status_code == 200
    again = BINDING | {"instance_id": mart.custom.binding_id}
    assert mart.http.post(f"{mart.path}/service_bindings", json=again).status_code == 201
    assert error_of(mart.http.get(mart.subscription_path())) == (404, "SANDBOX-SUBSCRIPTION-UNKNOWN")


def test_a_subscription_is_answered_in_the_documented_shape(mart: Mart) -> None:
    body = mart.http.get(mart.subscription_path()).json()
    assert set(body) == {"metadata", "entity"}
    assert set(body["metadata"]) == {"guid", "url", "created_at", "modified_at"}
    assert body["metadata"]["guid"] == mart.custom.subscription_id
    entity = body["entity"]
    assert entity["service_binding_id"] == mart.custom.binding_id
    assert entity["status"] == {"state": "active"}
    assert {"asset_id", "asset_type", "name", "url", "created_at"} <= set(entity["asset"])
    assert entity["asset"]["asset_id"] == "action"
    assert entity["deployments"][0]["deployment_id"] == "action"
    assert {"name", "deployment_type", "created_at", "url", "scoring_endpoint"} <= set(entity["deployments"][0])
    enabled = {monitor["type"] for monitor in entity["configurations"] if monitor["enabled"]}
    assert enabled == {"payload_logging", "performance_monitoring"}


def test_a_listing_has_the_subscriptions_of_its_binding_alone(mart: Mart) -> None:
    answer = mart.http.get(f"{mart.path}/service_bindings/{mart.custom.binding_id}/subscriptions")
    listed = answer.json()["subscriptions"]
    assert [subscription["metadata"]["guid"] for subscription in listed] == [mart.custom.subscription_id]


def test_a_subscription_put_twice_is_409(mart: Mart) -> None:
    answer = mart.http.put(mart.subscription_path(), json={"asset": {"asset_id": "a"}})
    assert error_of(answer) == (409, "SANDBOX-SUBSCRIPTION-EXISTS")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"asset": {"asset_id": 1}},
        {"asset": {"asset_id": "a"}, "deployments": {}},
        {"asset": {"asset_id": "a"}, "deployments": [{"name": "n"}]},
        {"asset": {"asset_id": "a"}, "deployments": [1]},
        {"asset": {"asset_id": "a", "url": 7}},
        {"asset": {"asset_id": "a"}, "deployments": [{"deployment_id": "d", "name": {}}]},
        {"asset": {"asset_id": "a"}, "asset_properties": []},
    ],
)
def test_a_subscription_without_its_ids_is_refused(mart: Mart, body: dict[str, Any]) -> None:
    path = mart.subscription_path().rpartition("/")[0]
    assert error_of(mart.http.put(f"{path}/new", json=body))[0] == 400
    assert error_of(mart.http.get(f"{path}/new"))[0] == 404


def test_a_patch_adds_and_replaces_properties(mart: Mart) -> None:
    operations = [
        {"op": "add", "path": "/asset_properties/label_column", "value": "Risk"},
        {"op": "add", "path": "/asset_properties/new~1one", "value": {"a": [1, 3]}},
        {"op": "add", "path": "/asset_properties/new~1one/a/1", "value": 2},
        {"op": "add", "path": "/asset_properties/new~1one/a/-", "value": 4},
        {"op": "replace", "path": "/asset_properties/prediction_field", "value": "p"},
        {"op": "remove", "path": "/asset_properties/problem_type"},
        {"op": "test", "path": "/asset_properties/label_column", "value": "Risk"},
    ]
    answer = mart.http.patch(mart.subscription_path(), json=operations)
    properties = mart.http.get(mart.subscription_path()).json()["entity"]["asset_properties"]
    assert answer.status_code == 200
    assert answer.json()["entity"]["asset_properties"] == properties
    assert properties["label_column"] == "Risk"
    assert properties["new/one"] == {"a": [1, 2, 3, 4]}
    assert properties["prediction_field"] == "p"
    assert "problem_type" not in properties


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/asset_properties/none", "value": 1},
        {"op": "remove", "path": "/asset_properties/none"},
        {"op": "test", "path": "/asset_properties/problem_type", "value": "other"},
        {"op": "add", "path": "/none/a", "value": 1},
        {"op": "add", "path": "/deployments/9", "value": {"deployment_id": "d"}},
        {"op": "add", "path": "/deployments/0", "value": 1},
        {"op": "remove", "path": "/asset/asset_id"},
        {"op": "add", "path": "/asset_properties/a"},
        {"op": "add", "path": "asset_properties", "value": 1},
        {"op": "jump", "path": "/asset/a", "value": 1},
        7,
    ],
)
def test_a_patch_that_cannot_be_done_changes_nothing(mart: Mart, operation: object) -> None:
    before = mart.http.get(mart.subscription_path()).json()
    possible = {"op": "add", "path": "/asset_properties/label_column", "value": "changed"}
    assert error_of(mart.http.patch(mart.subscription_path(), json=[possible, operation]))[0] == 400
    assert mart.http.get(mart.subscription_path()).json() == before


def test_a_deleted_subscription_is_no_longer_listed_and_takes_no_payloads(mart: Mart) -> None:
    assert mart.http.delete(mart.subscription_path()).status_code == 202
    listing = mart.http.get(mart.subscription_path().rpartition("/")[0])
    assert listing.json() == {"subscriptions": []}
    answer = mart.post(record(mart.custom))
    assert error_of(answer) == (404, "SANDBOX-SUBSCRIPTION-UNKNOWN")
    assert mart.custom.subscription_id in answer.json()["errors"][0]["message"]


def test_payload_logging_is_off_until_it_is_enabled(mart: Mart) -> None:
    path = mart.subscription_path().replace(mart.custom.subscription_id, "new")
    assert mart.http.put(path, json={"asset": {"asset_id": "a"}}).status_code == 201
    configuration = f"{path}/configurations/payload_logging"
    assert mart.http.get(configuration).json()["enabled"] is False
    enabled = mart.http.put(configuration, json={"enabled": True, "parameters": {"dynamic_schema_update": True}})
    assert enabled.status_code == 200
    body = mart.http.get(configuration).json()
    assert body["enabled"] is True
    assert body["parameters"]["dynamic_schema_update"] is True
    assert body["parameters"]["table_name"] == "aios.Payload_new"


def test_the_tables_schema_is_the_data_marts_own(mart: Mart) -> None:
    mart.http.put(mart.path, params={"force": "true"}, json=POSTGRES)
    body = mart.http.get(f"{mart.subscription_path()}/configurations/payload_logging").json()
    assert body["parameters"]["table_name"] == f"loans.Payload_{mart.custom.subscription_id}"


def test_disabled_logging_refuses_payloads_and_enabled_again_takes_them(mart: Mart) -> None:
    path = f"{mart.subscription_path()}/configurations/payload_logging"
    assert mart.http.put(path, json={"enabled": False}).json()["enabled"] is False
    assert error_of(mart.post(record(mart.custom))) == (400, "SANDBOX-PAYLOAD-LOGGING-DISABLED")
    mart.http.put(path, json={"enabled": True})
    assert mart.post(record(mart.custom)).status_code == 202


@pytest.mark.parametrize("body", [{}, {"enabled": "yes"}, {"enabled": True, "parameters": []}])
def test_a_configuration_must_say_whether_it_is_enabled(mart: Mart, body: dict[str, Any]) -> None:
    path = f"{mart.subscription_path()}/configurations/performance_monitoring"
    assert error_of(mart.http.put(path, json=body))[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/data_marts", 404),
        ("GET", "/v2/subscriptions", 404),
        ("POST", "{mart}", 405),
        ("PUT", "{mart}/scoring_payloads", 405),
        ("GET", "{mart}/scoring_payloads/", 404),
        ("GET", "{mart}/feedback_payloads", 404),
        ("POST", "/sandbox/stats", 405),
    ],
)
def test_what_it_does_not_know_is_answered_in_the_documented_form(
    mart: Mart, method: str, path: str, status: int
) -> None:
    assert error_of(mart.http.request(method, path.format(mart=mart.path)))[0] == status
