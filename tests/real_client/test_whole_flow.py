"""The documents' way from credentials to rows and back, by IBM's client: every engine, IAM and ICP.

Each flow is driven once (`all_steps`); every test here looks at what one part of it came to.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.real_client.engines import CUSTOM, OWN, STUDIO

if TYPE_CHECKING:
    from tests.real_client.driver import Steps
    from tests.real_client.flows import Flow

# what must fail, by the client's own judgement (None) or by the data mart's answer
FAILURES = {
    "unknown asset": ("ClientError", None),
    "disable again": ("ClientError", None),
    "store while disabled": ("ApiRequestFailure", 400),
    "no subscription": ("ApiRequestFailure", 404),
    "no binding": ("ApiRequestFailure", 404),
    "no mart": ("ApiRequestFailure", 404),
}


def entity(steps: Steps, step: str) -> dict[str, Any]:
    """The entity that a step returned."""
    found: dict[str, Any] = steps[step]["value"]["entity"]
    return found


def test_no_call_fails_but_those_that_must(steps: Steps) -> None:
    failed = {name: step["error"] for name, step in steps.items() if step["error"]}
    assert {name: (error["type"], error["status"]) for name, error in failed.items()} == FAILURES, failed


def test_the_client_finds_its_data_mart_id_in_every_form_of_credentials(flow: Flow, steps: Steps) -> None:
    assert steps["credentials"]["value"]["data_mart_id"] == flow.data_mart_id


def test_a_data_mart_is_made_once_and_then_there_is_a_warning(steps: Steps) -> None:
    assert steps["setup"]["printed"] == ""
    assert "409" in steps["setup again"]["printed"]
    assert "AISCS0004W" in steps["setup again"]["printed"]


def test_a_data_mart_shows_the_database_that_it_was_set_up_with(store: str, steps: Steps) -> None:
    details = steps["mart"]["value"]
    assert details["status"]["state"] == "active"
    if store == "sqlite":
        assert details["internal_database"] is True
    else:
        assert_in(details, steps["told"]["value"]["setup"])


def test_an_updated_data_mart_shows_its_new_database(steps: Steps) -> None:
    assert_in(steps["mart after"]["value"], steps["told"]["value"]["move"])


def assert_in(details: dict[str, Any], told: dict[str, Any]) -> None:
    """The data mart is in the database of these credentials, and in this schema."""
    configuration = details["database_configuration"]
    assert not details.get("internal_database")
    assert configuration["database_type"] == "postgresql"
    assert configuration["credentials"] == told["db_credentials"]
    assert configuration["location"] == {"schema": told["schema"]}


def test_a_binding_is_known_by_its_instance_also_when_it_is_there_already(steps: Steps) -> None:
    uid = steps["instance"]["value"]
    assert steps["binding"]["value"] == steps["binding again"]["value"] == uid
    assert steps["binding"]["printed"] == ""
    assert "AIQCS0010W" in steps["binding again"]["printed"]
    assert steps["binding uids"]["value"] == [uid]


def test_a_binding_shows_its_engine_and_its_secrets(flow: Flow, steps: Steps) -> None:
    details = entity(steps, "binding details")
    given = {name: value for name, value in flow.engine.credentials.items() if name != "request_headers"}
    assert details["service_type"] == flow.engine.service_type
    assert given.items() <= details["credentials"].items()
    assert details.get("request_headers") == flow.engine.credentials.get("request_headers")
    assert steps["bindings"]["value"]["service_bindings"] == [steps["binding details"]["value"]]
    for told in (steps["instance"]["value"], f"my {flow.engine.tell}", flow.engine.service_type):
        assert told in steps["bindings listed"]["printed"]


def test_what_an_engine_has_deployed_is_found(flow: Flow, steps: Steps) -> None:
    asset = flow.engine.asset["source_uid"]
    assert steps["asset uids"]["value"] == [asset]
    assert [found["source_uid"] for found in steps["assets"]["value"]] == [asset]
    (deployment,) = steps["deployments"]["value"]
    assert (deployment["deployment_id"], deployment["parent_asset_uid"]) == (flow.engine.deployment_id, asset)
    assert deployment["scoring_endpoint"]["url"].startswith(("http://engine.example/", "https://engine.example/"))
    assert asset in steps["assets listed"]["printed"]
    assert flow.engine.deployment_id in steps["deployments listed"]["printed"]


def test_an_asset_is_available_until_it_is_subscribed(steps: Steps) -> None:
    assert [found["is_subscribed"] for found in steps["assets"]["value"]] == [False]
    assert [found["is_subscribed"] for found in steps["assets subscribed"]["value"]] == [True]


def test_a_subscription_shows_what_it_was_told(flow: Flow, steps: Steps) -> None:
    told = flow.engine.asset
    properties = entity(steps, "subscription details")["asset_properties"]
    assert properties["prediction_field"] == told["prediction_column"]
    assert properties["probability_fields"] == [told["probability_column"]]
    assert properties["feature_fields"] == told["feature_columns"]
    assert properties.get("categorical_fields") == told.get("categorical_columns")
    assert (properties["input_data_type"], properties["problem_type"]) == ("structured", "binary")
    assert properties.get("label_column") == told.get("label_column")
    assert flow.engine.resource["entity"]["asset_properties"].items() <= properties.items()


def test_a_subscription_is_found_in_every_way(flow: Flow, steps: Steps) -> None:
    details = steps["subscription details"]["value"]
    uid = details["metadata"]["guid"]
    assert steps["subscription's own details"]["value"] == details
    assert steps["subscriptions"]["value"] == {"subscriptions": [details]}
    assert steps["subscription uids"]["value"] == [uid]
    assert steps["subscription by name"]["value"] == uid
    assert steps["deployment uids"]["value"] == [flow.engine.deployment_id]
    assert uid in steps["subscriptions listed"]["printed"]
    assert flow.engine.deployment_id in steps["subscription's deployments listed"]["printed"]


def test_a_new_subscription_has_payload_logging_and_performance_monitoring(steps: Steps) -> None:
    monitors = entity(steps, "subscription details")["configurations"]
    assert {each["type"] for each in monitors if each["enabled"]} == {"payload_logging", "performance_monitoring"}
    assert {"quality_monitoring", "fairness_monitoring", "explainability"} <= {each["type"] for each in monitors}


def test_payload_logging_is_switched_off_and_on(steps: Steps) -> None:
    states = [steps[name]["value"] for name in ("logging", "logging disabled", "logging enabled")]
    assert [state["enabled"] for state in states] == [True, False, True]
    assert [state["parameters"]["dynamic_schema_update"] for state in states] == [False, False, True]
    uid = steps["subscription details"]["value"]["metadata"]["guid"]
    schema = steps["told"]["value"]["setup"].get("schema", "aios")
    assert states[0]["parameters"]["table_name"] == f"{schema}.Payload_{uid}"


def test_what_is_stored_while_logging_is_off_does_not_count(steps: Steps) -> None:
    assert steps["count before"]["value"] == 0


def test_each_row_of_values_counts_and_what_is_no_row_does_not(flow: Flow, steps: Steps) -> None:
    assert steps["count"]["value"] == steps["count after"]["value"] == len(flow.engine.rows)


def test_values_are_read_back_as_they_were_stored(flow: Flow, steps: Steps) -> None:
    table, engine = steps["table"]["value"], flow.engine
    assert table["fields"] == [*OWN, *engine.columns, "prediction_probability"]
    stored = [row[len(OWN) :] for row in reversed(in_order(table["values"]))]
    expected = [[*row, p] for row, p in zip(engine.rows, engine.probability, strict=True)]
    assert stored == expected
    assert [[type(cell) for cell in row] for row in stored] == [[type(cell) for cell in row] for row in expected]


def in_order(rows: list[list[Any]]) -> list[list[Any]]:
    """Rows of a record have one time, so the newest time first, and within a record the last row first."""
    return sorted(rows, key=lambda row: (row[1], int(row[0].rpartition("-")[2])), reverse=True)


def test_rows_are_the_newest_first_under_the_ids_that_were_given(flow: Flow, steps: Steps) -> None:
    table = steps["table"]["value"]
    times = [row[1] for row in table["values"]]
    assert times == sorted(times, reverse=True)
    assert times[-1] == "2019-06-11T10:00:01.123000+00:00"
    given = flow.engine.records[0]["scoring_id"]
    assert f"{given}-1" in [row[0] for row in table["values"]]
    assert {row[2] for row in table["values"]} == {flow.engine.deployment_id}
    assert {row[3] for row in table["values"]} == {None if flow.engine is CUSTOM else "1561122207000"}


def test_the_table_is_the_same_in_every_form(flow: Flow, steps: Steps) -> None:
    table, frame = steps["table"]["value"], steps["frame"]["value"]
    assert frame["columns"] == table["fields"]
    assert len(frame["data"]) == len(table["values"])
    assert [row[0] for row in frame["data"]] == [row[0] for row in table["values"]]
    assert steps["newest"]["value"]["values"] == table["values"][:1]
    assert "prediction_probability" in steps["table described"]["printed"]
    printed = steps["table printed"]["printed"]
    assert f"subscription_id={steps['subscription uids']['value'][0]}" in printed
    assert printed.count("2019-06-11") == len(flow.engine.rows)


def test_the_printed_schema_names_every_column(flow: Flow, steps: Steps) -> None:
    printed = steps["schema printed"]["printed"]
    for name in [*OWN, *flow.engine.columns, "prediction_probability"]:
        assert f" {name} " in printed


def test_an_update_is_in_the_details(flow: Flow, steps: Steps) -> None:
    properties = entity(steps, "subscription updated")["asset_properties"]
    assert properties["label_column"] == "granted"
    assert properties["probability_fields"] == "certainty"
    assert properties[flow.engine.updated] == "verdict"


def test_an_exported_subscription_is_imported_with_its_configuration(flow: Flow, steps: Steps) -> None:
    before, after = entity(steps, "subscription updated"), entity(steps, "imported")
    assert {**after, "configurations": None} == {**before, "configurations": None}
    assert [(each["type"], each["enabled"]) for each in after["configurations"]] == [
        (each["type"], each["enabled"]) for each in before["configurations"]
    ]
    assert steps["imported"]["value"]["metadata"]["guid"] == flow.engine.asset["source_uid"]
    assert "409" in steps["imported again"]["printed"]


def test_what_was_deleted_is_gone(steps: Steps) -> None:
    assert "Successfully deleted binding" in steps["delete binding"]["printed"]
    assert steps["no subscriptions"]["value"] == []
    assert "Successfully deleted data mart" in steps["delete mart"]["printed"]


def test_a_custom_engine_is_asked_with_its_own_credentials(
    all_steps: dict[str, Steps], custom_engine: tuple[str, list[str | None]]
) -> None:
    assert all_steps
    assert "Basic " + base64.b64encode(b"my custom:s3cret").decode() in custom_engine[1]
    assert None not in custom_engine[1]


@pytest.mark.parametrize("kind", ["iam", "icp"])
def test_both_names_of_the_studios_classes_are_one_engine(all_steps: dict[str, Steps], kind: str) -> None:
    details = entity(all_steps[f"azure-studio-{kind}"], "binding details")
    assert details["service_type"] == STUDIO.service_type
