"""Whatever goes wrong: one clear message, the documented exit code, no traceback, no secret (`Command` looks)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.edges.peer import peer
from tests.mart.command import Command, Done

if TYPE_CHECKING:
    import socket

    from worker.sandbox.serve import RunningSandbox

EVERYTHING = "^/v1/(data_marts|ml_instances)"
READS = [
    ["show"],
    ["assets"],
    ["bindings", "list"],
    ["bindings", "show", "loans"],
    ["subscriptions", "list"],
    ["subscriptions", "uids"],
    ["subscriptions", "show", "action"],
    ["logging", "show", "action"],
    ["rows", "action"],
]
WRITES = [
    ["setup", "--force"],
    ["bindings", "add", "sagemaker", "--name", "more"],
    ["subscriptions", "add", "action", "--prediction", "p"],
    ["logging", "disable", "action"],
    ["subscriptions", "delete", "action", "--yes"],
    ["bindings", "delete", "loans", "--yes"],
    ["delete", "--yes"],
]


@pytest.mark.parametrize(
    ("action", "code", "part"),
    [
        ({"status": 500}, 69, "answered 500"),
        ({"status": 200, "body": "<html>login</html>"}, 69, "mart.url"),
        ({"reset": "before"}, 69, "no answer (ReadError); check mart.url"),
    ],
    ids=["server error", "page", "reset"],
)
def test_a_data_mart_that_answers_otherwise_ends_every_command_with_a_message(
    full: Command, sandbox: RunningSandbox, action: dict[str, Any], code: int, part: str
) -> None:
    sandbox.fault({"match": {"path": EVERYTHING}, "action": action})
    for words in READS + WRITES:
        complained(full(*words), code, part)


def complained(done: Done, code: int, part: str) -> None:
    """A command that ended so, with one line that says so and nothing else."""
    assert (done.code, done.out) == (code, ""), done
    assert part in done.err
    assert done.err.startswith("payload-worker: ")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("action", "code", "part"),
    [
        ({"status": 429, "headers": {"Retry-After": "7"}}, 69, "try again later"),
        ({"status": 403}, 78, "check the credentials in [mart]"),
        ({"status": 401}, 78, "check the credentials in [mart]"),
        ({"status": 400}, 65, "what was sent is not taken"),
        ({"status": 200, "body": "[" * 100_000}, 69, "mart.url"),
        ({"status": 302, "headers": {"Location": "/x"}}, 69, "this is not how a data mart answers"),
        ({"status": 404, "body": "<html>"}, 69, "check mart.url"),
    ],
    ids=["throttled", "forbidden", "unauthorised", "refused", "depth", "redirect", "elsewhere"],
)
def test_what_an_answer_means_decides_the_exit_code_and_the_advice(
    mart: Command, sandbox: RunningSandbox, action: dict[str, Any], code: int, part: str
) -> None:
    sandbox.fault({"match": {"path": EVERYTHING}, "action": action})
    complained(mart("bindings", "list"), code, part)
    complained(mart("bindings", "add", "sagemaker", "--name", "n"), code, part)


@pytest.mark.parametrize("shape", [{}, {"service_bindings": 3}, {"service_bindings": [3]}, {"service_bindings": [{}]}])
def test_an_answer_of_another_shape_is_told(full: Command, sandbox: RunningSandbox, shape: dict[str, Any]) -> None:
    sandbox.fault({"match": {"path": "service_bindings$"}, "action": {"status": 200, "body": shape}})
    for words in (["bindings", "list"], ["assets"], ["subscriptions", "list"]):
        assert full(*words).code == 69


@pytest.mark.parametrize(
    "rows",
    [{}, {"fields": [], "values": 3}, {"fields": ["a"], "values": [3]}, {"fields": ["a"], "values": [[1, 2]]}, []],
)
def test_rows_of_another_shape_are_told(full: Command, sandbox: RunningSandbox, rows: Any) -> None:
    sandbox.fault({"match": {"path": "scoring_transactions$"}, "action": {"status": 200, "body": rows}})
    for flags in ([], ["--csv"], ["--json"], ["--count"]):
        assert full("rows", "action", *flags).code == 69


def test_rows_may_be_objects_and_tables_may_grow(full: Command, sandbox: RunningSandbox) -> None:
    body = {"fields": ["a", "b"], "values": [{"b": [1, 2], "a": None}], "total_count": 1}
    sandbox.fault({"match": {"path": "scoring_transactions$"}, "action": {"status": 200, "body": body}})
    assert full.did("rows", "action", "--csv").out == 'a,b\n,"[1, 2]"\n'
    assert full.did("rows", "action", "--json").json["values"] == [[None, [1, 2]]]
    assert full.did("rows", "action").table == [["-", "[1, 2]"]]


def test_a_token_that_was_revoked_is_replaced_within_a_command(full: Command, sandbox: RunningSandbox) -> None:
    sandbox.fault({"match": {"path": "service_bindings$"}, "times": 1, "action": {"status": 401}})
    assert full.did("bindings", "list").table[0][1] == "loans"


def test_the_data_marts_own_words_are_told_without_what_was_sent(mart: Command, sandbox: RunningSandbox) -> None:
    words = "login somebody/s3cret-database failed at postgres://somebody:s3cret-database@h \x1b[2J"
    body = {"trace": "t", "errors": [{"code": "AISCS0099E", "message": words}]}
    sandbox.fault({"match": {"method": "PUT"}, "action": {"status": 400, "body": body}})
    done = mart("setup", "--schema", "loans")
    assert done.code == 65
    assert "answered 400 AISCS0099E; login ********/******** failed at " in done.err
    assert "\x1b" not in done.err


def test_a_write_whose_answer_is_lost_may_have_been_done(mart: Command, sandbox: RunningSandbox) -> None:
    mart.did("setup", "--internal")
    sandbox.fault({"match": {"method": "POST", "path": "service_bindings$"}, "action": {"reset": "after"}})
    done = mart("bindings", "add", "sagemaker", "--name", "n")
    assert (done.code, "it may have been done all the same: look before you try again" in done.err) == (69, True)
    assert mart.did("bindings", "list").table[0][1] == "n"


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["subscriptions", "delete", "action"], "/subscriptions$"),
        (["bindings", "delete", "loans"], "/service_bindings/[^/]+$"),
        (["delete"], "^/v1/data_marts/[^/]+$"),
    ],
)
def test_a_deletion_that_takes_its_time_is_waited_for(
    full: Command, sandbox: RunningSandbox, words: list[str], path: str
) -> None:
    """The first look (which finds the thing) passes, three more see it still there, then it is gone."""
    if words[0] == "subscriptions":
        body: Any = {"subscriptions": full.did("subscriptions", "list", "--json").json}
    elif words[0] == "bindings":
        body = full.did("bindings", "show", "loans", "--json").json
    else:
        body = full.did("show", "--json").json
    first = 0 if words[0] == "bindings" else 1
    rule = {"match": {"method": "GET", "path": path}, "after": first, "action": {"status": 200, "body": body}}
    sandbox.fault(rule | {"times": 3})
    assert "is deleted" in full.did(*words, "--yes").out
    full.did("setup", "--internal", "--force")


def test_a_deletion_that_does_not_end_is_told(full: Command, sandbox: RunningSandbox) -> None:
    body = full.did("show", "--json").json
    match = {"method": "GET", "path": "^/v1/data_marts/[^/]+$"}
    sandbox.fault({"match": match, "action": {"status": 200, "body": body}})
    done = full("delete", "--yes", "--wait", "0.5")
    assert (done.code, "is not known to be gone after 0.5 s" in done.err) == (69, True)


def test_a_data_mart_that_blinks_does_not_end_the_wait(full: Command, sandbox: RunningSandbox) -> None:
    match = {"method": "GET", "path": "^/v1/data_marts/[^/]+$"}
    sandbox.fault({"match": match, "after": 1, "times": 2, "action": {"status": 503}})
    assert "is deleted" in full.did("delete", "--yes").out


def test_a_data_mart_that_says_that_the_asset_is_subscribed_is_believed(mart: Command, sandbox: RunningSandbox) -> None:
    mart.did("setup", "--internal")
    mart.did("bindings", "add", "custom", "--name", "loans")
    sandbox.fault({"match": {"method": "PUT", "path": "/subscriptions/"}, "action": {"status": 409}})
    done = mart("subscriptions", "add", "action", "--prediction", "p")
    assert (done.code, "subscription action of loans is there already" in done.err) == (65, True)


def test_one_engine_that_cannot_be_asked_does_not_hide_the_others(full: Command, sandbox: RunningSandbox) -> None:
    full.did("bindings", "add", "sagemaker", "--name", "silent", "--id", "b-2")
    sandbox.fault({"match": {"path": "ml_instances/b-2"}, "action": {"status": 502}})
    done = full("assets")
    assert [row[2] for row in done.table] == ["action"]
    assert (done.code, "not all engines could be asked: silent: " in done.err) == (69, True)


def test_a_data_mart_that_never_answers_is_waited_for_no_longer_than_the_setting() -> None:
    def silent(connection: socket.socket) -> None:
        connection.recv(1)

    with peer(silent) as listening:
        mart = Command(f"http://127.0.0.1:{listening.port}", MART__TIMEOUT_SECONDS="0.2")
        done = mart("show")
    assert (done.code, "no answer (ReadTimeout); check mart.url" in done.err) == (69, True)


def test_the_program_itself_does_the_same(full: Command) -> None:
    environment = os.environ | {f"PAYLOAD_WORKER_{name}": value for name, value in full.settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "worker", "mart", "bindings", "list", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)[0]["entity"]["name"] == "loans"
