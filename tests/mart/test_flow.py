"""The whole way of every engine by `payload-worker mart` alone: credentials to rows, and back to nothing."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.mart.command import API_KEY, EXAMPLES, Command
from tests.sandbox.database import Postgres, required
from worker.sandbox.options import Options
from worker.sandbox.seed import connect, token
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from worker.sandbox.serve import RunningSandbox

DATA_MART = "00000000-0000-4000-8000-000000000001"
NAMES = ["--features", "age,hours,income,sector", "--categorical", "sector"]
KINDS = ["--input-data-type", "structured", "--problem-type", "binary", "--label", "approved"]
AZURE = [*KINDS, "--prediction", "Scored Labels", "--probability", "Scored Probabilities", *NAMES]
REQUEST = {"fields": ["age", "hours", "income", "sector"], "values": [[41, 37.5, 52000, "retail"], [23, 20.0, 1, "x"]]}


@dataclass(frozen=True)
class Case:
    """An engine, what is subscribed of it, what is logged."""

    engine: str
    asset: str
    flags: list[str]
    request: dict[str, Any]
    response: dict[str, Any]


CASES = [
    Case(
        "custom",
        "action",
        ["--prediction", "prediction", "--probability", "probability", "--problem-type", "binary", *NAMES],
        REQUEST,
        {"fields": ["prediction", "probability"], "values": [["yes", [0.25, 0.75]], ["no", [0.9, 0.1]]]},
    ),
    Case(
        "azure-studio",
        "loans.binary",
        AZURE,
        REQUEST,
        {"fields": ["Scored Labels", "Scored Probabilities"], "values": [["yes", 0.75], ["no", 0.1]]},
    ),
    Case(
        "azure-service",
        "loans-service",
        AZURE,
        REQUEST,
        {"fields": ["Scored Labels", "Scored Probabilities"], "values": [["yes", [0.25, 0.75]], ["no", [0.9, 0.1]]]},
    ),
    Case(
        "sagemaker",
        "loans-ll",
        [*KINDS, "--prediction", "predicted_label", "--probability", "score", "--features", "age,hours,income,debt"],
        {"fields": ["age", "hours", "income", "debt"], "values": [[41.0, 37.5, 52e3, 1200.0], [23.0, 20.0, 18e3, 0.0]]},
        {"fields": ["predicted_label", "score"], "values": [[1.0, 0.75], [0.0, 0.1]]},
    ),
]


def post(sandbox: RunningSandbox, binding: str, subscription: str, case: Case) -> None:
    """Log one scoring with two rows, as any service may."""
    record = {
        "binding_id": binding,
        "subscription_id": subscription,
        "deployment_id": "d",
        "scoring_id": f"{case.engine}-1",
        "scoring_timestamp": "2019-06-11T10:00:00.123Z",
        "request": case.request,
        "response": case.response,
    }
    with connect(sandbox.url) as client:
        headers = {"Authorization": f"Bearer {token(client, API_KEY)}"}
        path = f"/v1/data_marts/{DATA_MART}/scoring_payloads"
        assert client.post(path, json=[record], headers=headers).status_code == 202


@pytest.mark.parametrize("case", CASES, ids=[case.engine for case in CASES])
def test_the_commands_alone_lead_from_credentials_to_rows(case: Case, mart: Command, sandbox: RunningSandbox) -> None:
    mart.did("setup", "--internal")
    binding = mart.did("bindings", "add", case.engine, "--name", "loans", "--json").json["id"]
    assert mart.did("bindings", "list").table[0][:3] == [binding, "loans", case.engine]
    (asset,) = mart.did("assets").table
    assert (asset[:2], asset[3 if case.asset != "action" else 2], asset[5]) == (
        ["loans", case.engine],
        case.asset,
        "no",
    )
    added = mart.did("subscriptions", "add", case.asset, "--binding", "loans", *case.flags, "--json").json
    assert mart.did("subscriptions", "uids").out == f"{added['id']}\n"
    assert mart.did("assets").table[0][5] == "yes"
    assert "payload logging  enabled" in mart.did("logging", "show", case.asset).out
    post(sandbox, binding, added["id"], case)
    assert mart.did("rows", case.asset, "--count").out == "2\n"
    check_rows(mart, case)


def check_rows(mart: Command, case: Case) -> None:
    """What comes back, as JSON, as CSV and as a table, is what was posted, the newest first."""
    names = [*case.request["fields"], *case.response["fields"]]
    sent = [a + b for a, b in zip(case.request["values"], case.response["values"], strict=True)]
    found = mart.did("rows", case.asset, "--json").json
    rows = [dict(zip(found["fields"], row, strict=True)) for row in found["values"]]
    assert [row["scoring_id"] for row in rows] == [f"{case.engine}-1-2", f"{case.engine}-1-1"]
    assert json.dumps([[row[name] for name in names] for row in reversed(rows)]) == json.dumps(sent)
    assert [row["prediction_probability"] for row in rows] == [0.9, 0.75]
    lines = list(csv.DictReader(io.StringIO(mart.did("rows", case.asset, "--csv").out)))
    texts = [[each if isinstance(each, str) else json.dumps(each) for each in row] for row in sent]
    assert [[line[name] for name in names] for line in reversed(lines)] == texts
    shown = mart.did("rows", case.asset, "--newest", "1")
    assert f"{case.engine}-1-2" in shown.out
    assert f"{case.engine}-1-1" not in shown.out
    assert shown.out.endswith("1 of 2 rows\n")


def test_what_is_there_already_is_no_failure_and_changes_nothing(mart: Command) -> None:
    assert "is set up" in mart.did("setup", "--internal").out
    assert "is there already" in mart.did("setup", "--internal").out
    first = mart.did("bindings", "add", "custom", "--name", "loans", "--json").json
    again = mart.did("bindings", "add", "custom", "--name", "loans", "--json").json
    assert (first["changed"], again) == (True, {"id": first["id"], "changed": False})
    subscribe = ["subscriptions", "add", "action", "--prediction", "p", "--json"]
    first, again = mart.did(*subscribe).json, mart.did(*subscribe).json
    assert (first["changed"], again) == (True, {"id": first["id"], "changed": False})
    assert mart.did("logging", "enable", "action", "--json").json["changed"] is False


def test_a_subscription_that_is_there_otherwise_is_not_said_to_be_as_wanted(mart: Command) -> None:
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "custom", "--name", "loans")
    mart.did("subscriptions", "add", "action", "--prediction", "p")
    done = mart("subscriptions", "add", "action", "--prediction", "q", "--label", "l")
    assert done.code == 65
    assert "is there already with other label_column, prediction_field; change it by mart apply" in done.err


def test_what_was_begun_and_not_finished_is_finished_the_next_time(mart: Command, sandbox: RunningSandbox) -> None:
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "custom", "--name", "loans")
    sandbox.fault({"match": {"path": "payload_logging$"}, "times": 1, "action": {"status": 500}})
    assert mart("subscriptions", "add", "action", "--prediction", "p").code == 69
    assert "payload logging  disabled" in mart.did("logging", "show", "action").out
    done = mart.did("subscriptions", "add", "action", "--prediction", "p")
    assert "was there already; its monitors are enabled" in done.out
    assert "payload logging  enabled" in mart.did("logging", "show", "action").out


def test_logging_is_switched_off_and_on(mart: Command) -> None:
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "custom", "--name", "loans")
    mart.did("subscriptions", "add", "action", "--prediction", "p")
    assert mart.did("logging", "disable", "action").out.endswith("payload logging is disabled\n")
    assert mart.did("logging", "disable", "action").out.endswith("payload logging was already disabled\n")
    assert mart.did("subscriptions", "list").table[0][6] == "off"
    dynamic = ["logging", "enable", "action", "--dynamic-schema-update", "--json"]
    assert mart.did(*dynamic).json["changed"] is True
    assert mart.did(*dynamic).json["changed"] is False
    assert mart.did("logging", "show", "action", "--json").json["parameters"]["dynamic_schema_update"] is True


def test_deletions_end_when_the_thing_is_gone(mart: Command) -> None:
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "custom", "--name", "loans")
    mart.did("subscriptions", "add", "action", "--prediction", "p")
    assert "is deleted" in mart.did("subscriptions", "delete", "action", "--yes").out
    assert mart.did("subscriptions", "uids").out == ""
    assert "is deleted" in mart.did("bindings", "delete", "loans", "--yes").out
    assert mart.did("bindings", "list", "--json").json == []
    assert mart.did("delete", "--yes", "--json").json == {"data_mart_id": DATA_MART, "changed": True}
    assert mart.did("delete", "--yes", "--json").json["changed"] is False
    assert "there is no data mart" in mart("show").err


def test_a_dry_run_writes_nothing_and_says_what_it_would(mart: Command) -> None:
    done = mart.did("setup", "--dry-run", "--schema", "loans", "--json")
    assert done.json["dry_run"][0]["body"]["database_configuration"]["location"] == {"schema": "loans"}
    assert mart("show").code == 69
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "custom", "--name", "loans", "--dry-run")
    assert mart.did("bindings", "list", "--json").json == []
    mart.did("bindings", "add", "custom", "--name", "loans")
    done = mart.did("subscriptions", "add", "action", "--prediction", "p", "--dry-run")
    assert [line.split()[1] for line in done.out.splitlines() if line.startswith("would ")] == ["PUT"] * 3
    assert mart.did("subscriptions", "uids").out == ""
    mart.did("subscriptions", "add", "action", "--prediction", "p")
    for words in (
        ["logging", "disable", "action"],
        ["subscriptions", "delete", "action"],
        ["bindings", "delete", "loans"],
    ):
        assert mart.did(*words, "--dry-run").out.startswith("would ")
    assert mart.did("delete", "--dry-run").out == f"would DELETE /v1/data_marts/{DATA_MART}?force=true\n"
    assert mart.did("subscriptions", "list").table[0][6] == "on"


def test_an_export_of_more_than_a_page_has_every_row_once(mart: Command, sandbox: RunningSandbox) -> None:
    mart.did("setup", "--internal")
    binding = mart.did("bindings", "add", "custom", "--name", "loans", "--json").json["id"]
    subscription = mart.did("subscriptions", "add", "action", "--prediction", "p", "--json").json["id"]
    numbers = [[number] for number in range(2500)]
    case = Case("custom", "action", [], {"fields": ["n"], "values": numbers}, {"fields": ["p"], "values": numbers})
    post(sandbox, binding, subscription, case)
    lines = list(csv.DictReader(io.StringIO(mart.did("rows", "action", "--all", "--csv").out)))
    assert sorted(int(line["n"]) for line in lines) == list(range(2500))
    assert len(mart.did("rows", "action", "--newest", "1001", "--json").json["values"]) == 1001
    assert mart.did("rows", "action", "--all").out.endswith("2500 of 2500 rows\n")


def test_two_bindings_that_have_the_same_asset_are_told_apart_by_name(mart: Command) -> None:
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "custom", "--name", "one")
    mart.did("bindings", "add", "custom", "--name", "two", CUSTOM_ENGINE_URL="http://127.0.0.1:8")
    done = mart("subscriptions", "add", "action", "--prediction", "p")
    assert done.code == 65
    assert "deployed in 2 bindings" in done.err
    for name in ("one", "two"):
        mart.did("subscriptions", "add", "action", "--prediction", "p", "--binding", name)
    done = mart("logging", "show", "action")
    assert (done.code, "action is 2 subscriptions" in done.err) == (65, True)
    assert "payload logging  enabled" in mart.did("logging", "show", "action", "--binding", "two").out


def test_one_of_several_deployments_of_an_asset_is_named(mart: Command, sandbox: RunningSandbox) -> None:
    endpoint = {"url": "http://e"}
    made = [
        {
            "metadata": {"guid": f"d{n}"},
            "entity": {"name": f"loans {n}", "scoring_endpoint": endpoint, "asset": {"guid": "a"}},
        }
        for n in (1, 2)
    ]
    sandbox.tell_assets({"engine": "custom", "resources": made})
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "custom", "--name", "loans")
    done = mart("subscriptions", "add", "a", "--prediction", "p")
    assert (done.code, "2 deployments: d1 (loans 1), d2 (loans 2); name one by --deployment" in done.err) == (65, True)
    mart.did("subscriptions", "add", "a", "--prediction", "p", "--deployment", "loans 2")
    assert mart.did("subscriptions", "list").table[0][5] == "d2"


def test_the_database_is_shown_without_its_credentials(mart: Command) -> None:
    mart.did("setup", "--schema", "loans")
    shown = mart.did("show").out
    assert "database   postgresql" in shown
    assert "schema     loans" in shown
    assert "somebody" not in shown + mart.did("show", "--json").out
    assert mart.did("setup", "--internal", "--force").out.endswith("is set up\n")
    assert "internal" in mart.did("show").out


def test_rows_in_a_database_of_ones_own_come_back_the_same() -> None:
    required()
    with (
        Postgres() as server,
        running(Options(assets=EXAMPLES / "assets.json", api_key=API_KEY, databases="given")) as sandbox,
    ):
        mart = Command(sandbox.url)
        mart.did("setup", "--schema", "loans", DATABASE_URL=server.uri)
        for case in CASES:
            binding = mart.did("bindings", "add", case.engine, "--name", case.engine, "--json").json["id"]
            flags = ["--binding", case.engine, *case.flags]
            made = mart.did("subscriptions", "add", case.asset, *flags, "--json").json["id"]
            post(sandbox, binding, made, case)
            check_rows(mart, case)
        assert "table            loans.Payload_" in mart.did("logging", "show", "action").out


def test_a_bindings_secrets_are_masked_and_the_rest_is_shown(mart: Command) -> None:
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "sagemaker", "--name", "loans", "--id", "b-1")
    shown = mart.did("bindings", "show", "loans").out
    assert "credentials.region             us-east-2" in shown
    assert "credentials.secret_access_key  ********" in shown
    assert mart.did("bindings", "show", "b-1", "--json").json["entity"]["credentials"]["access_key_id"] == "********"
    assert mart.did("assets", "--json").json[0]["binding_id"] == "b-1"
