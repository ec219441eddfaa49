"""Discovery: one call for every engine (contract §4.1)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.engine import engine
from tests.sandbox.mart import Mart, error_of
from worker.sandbox.options import Options, OptionsError
from worker.sandbox.seed import DATA_MART_ID
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from pathlib import Path

NATIVE = {
    "metadata": {"guid": "d1", "created_at": "2016-12-01T10:11:12Z"},
    "entity": {
        "name": "loans",
        "scoring_url": "http://host/v1/deployments/d1/online",
        "asset": {"name": "loan model", "guid": "a1"},
        "asset_properties": {"problem_type": "binary"},
    },
}


def discovered(mart: Mart, binding_id: str) -> list[dict[str, Any]]:
    """The resources of a binding's discovery, called as the client does."""
    query = {"datamart_id": DATA_MART_ID, "limit": "1000"}
    answer = mart.http.get(f"/v1/ml_instances/{binding_id}/deployments", params=query)
    body = answer.json()
    assert (answer.status_code, body["count"]) == (200, len(body["resources"]))
    resources: list[dict[str, Any]] = body["resources"]
    return resources


def bind_custom(mart: Mart, url: str, **credentials: str) -> str:
    """A custom binding whose engine is at `url`."""
    named = {"name": "n", "service_type": "custom_machine_learning", "instance_id": "own"}
    body = named | {"credentials": {"url": url} | credentials}
    assert mart.http.post(f"{mart.path}/service_bindings", json=body).status_code == 201
    return "own"


def test_action_is_known_on_every_custom_engine(mart: Mart) -> None:
    (resource,) = discovered(mart, mart.custom.binding_id)
    assert resource["metadata"]["guid"] == "action"
    assert resource["entity"]["asset"]["asset_id"] == "action"
    assert resource["entity"]["scoring_endpoint"]["url"].endswith("/v1/deployments/action/online")


def test_an_engine_that_answers_is_believed_and_its_form_translated(mart: Mart) -> None:
    with engine(200, json.dumps({"count": 1, "resources": [NATIVE]}).encode()) as (url, got):
        (resource,) = discovered(mart, bind_custom(mart, url, username="u", password="p"))  # noqa: S106 - made up
    assert got == ["Basic dTpw"]
    assert resource["metadata"]["guid"] == "d1"
    entity = resource["entity"]
    assert (entity["name"], entity["type"]) == ("loans", "online")
    assert entity["scoring_endpoint"] == {"url": "http://host/v1/deployments/d1/online"}
    assert (entity["asset"]["asset_id"], entity["asset"]["name"]) == ("a1", "loan model")
    assert entity["asset_properties"] == {"problem_type": "binary"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"resources":[{"metadata":{}}]}'),
        (200, b'{"resources":[]}'),
    ],
)
def test_an_engine_that_answers_nonsense_leaves_what_was_told(mart: Mart, status: int, body: bytes) -> None:
    with engine(status, body) as (url, _):
        (resource,) = discovered(mart, bind_custom(mart, url))
    assert resource["metadata"]["guid"] == "action"


@pytest.mark.parametrize("url", ["", "no url", "http://[", "http://127.0.0.1:1", "ftp://h", "http://h:99999999"])
def test_an_engine_that_cannot_be_asked_leaves_what_was_told(mart: Mart, url: str) -> None:
    (resource,) = discovered(mart, bind_custom(mart, url))
    assert resource["metadata"]["guid"] == "action"


def test_told_assets_are_found_by_binding_and_by_engine(mart: Mart) -> None:
    azure = mart.seeded["azure-studio"]
    mart.sandbox.tell_assets({"engine": "azure-studio", "resources": [NATIVE]})
    ids = {resource["metadata"]["guid"] for resource in discovered(mart, azure.binding_id)}
    assert ids == {azure.deployment_id, "d1"}
    assert len(discovered(mart, mart.seeded["sagemaker"].binding_id)) == 1


def test_a_deployment_told_again_is_told_better(mart: Mart) -> None:
    told = {"binding_id": mart.seeded["sagemaker"].binding_id}
    changed = {"metadata": NATIVE["metadata"], "entity": {"asset": {"asset_id": "a2"}}}
    mart.sandbox.tell_assets(told | {"resources": [NATIVE]})
    mart.sandbox.tell_assets(told | {"resources": [changed]})
    assets = [resource["entity"]["asset"]["asset_id"] for resource in discovered(mart, told["binding_id"])]
    assert assets == [mart.seeded["sagemaker"].asset_id, "a2"]


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"engine": "other", "resources": []},
        {"binding_id": "b"},
        {"binding_id": "b", "resources": [{"metadata": {"guid": "d"}, "entity": {"asset": {}}}]},
        {"binding_id": "b", "resources": [3]},
    ],
)
def test_assets_that_say_nothing_are_refused(mart: Mart, told: dict[str, Any]) -> None:
    assert error_of(mart.http.post("/sandbox/assets", json=told))[0] == 400


def test_an_unknown_binding_has_no_deployments(mart: Mart) -> None:
    assert error_of(mart.http.get("/v1/ml_instances/none/deployments")) == (404, "SANDBOX-BINDING-UNKNOWN")
    query = {"datamart_id": "none"}
    answer = mart.http.get(f"/v1/ml_instances/{mart.custom.binding_id}/deployments", params=query)
    assert error_of(answer) == (404, "AISCS0005W")


def test_a_file_tells_assets_too(tmp_path: Path) -> None:
    file = tmp_path / "assets.json"
    file.write_text(json.dumps([{"engine": "amazon_sagemaker", "resources": [NATIVE]}]))
    with running(Options(assets=file)) as started:
        mart = Mart(started)
        ids = [resource["metadata"]["guid"] for resource in discovered(mart, mart.seeded["sagemaker"].binding_id)]
        mart.close()
    assert ids == ["d1", mart.seeded["sagemaker"].deployment_id]


@pytest.mark.parametrize("text", [None, "{", "[1]"])
def test_a_file_that_tells_no_assets_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "assets.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(OptionsError, match=r"assets\.json"), running(Options(assets=file)):
        pass
