"""What is typed wrongly is said, with exit code 2, before anything is asked or written."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from worker.cli import app

FROM = ("--from", "2026-11-22T10:00:00Z")
SETTINGS = {"PAYLOAD_WORKER_MART__TOKEN": "t", "PAYLOAD_WORKER_KAFKA__TOPICS": '["events","more"]'}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say where to begin"),
        (("--to", "now"), "say where to begin"),
        (("--from", "2026-11-22T10:00:00"), "has no zone"),
        (("--from", "yesterday"), "is not an ISO 8601 time"),
        ((*FROM, "--to", "2026-11-22T10:00:00Z"), "is not before"),
        (("--offset-from", "5"), "give --partition"),
        (("--offset-from", "5", "--partition", "0"), "--topic where several"),
        (("--offset-from", "5", "--offset-to", "5", "--partition", "0"), "is not before"),
        ((*FROM, "--topic", "others"), "is none of kafka.topics: events, more"),
        ((*FROM, "--rate", "0"), "--rate"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner(env=SETTINGS).invoke(app, ["replay", *arguments], terminal_width=200)
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


def test_an_end_is_for_dry_runs() -> None:
    done = CliRunner(env=SETTINGS).invoke(app, ["run", "--to-end"], terminal_width=200)
    assert (done.exit_code, "--to-end is for --dry-run" in done.output) == (2, True)
