"""What is typed wrongly is said, with exit code 2, before anything is asked or written."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from worker.cli import app
from worker.config import Settings
from worker.console import CONFIG, UNAVAILABLE
from worker.edges.cluster import ClientError, ClusterError
from worker.mart.client import MartError, TokenError
from worker.replay.asking import again
from worker.replay.session import Shadow, telling
from worker.topics.spans import Bounds

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
        ((*FROM, "--rate", "inf"), "--rate is a number"),
        ((*FROM, "--rate", "nan"), "--rate"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner(env=SETTINGS).invoke(app, ["replay", *arguments], terminal_width=200)
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TokenError("no", refused=True), CONFIG),
        (TokenError("no", refused=False), UNAVAILABLE),
        (MartError("no", 401), CONFIG),
        (MartError("no", 403), CONFIG),
        (MartError("no", 500), UNAVAILABLE),
        (MartError("no"), UNAVAILABLE),
        (ClusterError("no"), UNAVAILABLE),
        (ClientError("no"), CONFIG),
    ],
)
def test_credentials_that_are_refused_are_a_setting_that_is_wrong(error: Exception, code: int) -> None:
    with pytest.raises(typer.Exit) as caught, telling():
        raise error
    assert caught.value.exit_code == code


def test_the_command_that_goes_on_has_all_that_was_given() -> None:
    bounds = Bounds(since=0, partition=3)
    said = again(bounds, "t", None, "b c", None, letters=True, rate=2.5, config=Path("my file.toml"))
    flags = "--from 1970-01-01T00:00:00.000Z --topic t --partition 3 --binding 'b c' --rate 2.5 --config 'my file.toml'"
    assert said == f"payload-worker replay {flags} --dead-letter"
    assert again(bounds, None, None, None, None, letters=False).endswith("--partition 3")


def test_a_shadow_s_command_has_all_that_was_given() -> None:
    assert Shadow(Settings.model_construct(), endless=True).again == "payload-worker run --dry-run"
    again_ = Shadow(Settings.model_construct(), endless=False, config=Path("a.toml")).again
    assert again_ == "payload-worker run --dry-run --to-end --config a.toml"


def test_an_end_is_for_dry_runs() -> None:
    done = CliRunner(env=SETTINGS).invoke(app, ["run", "--to-end"], terminal_width=200)
    assert (done.exit_code, "--to-end is for --dry-run" in done.output) == (2, True)
