"""At a terminal people are asked: for credentials, without echo, and before anything is written."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.mart.command import API_KEY, Command
from worker.config import PREFIX

if TYPE_CHECKING:
    from worker.sandbox.serve import RunningSandbox

SECONDS = 60


def typed(sandbox: RunningSandbox, words: list[str], *answers: tuple[str, str]) -> tuple[int, str]:
    """A command at a terminal: the exit code, and all that was on the screen.

    Each answer is typed when its question, the first of the pair, is there.
    """
    outer, inner = pty.openpty()
    settings = {f"{PREFIX}MART__URL": sandbox.url, f"{PREFIX}MART__API_KEY": API_KEY, "TERM": "dumb", "COLUMNS": "200"}
    command = [sys.executable, "-m", "worker", "mart", *words]
    with subprocess.Popen(
        command, stdin=inner, stdout=inner, stderr=inner, env=os.environ | settings, start_new_session=True
    ) as process:
        os.close(inner)
        screen, left, deadline = "", list(answers), time.monotonic() + SECONDS
        try:
            while part := _read(outer, deadline):
                screen += part
                # the blank comes once the echo is off: what is typed before is thrown away
                if left and screen.endswith(f"{left[0][0]} "):
                    os.write(outer, left.pop(0)[1].encode() + b"\n")
            process.wait(SECONDS)
        finally:
            process.kill()
            os.close(outer)
    assert left == [], screen
    return process.returncode, screen


def _read(outer: int, deadline: float) -> str:
    """What comes next on the screen; empty when the program has ended."""
    ready, _, _ = select.select([outer], [], [], max(0.0, deadline - time.monotonic()))
    assert ready, "nothing more came"
    try:
        return os.read(outer, 65536).decode()
    except OSError:  # how a terminal's end is told
        return ""


@pytest.fixture
def ready(mart: Command) -> Command:
    """A data mart without bindings."""
    mart.did("setup", "--internal")
    return mart


def test_credentials_are_asked_for_and_secrets_not_echoed(ready: Command, sandbox: RunningSandbox) -> None:
    code, screen = typed(
        sandbox,
        ["bindings", "add", "sagemaker", "--name", "loans"],
        ("access_key_id:", "s3cret-id"),
        ("secret_access_key:", "s3cret-key"),
        ("region:", "us-east-2"),
        ("[y/N]:", "y"),
    )
    assert (code, "is added" in screen, "us-east-2" in screen) == (0, True, True)
    assert "s3cret" not in screen
    assert ready.did("bindings", "show", "loans", "--json").json["entity"]["credentials"]["region"] == "us-east-2"


def test_what_a_custom_engine_need_not_have_can_be_left_empty(ready: Command, sandbox: RunningSandbox) -> None:
    words = ["bindings", "add", "custom", "--name", "loans", "--yes"]
    code, _ = typed(sandbox, words, ("url:", "http://127.0.0.1:9"), ("username:", ""), ("password:", ""))
    assert code == 0
    assert ready.did("bindings", "show", "loans", "--json").json["entity"]["credentials"] == {
        "url": "http://127.0.0.1:9"
    }


@pytest.mark.parametrize("answer", ["n", ""])
def test_who_says_no_changes_nothing(ready: Command, sandbox: RunningSandbox, answer: str) -> None:
    ready.did("bindings", "add", "custom", "--name", "loans")
    code, screen = typed(sandbox, ["bindings", "delete", "loans"], ("[y/N]:", answer))
    assert (code, "nothing was changed" in screen) == (1, True)
    assert len(ready.did("bindings", "list").table) == 1


def test_who_says_yes_has_it_done(ready: Command, sandbox: RunningSandbox) -> None:
    ready.did("bindings", "add", "custom", "--name", "loans")
    code, screen = typed(sandbox, ["bindings", "delete", "loans"], ("[y/N]:", "y"))
    assert (code, "is deleted" in screen) == (0, True)
    assert ready.did("bindings", "list", "--json").json == []


def test_a_dry_run_asks_nothing(ready: Command, sandbox: RunningSandbox) -> None:
    ready.did("bindings", "add", "custom", "--name", "loans")
    code, screen = typed(sandbox, ["bindings", "delete", "loans", "--dry-run"])
    assert (code, "would DELETE" in screen) == (0, True)
