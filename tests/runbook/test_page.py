"""The runbook against the program and the other documents: what it names is there, and every procedure is played."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import typer

from tests.runbook import page, promql
from tests.runbook.tools import KAFKA
from tests.test_docs import ARCHITECTURE, OPERATIONS, rows, section, ticked
from worker import cli, telemetry

PROCEDURES = page.procedures()
COUNTERS = {f"{telemetry.NAME}_{name}_total" for name in telemetry.COUNTERS}
METRICS = COUNTERS | {f"{telemetry.NAME}_{name}" for name in telemetry.GAUGES}
WAITING = ("RETRY", "THROTTLE", "HALT", "REFRESH")
"""Verdicts with which nothing is delivered, so that their reason may stand at `/readyz`."""


@pytest.fixture(params=list(PROCEDURES))
def procedure(request: pytest.FixtureRequest) -> page.Procedure:
    return PROCEDURES[request.param]


def test_every_procedure_of_the_page_is_played_by_a_test_and_no_other() -> None:
    played = [
        str(call.args[0].value)
        for path in Path(__file__).parent.glob("test_*.py")
        for call in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "begin" and isinstance(call.args[0], ast.Constant)
    ]
    assert sorted(played) == sorted(PROCEDURES)


def test_a_procedure_has_a_sign_a_look_a_step_and_an_end(procedure: page.Procedure) -> None:
    assert procedure.seen
    assert procedure.look
    assert procedure.do
    assert procedure.over or procedure.after
    assert {step.verb for step in procedure.do} <= set(page.VERBS)
    assert {sign.where for sign in (*procedure.seen, *procedure.over)} <= {"alert", "metric", "/readyz", "log"}


def test_what_is_run_are_commands_of_the_worker_and_kafkas_tools(procedure: page.Procedure) -> None:
    known = set(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]  # it is a group
    lines = [each.line for each in (*procedure.look, *procedure.after, *(c for s in procedure.do for c in s.commands))]
    for line in lines:
        first, second = line.split()[:2]
        assert first in {"curl", *KAFKA} or (first == "payload-worker" and second in known), line


def test_every_expression_is_one_and_every_metric_exists() -> None:
    expressions = [
        sign.what[0]
        for each in PROCEDURES.values()
        for sign in (*each.seen, *each.over)
        if sign.where in {"alert", "metric"}
    ]
    expressions += re.findall(r"`((?:sum|min|max|count)\([^`]+)`", page.text())
    assert expressions
    for expression in expressions:
        assert promql.names(expression)
    assert {name for each in expressions for name in promql.names(each)} <= METRICS
    assert set(re.findall(r"\bpayload_worker_[a-z_]*[a-z]", page.text())) - METRICS <= {"payload_worker_"}


def test_every_event_of_the_log_exists() -> None:
    known = {row[0].strip("`") for row in rows(section(OPERATIONS, "Logs"))}
    told = {sign.what[0] for each in PROCEDURES.values() for sign in (*each.seen, *each.over) if sign.where == "log"}
    assert told <= known
    kinds = {event.partition(".")[0] for event in known}
    named = {each for each in ticked(page.text()) if re.fullmatch(r"[a-z_]+\.[a-z_]+", each)}
    assert {each for each in named if each.partition(".")[0] in kinds and not _is_setting(each)} <= known


def test_an_alert_lasts_as_long_as_the_table_of_metrics_says() -> None:
    told = {name: row[3] for row in rows(section(OPERATIONS, "Metrics")) for name in ticked(row[0])}
    for name, minutes in re.findall(r"payload_worker_(\w+?)[\[){][^|]*?`, for (\d+ minutes)", page.text()):
        assert minutes in told[name], name


def test_every_reason_of_readyz_leads_to_its_procedure() -> None:
    reasons = page.reasons()
    stated = section(OPERATIONS, "Health").partition("Reasons of `/readyz`:")[2]
    known = {each for each in ticked(stated) if re.fullmatch(r"[a-z-]+(: …)?", each)} - {"error"}
    answers = [row for row in rows(section(ARCHITECTURE, "What an answer means")) if _waits(row)]
    known |= {each.replace("<status>", "…") for row in answers for each in ticked(row[1])}
    assert len(known) > 20
    assert known - set(reasons) == set()


def test_the_reasons_of_a_procedure_stand_in_the_table_on_top_with_its_link(procedure: page.Procedure) -> None:
    reasons = page.reasons()
    anchor = re.sub(r"[^\w\- ]", "", procedure.title.lower()).replace(" ", "-")
    for sign in procedure.seen:
        for reason in sign.what if sign.where == "/readyz" else ():
            if reason != "200":
                key = re.sub(r"^process 1: ", "", reason)
                (told,) = {link for each, link in reasons.items() if _covers(each, key)}
                assert f"(#{anchor})" in told or procedure.title == "A bad deploy happened", reason


def test_the_exit_codes_of_a_stop_are_those_that_are_documented() -> None:
    text = page.sections()["Stopping and starting"]
    told = re.findall(r"Exit (\d+):|\((\d+),|SIGINT (\d+)\)", text)
    assert {int(code) for codes in told for code in codes if code} == {cli.OK, cli.UNSETTLED, 143, 130}


def _waits(row: list[str]) -> bool:
    return row[2] in WAITING


def _covers(told: str, reason: str) -> bool:
    return told == reason or (told.endswith("…") and reason.startswith(told[:-1]))


def _is_setting(name: str) -> bool:
    return f"| `{name}` |" in OPERATIONS
