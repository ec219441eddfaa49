"""Events from files through Kafka and the worker into the sandbox: values equal, and once, however often begun."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.from_files.counting import records
from tests.way.stage import Stage, until
from tests.way.test_engines import undeclare

if TYPE_CHECKING:
    from pathlib import Path

    from worker.sandbox.seed import Seeded

FIELDS = ["age", "hours", "income", "sector"]
COUNT = 300


def scoring(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is asked and answered, with integers and doubles that are hard to keep."""
    asked = {"fields": FIELDS, "values": [[2**53 + number, number + 0.1, None, f"sector {number}, “é”"]]}
    return asked, {"fields": ["prediction", "probability"], "values": [["yes", [0.25, 1 / (number + 1)]]]}


def as_lines(place: Path) -> list[str]:
    path = place / "events.jsonl"
    lines = []
    for number in range(COUNT):
        asked, answered = scoring(number)
        body: Any = {"content_type": "application/json", "data": json.dumps(asked)} if number % 2 else asked
        lines.append(json.dumps({"request": body, "response": answered}))
    path.write_text("\n".join(lines) + "\n")
    return [str(path)]


def as_csv(place: Path) -> list[str]:
    path = place / "events.csv"
    lines = [",".join([*FIELDS, "prediction", "probability"])]
    for number in range(COUNT):
        asked, answered = scoring(number)
        (cells,), ((yes, odds),) = asked["values"], answered["values"]
        lines.append(f'{cells[0]},{cells[1]!r},,"{cells[3]}",{yes},"{json.dumps(odds)}"')
    path.write_text("\n".join(lines) + "\n")
    return [str(path), "--response-prefix", "pr"]


def as_pairs(place: Path) -> list[str]:
    for number in range(COUNT):
        for side, content in zip(("request", "response"), scoring(number), strict=True):
            (place / f"{number:04}.{side}.json").write_text(json.dumps(content))
    return [str(place), "--engine", "custom"]


def produce(stage: Stage, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "worker", "produce", "--yes", "--from", *flags]
    return subprocess.Popen(
        command,
        env=stage.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def drained(stage: Stage, count: int) -> list[dict[str, Any]]:
    """The records that are stored once a worker has read everything."""
    written = records(stage.bootstrap, stage.topic)
    with stage.worker() as worker:
        until(lambda: stage.committed() == written, f"{written} records committed")
        code, log = worker.stop()
    assert code == 0, log
    assert stage.dead_letters(0) == []
    stored = stage.sandbox.records(stage.seeded["custom"].subscription_id)
    assert len({record["scoring_id"] for record in stored}) == count
    return stored


def exact(stored: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps([record["request"], record["response"]]) for record in stored)


@pytest.mark.kafka
@pytest.mark.parametrize("make", [as_lines, as_csv, as_pairs])
def test_a_file_becomes_exactly_its_records(stage: Stage, tmp_path: Path, make: Any) -> None:
    custom: Seeded = stage.seeded["custom"]
    undeclare(stage, custom)
    done = produce(stage, *make(tmp_path), "--asset", custom.asset_id)
    out, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, "")
    assert out.endswith(f"acknowledged: {COUNT} of {COUNT} events\n")
    expected = sorted(json.dumps(scoring(number)) for number in range(COUNT))
    assert exact(drained(stage, COUNT)) == expected


@pytest.mark.kafka
def test_what_was_interrupted_and_is_begun_again_is_stored_once(stage: Stage, tmp_path: Path) -> None:
    custom: Seeded = stage.seeded["custom"]
    undeclare(stage, custom)
    flags = [*as_lines(tmp_path), "--asset", custom.asset_id]
    first = produce(stage, *flags, "--rate", "100")
    assert first.stdout is not None
    while not first.stdout.readline().startswith("to "):
        assert first.poll() is None
    until(lambda: records(stage.bootstrap, stage.topic) >= 10, "the first events")
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=60)
    assert first.returncode == 130, err
    found = re.search(
        r"interrupted before line (\d+); acknowledged: (\d+) of 300 events; go on with --start-at (\d+)", err
    )
    assert found is not None, err
    line, acknowledged, start = map(int, found.groups())
    assert line == start == acknowledged + 1
    assert acknowledged == records(stage.bootstrap, stage.topic)
    second = produce(stage, *flags, "--start-at", str(start))
    out, err = second.communicate(timeout=60)
    assert (second.returncode, err) == (0, "")
    assert out.endswith(f"acknowledged: {COUNT - acknowledged} of {COUNT - acknowledged} events\n")
    assert records(stage.bootstrap, stage.topic) == COUNT
    again = produce(stage, *flags)  # all of it once more, as somebody would who did not read the message
    assert (again.wait(60), again.communicate()[1]) == (0, "")
    stored = exact(drained(stage, COUNT))
    assert sorted(set(stored)) == sorted(json.dumps(scoring(number)) for number in range(COUNT))
