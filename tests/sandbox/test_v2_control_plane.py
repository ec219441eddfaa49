"""Data marts, providers, subscriptions and monitors of v2, and that v1 tells of the same (contract §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.instance import ASSET, BASE, PROVIDER, Instance
from tests.sandbox.mart import ON_EVERY_STORE, Start, error_of
from worker.sandbox.seed import DATA_MART_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.sandbox.serve import RunningSandbox

pytestmark = ON_EVERY_STORE
OTHER = "5a89cb8b-0000-4670-a9fd-824e9d5d1079"
THIRD = "5a89cb8b-0000-4670-a9fd-824e9d5d107a"


@pytest.fixture
def instance(sandbox: RunningSandbox) -> Iterator[Instance]:
    """A client of an instance whose data mart is seeded."""
    client = Instance(sandbox)
    yield client
    client.close()


def test_an_instance_has_the_data_mart_of_its_own_id(instance: Instance) -> None:
    (mart,) = instance.get("data_marts")["data_marts"]
    assert mart == instance.get(f"data_marts/{DATA_MART_ID}")
    assert (mart["metadata"]["id"], mart["entity"]["status"]) == (DATA_MART_ID, {"state": "active"})
    assert instance.http.get(f"{BASE}/data_marts/{OTHER}").status_code == 404
    assert error_of(instance.http.post(f"{BASE}/data_marts", json={"internal_database": True}))[0] == 409


def test_a_data_mart_that_v2_makes_is_one_of_v1_until_v2_deletes_it(instance: Instance) -> None:
    marts = f"/openscale/{OTHER}/v2/data_marts"
    assert instance.http.get(marts).json() == {"data_marts": []}
    made = instance.http.post(marts, json={"name": "loans", "internal_database": True, "description": None})
    assert (made.status_code, made.json()["metadata"]["id"], made.json()["entity"]["name"]) == (201, OTHER, "loans")
    assert instance.http.get(f"/v1/data_marts/{OTHER}").json()["internal_database"] is True
    rename = [{"op": "replace", "path": "/name", "value": "others"}]
    assert instance.http.patch(f"{marts}/{OTHER}", json=rename).json()["entity"]["name"] == "others"
    assert instance.http.delete(f"{marts}/{OTHER}?force=true").status_code == 202
    assert instance.http.get(f"/v1/data_marts/{OTHER}").status_code == 404


def test_a_database_is_told_in_v1s_form_to_v1_and_without_its_credentials_to_v2(instance: Instance) -> None:
    credentials = {
        "hostname": "h",
        "port": 5432,
        "username": "u@x",
        "password": "p/w",
        "db": "compose",
        "sslmode": "prefer",
    }
    given = {"database_type": "postgresql", "credentials": credentials, "location": {"schema_name": "loans"}}
    made = instance.http.post(f"/openscale/{OTHER}/v2/data_marts", json={"database_configuration": given})
    told = made.json()["entity"]["database_configuration"]
    assert told == given | {"credentials": {"secret_id": OTHER}}
    kept = instance.http.get(f"/v1/data_marts/{OTHER}").json()["database_configuration"]
    assert kept["location"] == {"schema": "loans"}
    assert kept["credentials"]["uri"] == "postgresql://u%40x:p%2Fw@h:5432/compose?sslmode=prefer"
    moved = [{"op": "replace", "path": "/database_configuration/location/schema_name", "value": "others"}]
    assert instance.http.patch(f"/openscale/{OTHER}/v2/data_marts/{OTHER}", json=moved).status_code == 200
    again = instance.http.get(f"/v1/data_marts/{OTHER}").json()["database_configuration"]
    assert again == kept | {"location": {"schema": "others"}}


def test_what_v1_lets_in_of_any_type_is_no_other_type_in_v2(instance: Instance) -> None:
    odd = {"name": 7, "internal_database": False, "database_configuration": {"location": {"schema": [1]}}}
    assert instance.http.put(f"/v1/data_marts/{OTHER}", json=odd).status_code == 200
    told = instance.http.get(f"/openscale/{OTHER}/v2/data_marts/{OTHER}").json()["entity"]
    assert (told["name"], told["database_configuration"]["location"]) == (OTHER, {"schema_name": "[1]"})
    refused = {"database_configuration": {"location": {"schema_name": [1]}}}
    assert error_of(instance.http.post(f"/openscale/{THIRD}/v2/data_marts", json=refused))[0] == 400
    nulls = {"asset_id": "a", "asset_type": None, "name": None}
    own = f"{instance.v1.path}/service_bindings/{instance.v1.custom.binding_id}/subscriptions/{OTHER}"
    assert instance.http.put(own, json={"asset": nulls}).status_code == 201
    entity = instance.get(f"subscriptions/{OTHER}")["entity"]
    assert (entity["asset"]["name"], entity["asset"]["asset_type"]) == ("a", "model")
    assert entity["deployment"]["deployment_id"] == "generic_deployment"


def test_a_provider_that_v2_makes_is_a_binding_of_v1_and_the_other_way_round(instance: Instance) -> None:
    made = instance.add("service_providers", PROVIDER)
    own = made["metadata"]["id"]
    binding = instance.http.get(f"{instance.v1.path}/service_bindings/{own}").json()
    assert binding["metadata"]["guid"] == own
    assert binding["entity"]["credentials"] == PROVIDER["credentials"]
    assert instance.get(f"service_providers/{instance.v1.custom.binding_id}")["entity"]["name"] == "custom"
    every = instance.get("service_providers")["service_providers"]
    assert {each["metadata"]["id"] for each in every} >= {own, instance.v1.custom.binding_id}
    assert instance.http.delete(f"{BASE}/service_providers/{own}").status_code == 202
    assert instance.http.get(f"{instance.v1.path}/service_bindings/{own}").status_code == 404


def test_no_answer_of_v2_tells_a_providers_secrets(instance: Instance) -> None:
    made = instance.add("service_providers", PROVIDER | {"request_headers": {"X-Key": "hush"}})
    answers = [made, instance.get(f"service_providers/{made['metadata']['id']}"), instance.get("service_providers")]
    assert "hush" not in str(answers)
    assert "credentials" not in made["entity"]


def test_providers_are_listed_by_their_type_and_studio_is_known_by_both_names(instance: Instance) -> None:
    studio = instance.add("service_providers", PROVIDER | {"service_type": "azure_machine_learning_studio"})
    listed = []
    for name in ("azure_machine_learning_studio", "azure_machine_learning"):
        every = instance.get("service_providers", service_type=name)["service_providers"]
        listed.append([each["metadata"]["id"] for each in every])
    assert listed[0] == listed[1]
    assert studio["metadata"]["id"] in listed[0]
    assert instance.v1.custom.binding_id not in listed[0]


@pytest.mark.parametrize("change", [{"name": ""}, {"service_type": "abacus"}, {"credentials": 7}, {"description": 7}])
def test_a_provider_that_is_none_is_refused(instance: Instance, change: dict[str, Any]) -> None:
    assert instance.http.post(f"{BASE}/service_providers", json=PROVIDER | change).status_code == 400


def test_a_subscription_that_v2_makes_is_one_of_v1(instance: Instance) -> None:
    made = instance.subscribe()
    own, entity = made["metadata"]["id"], made["entity"]
    assert entity["status"] == {"state": "active"}
    assert entity["deployment"]["deployment_id"] == "loans-1"
    assert entity["asset"]["problem_type"] == "binary"
    provider = entity["service_provider_id"]
    v1 = instance.http.get(f"{instance.v1.path}/service_bindings/{provider}/subscriptions/{own}").json()
    assert [each["deployment_id"] for each in v1["entity"]["deployments"]] == ["loans-1"]
    assert v1["entity"]["asset_properties"]["problem_type"] == "binary"
    assert "problem_type" not in v1["entity"]["asset"]
    assert {each["type"]: each["enabled"] for each in v1["entity"]["configurations"]}["payload_logging"] is True


def test_a_subscription_that_v1_made_has_one_deployment_in_v2(instance: Instance) -> None:
    seeded = instance.v1.custom
    entity = instance.get(f"subscriptions/{seeded.subscription_id}")["entity"]
    assert (entity["data_mart_id"], entity["service_provider_id"]) == (DATA_MART_ID, seeded.binding_id)
    assert entity["deployment"]["deployment_id"] == seeded.deployment_id
    assert isinstance(entity["asset_properties"]["probability_fields"], list)


def test_subscriptions_are_listed_by_provider_and_asset_and_go_with_their_data_set(instance: Instance) -> None:
    made = instance.subscribe()
    own, provider = made["metadata"]["id"], made["entity"]["service_provider_id"]
    for query in (
        {"service_provider_id": provider},
        {"asset.asset_id": "loans"},
        {"deployment.deployment_id": "loans-1"},
    ):
        assert [each["metadata"]["id"] for each in instance.get("subscriptions", **query)["subscriptions"]] == [own]
    data_set = instance.data_set_of(own)
    assert instance.http.delete(f"{BASE}/subscriptions/{own}").status_code == 202
    assert instance.http.get(f"{BASE}/subscriptions/{own}").status_code == 404
    assert instance.http.get(f"{BASE}/data_sets/{data_set}").status_code == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"data_mart_id": OTHER}, 400),
        ({"service_provider_id": OTHER}, 404),
        ({"asset": {}}, 400),
        ({"deployment": None}, 400),
        ({"deployment": {"deployment_id": 7}}, 400),
    ],
)
def test_a_subscription_that_is_none_is_refused(instance: Instance, change: dict[str, Any], status: int) -> None:
    body = {"data_mart_id": DATA_MART_ID, "service_provider_id": instance.v1.custom.binding_id} | ASSET | change
    assert error_of(instance.http.post(f"{BASE}/subscriptions", json=body))[0] == status


def test_the_monitors_that_the_sdk_needs_are_defined_before_there_is_a_data_mart(instance: Instance) -> None:
    defined = instance.http.get(f"/openscale/{OTHER}/v2/monitor_definitions").json()["monitor_definitions"]
    assert {each["metadata"]["id"] for each in defined} >= {"performance", "fairness", "explainability"}
    assert instance.get("monitor_definitions/fairness")["entity"]["name"] == "Fairness"
    assert instance.http.get(f"{BASE}/monitor_definitions/weather").status_code == 404


def test_a_monitor_instance_is_a_monitor_that_v1_shows_as_enabled(instance: Instance) -> None:
    own = instance.subscribe()["metadata"]["id"]
    target = {"target_id": own, "target_type": "subscription"}
    body = {"data_mart_id": DATA_MART_ID, "monitor_definition_id": "performance", "target": target}
    made = instance.add("monitor_instances", body | {"parameters": {"a": 1}})
    assert instance.get(f"monitor_instances/{made['metadata']['id']}") == made
    listed = instance.get("monitor_instances", **{"target.target_id": own, "monitor_definition_id": "performance"})
    assert listed["monitor_instances"] == [made]
    entity = instance.get(f"subscriptions/{own}")["entity"]
    v1 = f"{instance.v1.path}/service_bindings/{entity['service_provider_id']}/subscriptions/{own}"
    assert instance.http.get(f"{v1}/configurations/performance_monitoring").json() == {
        "enabled": True,
        "parameters": {"a": 1},
    }
    assert instance.http.get(f"{BASE}/monitor_instances/{OTHER}").status_code == 404
    unknown = body | {"monitor_definition_id": "weather"}
    assert instance.http.post(f"{BASE}/monitor_instances", json=unknown).status_code == 400


def test_a_data_set_is_there_once_logging_was_switched_on_and_says_when_it_is_off(instance: Instance) -> None:
    seeded = instance.v1.custom
    data_set = instance.data_set_of(seeded)
    entity = instance.get(f"data_sets/{data_set}")["entity"]
    assert entity["target"] == {"target_id": seeded.subscription_id, "target_type": "subscription"}
    assert entity["location"]["table_name"].endswith(f"Payload_{seeded.subscription_id}")
    assert entity["data_schema"]["fields"][0]["name"] == "scoring_id"
    logging = f"{instance.v1.subscription_path()}/configurations/payload_logging"
    instance.http.put(logging, json={"enabled": False})
    assert instance.get(f"data_sets/{data_set}")["entity"]["status"] == {"state": "disabled"}
    never = f"{instance.v1.path}/service_bindings/{seeded.binding_id}/subscriptions/{OTHER}"
    assert instance.http.put(never, json={"asset": {"asset_id": "a"}}).status_code == 201
    assert instance.get("data_sets", **{"target.target_id": OTHER}) == {"data_sets": []}
    for query in ({"type": "feedback"}, {"target.target_type": "instance"}):
        assert instance.get("data_sets", **query) == {"data_sets": []}


def test_the_id_of_a_data_set_outlives_the_sandbox(start: Start, store: str | None, tmp_path: Any) -> None:
    seen = []
    for _ in range(2):
        with start(store=store or tmp_path / "mart.sqlite") as started:
            client = Instance(started)
            seen.append(client.data_set)
            client.close()
    assert seen[0] == seen[1]


def test_every_call_of_v2_wants_a_token(instance: Instance) -> None:
    del instance.http.headers["Authorization"]
    for path in (f"{BASE}/data_sets", f"{BASE}/monitor_definitions", "/v1/entitlements"):
        assert error_of(instance.http.get(path))[0] == 401
