"""Any JSON at any call: an answer below 500, and no connection lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.mart import Mart, record
from worker.sandbox.options import Options
from worker.sandbox.seed import ALL, DATA_MART_ID, Seeded, planned
from worker.sandbox.serve import running
from worker.sandbox.stores import SCHEMA
from worker.sandbox.v2.data_sets import id_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox.database import Postgres

NAMES = st.sampled_from(
    [
        *("name", "service_type", "instance_id", "credentials", "asset", "asset_id", "asset_properties", "deployments"),
        *("deployment_id", "enabled", "parameters", "op", "path", "value", "resources", "engine", "binding_id"),
        *("database_configuration", "location", "schema", "internal_database", "match", "action", "probability_fields"),
        *(
            "data_mart_id",
            "service_provider_id",
            "deployment",
            "monitor_definition_id",
            "target",
            "target_id",
            "fields",
        ),
        *("values", "scoring_id", "request", "response", "database_type", "hostname", "port", "username", "api_key"),
    ]
)
WORDS = st.sampled_from(
    [
        *("", "a", "custom", "amazon_sagemaker", "add", "/asset_properties/a", "/deployments/0", DATA_MART_ID),
        *(planned("custom").binding_id, planned("custom").subscription_id, "performance", "postgresql"),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | WORDS
    | st.text(max_size=5)
)
FINITE = LEAVES.filter(lambda leaf: leaf not in (float("inf"), float("-inf")))
JSON = st.recursive(
    FINITE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=5)
)
CALLS = st.sampled_from(
    [
        ("PUT", "/v1/data_marts/fuzzed"),
        ("PUT", "{mart}?force=true"),
        ("POST", "{mart}/service_bindings"),
        ("PUT", "{subscription}-fuzzed"),
        ("PATCH", "{subscription}"),
        ("PUT", "{subscription}/configurations/payload_logging"),
        ("POST", "{mart}/scoring_payloads"),
        ("POST", "/sandbox/assets"),
        ("POST", "/identity/token"),
        ("POST", "/openscale/fuzzed/v2/data_marts"),
        ("POST", "{instance}/data_marts?force=true"),
        ("PATCH", "{instance}/data_marts/{id}"),
        ("POST", "{instance}/service_providers"),
        ("POST", "{instance}/subscriptions"),
        ("POST", "{instance}/monitor_instances"),
        ("POST", "{data_set}/records"),
        ("POST", "/icp4d-api/v1/authorize"),
        ("POST", "/idprovider/v1/auth/identitytoken"),
    ]
)
READ = (
    *("{subscription}", "{subscription}/payload_table_schema", "{subscription}/configurations/payload_logging"),
    *("{instance}/data_marts", "{instance}/subscriptions", "{data_set}", "{data_set}/records?order=a:desc"),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def fuzzed(request: pytest.FixtureRequest) -> Iterator[Mart]:
    """One data mart for all examples: what one left behind is what the next one meets."""
    store = None
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        server.empty(SCHEMA)
        store = server.uri
    with running(Options(store=store)) as started:
        mart = Mart(started)
        yield mart
        mart.close()


def path(mart: Mart, template: str) -> str:
    """A call's path, with the seeded ids in it."""
    instance = f"/openscale/{DATA_MART_ID}/v2"
    data_set = f"{instance}/data_sets/{id_of(DATA_MART_ID, mart.custom.subscription_id)}"
    ids = {"id": DATA_MART_ID, "instance": instance, "data_set": data_set}
    return template.format(mart=mart.path, subscription=mart.subscription_path(), **ids)


@settings(max_examples=300, deadline=None)
@given(call=CALLS, body=JSON)
def test_any_json_is_answered(fuzzed: Mart, call: tuple[str, str], body: object) -> None:
    method, template = call
    assert fuzzed.http.request(method, path(fuzzed, template), json=body).status_code < 500
    for read in READ:
        assert fuzzed.http.get(path(fuzzed, read)).status_code < 500


SIDES = st.fixed_dictionaries({}, optional={"fields": JSON, "values": JSON | st.lists(st.lists(FINITE)), "meta": JSON})
# normal forms whose columns fit, so that what is in the cells is met
TABLES = st.lists(st.text(max_size=70), min_size=1, max_size=4, unique=True).flatmap(
    lambda names: st.fixed_dictionaries(
        {
            "fields": st.just(names),
            "values": st.lists(st.lists(JSON, min_size=len(names), max_size=len(names)), min_size=1, max_size=2),
        }
    )
)
OBJECTS = st.lists(st.dictionaries(st.sampled_from(["age", "sector", "Scored Probabilities"]), JSON), max_size=2)
NATIVES = (
    st.fixed_dictionaries({"Inputs": st.fixed_dictionaries({"input1": OBJECTS})})
    | st.fixed_dictionaries({"Results": st.fixed_dictionaries({"output1": OBJECTS})})
    | st.fixed_dictionaries({"input": OBJECTS})
    | st.fixed_dictionaries({"output": OBJECTS})
    | JSON.map(json.dumps)
)
BODIES = JSON | SIDES | TABLES | NATIVES


