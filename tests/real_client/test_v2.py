"""The whole way of IBM's SDK of the v2 API on a sandbox, from being let in to rows, and back (contract §8).

Each way in has an instance to itself; the ways are driven at once, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.real_client.flows import API_KEY
from worker.sandbox.seed import DATA_MART_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real_client.conftest import Places
    from tests.real_client.driver import Drivers, Steps

ZEROS: Final = "00000000-0000-0000-0000-000000000000"
OTHER: Final = "00000000-0000-4000-8000-00000000beef"
# how it is let in; the instance, where it is named; whether the SDK makes its data mart; what the sandbox is on
WAYS: Final = {
    "iam": (DATA_MART_ID, True, "sqlite"),
    "cp4d": (None, True, "postgresql"),
    "bearer": (OTHER, True, "sqlite"),
}
NAMES: Final = ["age", "sector"]


def scored(scoring_id: str, *rows: list[Any]) -> dict[str, Any]:
    """A record of rows that are all answered alike."""
    answers = [["Y", [0.1, 0.9]] for _ in rows]
    request = {"fields": NAMES, "values": list(rows)}
    response = {"fields": ["prediction", "probability"], "values": answers}
    return {"scoring_id": scoring_id, "request": request, "response": response, "response_time": 12}


PLAN: Final = {
    "what": "v2",
    "key": API_KEY,
    "credentials": {"url": "http://engine.example", "username": "u", "password": "hush"},
    "asset": {
        "asset_id": "loans", "name": "Loans", "url": "http://engine.example", "asset_type": "model",
        "problem_type": "binary", "input_data_type": "structured",
    },
    "deployment": {
        "deployment_id": "loans-1", "name": "Loans 1", "deployment_type": "online", "url": "http://engine.example"
    },
    "asset_properties": {
        "label_column": "Risk", "prediction_field": "prediction", "probability_fields": ["probability"],
        "feature_fields": NAMES, "categorical_fields": ["sector"],
    },
    "records": [scored("a", [31, "x"], [32, "y"]), scored("b", [33, "z"])],
    "no_rows": [{"scoring_id": "bad", "request": {"fields": NAMES, "values": []}, "response": {}}],
    "csv": 'age,sector,prediction,probability\n40,q,N,"[0.6, 0.4]"\n',
}  # fmt: skip


@pytest.fixture(scope="module")
def driven(drive_v2: Drivers, places: Places) -> Callable[[str], Steps]:
    """The steps of each way, all driven when the first is asked for."""
    done: dict[str, Steps] = {}

    def all_of(way: str) -> Steps:
        if not done:
            told = [
                PLAN | {"auth": each, "instance": instance, "adds_mart": adds, "url": places.at(on).sandbox.url}
                for each, (instance, adds, on) in WAYS.items()
            ]
            with ThreadPoolExecutor(len(told)) as pool:
                done.update(zip(WAYS, pool.map(drive_v2, told), strict=True))
        return done[way]

    return all_of


@pytest.fixture(params=WAYS)
def steps(request: pytest.FixtureRequest, driven: Callable[[str], Steps]) -> Steps:
    """The steps of one way."""
    return driven(str(request.param))


REFUSED: Final = {"provider again": ("DuplicateError", None), "no subscription": ("ApiException", 404)}


def test_only_what_should_fail_fails(steps: Steps) -> None:
    failed = {name: step["error"] for name, step in steps.items() if step["error"]}
    assert {name: error["type"] for name, error in failed.items()} == {
        name: kind for name, (kind, _) in REFUSED.items()
    }
    assert "404" in failed["no subscription"]["message"]


def test_an_instance_that_is_not_named_is_the_one_of_all_zeros(driven: Callable[[str], Steps]) -> None:
    assert {way: driven(way)["instance"]["value"] for way in WAYS} == {
        "iam": DATA_MART_ID,
        "cp4d": ZEROS,
        "bearer": OTHER,
    }


def test_the_data_mart_that_the_sdk_makes_is_listed_until_it_is_deleted(steps: Steps) -> None:
    instance = steps["instance"]["value"]
    made = steps["mart"]["value"]
    assert (made["metadata"]["id"], made["entity"]["status"]) == (instance, {"state": "active"})
    assert instance in steps["marts printed"]["printed"]
    assert steps["marts before"]["value"] == steps["no marts"]["value"] == {"data_marts": []}


def test_a_provider_is_told_without_its_secrets(steps: Steps) -> None:
    told = steps["provider details"]["value"]
    assert (told["entity"]["name"], told["entity"]["status"]) == ("engine", {"state": "active"})
    assert [each["metadata"]["id"] for each in steps["providers"]["value"]["service_providers"]] == [
        told["metadata"]["id"]
    ]
    every = [str(step["value"]) + step["printed"] for step in steps.values()]
    assert not [text for text in every if "hush" in text]


def test_a_subscription_is_active_and_has_its_monitor_and_its_data_set(steps: Steps) -> None:
    told = steps["subscription details"]["value"]
    assert told["entity"]["status"] == {"state": "active"}
    assert told["entity"]["asset"]["problem_type"] == "binary"
    assert told["entity"]["asset_properties"]["feature_fields"] == NAMES
    assert told["entity"]["deployment"]["deployment_id"] == "loans-1"
    own = told["metadata"]["id"]
    # the SDK cuts long cells off
    assert own[:20] in steps["subscriptions printed"]["printed"]
    (monitor,) = steps["monitors"]["value"]["monitor_instances"]
    assert monitor["entity"]["monitor_definition_id"] == "performance"
    (data_set,) = steps["data sets"]["value"]["data_sets"]
    assert data_set["entity"]["target"] == {"target_id": own, "target_type": "subscription"}


def test_records_are_stored_all_or_none_and_the_sdk_is_told_why_not(steps: Steps) -> None:
    assert steps["store"]["value"] == {"state": "active"}
    refused = steps["store what is no row"]["value"]
    assert refused["state"] == "error"
    assert [error["parameters"] for error in refused["failure"]["errors"]] == [["2", "bad"]]
    assert "cannot be processed: request has no values" in steps["store what is no row"]["printed"]
    assert [steps[name]["value"] for name in ("count before", "count", "count after")] == [0, 3, 3]


def test_the_rows_are_read_in_every_form(steps: Steps) -> None:
    assert "a-2" in steps["records printed"]["printed"]
    assert "prediction_probability" in steps["schema printed"]["printed"]
    dicts = steps["dicts"]["value"]
    ages = sorted(each["entity"]["values"]["age"] for each in dicts["records"])
    # the CSV's row may show a moment later
    assert (ages[:3], dicts["total_count"]) == ([31, 32, 33], len(ages))
    (newest,) = steps["lists"]["value"]["records"]
    assert dict(zip(newest["fields"], newest["values"], strict=True))["sector"] in ("z", "q")
    assert [age for age in steps["frame"]["value"]["age"] if age < 40] == [33, 32]
