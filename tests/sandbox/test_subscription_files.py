"""A subscription as a file: exported, and imported under the asset's id (contract §4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.mart import error_of, record

if TYPE_CHECKING:
    from tests.sandbox.mart import Mart


def exported(mart: Mart) -> dict[str, Any]:
    """The custom subscription's file."""
    answer = mart.http.get(f"{mart.subscription_path()}/file")
    assert answer.status_code == 200
    file: dict[str, Any] = answer.json()
    return file


def imported_path(mart: Mart, subscription_id: str = "action") -> str:
    """Where a client puts a file: under the asset's id."""
    return mart.subscription_path().replace(mart.custom.subscription_id, subscription_id)


def test_an_import_makes_the_subscription_that_was_exported(mart: Mart) -> None:
    answer = mart.http.put(f"{imported_path(mart)}/file", json=exported(mart))
    assert answer.status_code == 200
    assert [action["success"] for action in answer.json()] == [True, True, True]
    before, after = mart.http.get(mart.subscription_path()).json(), mart.http.get(imported_path(mart)).json()
    assert after["metadata"]["guid"] == "action"
    for part in ("asset", "asset_properties", "deployments"):
        assert after["entity"][part] == before["entity"][part]


@pytest.mark.parametrize("enabled", [True, False])
def test_an_import_configures_payload_logging_as_it_was(mart: Mart, enabled: bool) -> None:  # noqa: FBT001
    configuration = f"{mart.subscription_path()}/configurations/payload_logging"
    parameters = {"dynamic_schema_update": True}
    mart.http.put(configuration, json={"enabled": enabled, "parameters": parameters})
    mart.http.put(f"{imported_path(mart)}/file", json=exported(mart))
    answer = mart.http.get(f"{imported_path(mart)}/configurations/payload_logging").json()
    assert answer["enabled"] is enabled
    assert answer["parameters"]["dynamic_schema_update"] is True
    posted = mart.post(record(mart.custom, subscription_id="action"))
    assert posted.status_code == (202 if enabled else 400)


def test_an_import_over_a_subscription_is_409_and_changes_nothing(mart: Mart) -> None:
    before = mart.http.get(mart.subscription_path()).json()
    file = {"asset": {"asset_id": "other"}}
    answer = mart.http.put(f"{mart.subscription_path()}/file", json=file)
    assert error_of(answer) == (409, "SANDBOX-SUBSCRIPTION-EXISTS")
    assert mart.http.get(mart.subscription_path()).json() == before


@pytest.mark.parametrize(
    "file",
    [
        [],
        {},
        {"asset": {"asset_id": "a"}, "configurations": {}},
        {"asset": {"asset_id": "a"}, "configurations": [1]},
        {"asset": {"asset_id": "a"}, "configurations": [{"type": "none", "enabled": True}]},
        {"asset": {"asset_id": "a"}, "configurations": [{"type": [], "enabled": True}]},
        {"asset": {"asset_id": "a"}, "configurations": [{"type": "payload_logging"}]},
        {"asset": {"asset_id": "a"}, "configurations": [{"type": "payload_logging", "enabled": True, "parameters": 1}]},
    ],
)
def test_a_file_that_is_none_is_refused_and_makes_nothing(mart: Mart, file: object) -> None:
    assert error_of(mart.http.put(f"{imported_path(mart, 'new')}/file", json=file))[0] == 400
    assert mart.http.get(imported_path(mart, "new")).status_code == 404


def test_there_is_no_file_of_what_does_not_exist(mart: Mart) -> None:
    answer = mart.http.get(f"{imported_path(mart, 'none')}/file")
    assert error_of(answer) == (404, "SANDBOX-SUBSCRIPTION-UNKNOWN")
    other = mart.subscription_path(mart.seeded["sagemaker"]).replace(mart.seeded["sagemaker"].binding_id, "none")
    assert error_of(mart.http.put(f"{other}/file", json={})) == (404, "SANDBOX-BINDING-UNKNOWN")