@settings(max_examples=200, deadline=None)
@given(
    seeded=st.sampled_from([planned(engine) for engine in ALL]),
    change=st.fixed_dictionaries(
        {},
        optional={
            "scoring_id": JSON,
            "scoring_timestamp": JSON | st.datetimes().map(str),
            "response_time": JSON,
            "deployment_id": JSON,
            "request": BODIES,
            "response": BODIES,
            "asset_revision": JSON,
        },
    ),
)
def test_any_record_is_stored_or_an_error_of_its_own(fuzzed: Mart, seeded: Seeded, change: dict[str, Any]) -> None:
    fuzzed.http.put(f"{fuzzed.subscription_path(seeded)}/configurations/payload_logging", json={"enabled": True})
    before = fuzzed.sandbox.stats()
    assert fuzzed.post(record(seeded) | change).status_code == 202
    after = fuzzed.sandbox.stats()
    assert after["received"] == before["received"] + 1
    gone = after["errors"] + after["stored_rows"] + after["duplicates"]
    assert gone > before["errors"] + before["stored_rows"] + before["duplicates"]
    assert fuzzed.transactions(seeded, limit="5")["fields"]


@settings(max_examples=150, deadline=None)
@given(
    seeded=st.sampled_from([planned(engine) for engine in ALL]),
    change=st.fixed_dictionaries(
        {}, optional={"scoring_id": JSON, "scoring_timestamp": JSON, "request": BODIES, "response": BODIES}
    ),
)
def test_any_record_of_a_data_set_is_stored_or_its_request_says_why_not(
    fuzzed: Mart, seeded: Seeded, change: dict[str, Any]
) -> None:
    fuzzed.http.put(f"{fuzzed.subscription_path(seeded)}/configurations/payload_logging", json={"enabled": True})
    records = f"/openscale/{DATA_MART_ID}/v2/data_sets/{id_of(DATA_MART_ID, seeded.subscription_id)}/records"
    before = fuzzed.sandbox.stats()
    posted = fuzzed.http.post(records, json=[record(seeded) | change])
    assert posted.status_code == 202
    ended = fuzzed.http.get(posted.headers["Location"]).json()
    after = fuzzed.sandbox.stats()
    if ended["state"] == "error":
        assert [error["parameters"][0] for error in ended["failure"]["errors"]] == ["0"]
        assert (after["errors"], after["stored_rows"]) == (before["errors"] + 1, before["stored_rows"])
    else:
        assert ended == {"state": "active"}
        assert after["stored_rows"] + after["duplicates"] > before["stored_rows"] + before["duplicates"]
    assert "total_count" in fuzzed.http.get(f"{records}?include_total_count=true&limit=1").json()


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=60) | st.text(alphabet='ab,;"\n1[]', max_size=40).map(str.encode),
    query=st.dictionaries(
        st.sampled_from(["header", "skip", "limit", "delimiter", "on_error", "csv_max_line_length"]),
        st.sampled_from(["true", "false", "0", "1", ";", "stop", "continue", "", "\t"]),
    ),
)
def test_any_csv_is_answered(fuzzed: Mart, body: bytes, query: dict[str, str]) -> None:
    records = path(fuzzed, "{data_set}/records")
    kind = {"Content-Type": "text/csv"}
    assert fuzzed.http.post(records, content=body, params=query, headers=kind).status_code in (202, 400)


@settings(max_examples=150, deadline=None)
@given(
    query=st.dictionaries(
        st.sampled_from(["limit", "offset", "filter", "order", "seed", "start", "end", "includes", "format"]),
        st.text(alphabet="ab:,;%_1eqlikntu", max_size=12)
        | st.sampled_from(["age:gt:1", "sector:like:%", "age:null", "random", "age:desc,sector", "dict", "list", "5"]),
    )
)
def test_any_query_of_records_is_answered(fuzzed: Mart, query: dict[str, str]) -> None:
    assert fuzzed.http.get(path(fuzzed, "{data_set}/records"), params=query).status_code in (200, 400)
