"""`payload-worker demo` as people start it: a process of its own, no Java, no terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from worker.demo.mistakes import MISTAKES
from worker.demo.producer import plan
from worker.demo.protocols import PROTOCOLS
from worker.demo.troubles import KINDS, rules
from worker.sandbox.faults import Faults, Seen

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 300
COMMAND = [sys.executable, "-m", "worker", "demo", "--events", str(EVENTS)]


def environment(temporary: Path) -> dict[str, str]:
    """No program on the PATH, Java least of all; whatever is left in the temporary directory will be seen."""
    return os.environ | {"PATH": str(temporary), "TMPDIR": str(temporary), "COLUMNS": "80"}


def row(output: str, name: str) -> list[int]:
    """The numbers of a row of the table: one an engine, then the sum."""
    found = re.search(rf"^ +{name} +([\d, ]+)$", output, re.MULTILINE)
    assert found is not None, f"no row {name} in:\n{output}"
    return [int(number.replace(",", "")) for number in found[1].split()]


def workers(output: str) -> list[int]:
    """The process ids that it told."""
    return [int(pid) for pid in re.findall(r"processes (\d+) and (\d+)", output)[0]]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_demo_accounts_for_every_event_without_java_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(COMMAND, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    bad = sum(planned.mistake is not None for planned in plan(EVENTS))
    assert row(done.stdout, "produced") == [EVENTS // 4] * 4 + [EVENTS]
    assert row(done.stdout, "stored")[-1] == EVENTS - bad
    assert row(done.stdout, "dead-lettered")[-1] == bad
    assert min(row(done.stdout, "retried")) > 0
    for mistake in MISTAKES:
        assert row(done.stdout, mistake.reason.disposition)[-1] > 0
    assert f"All {EVENTS} events are accounted for" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert not any(map(alive, workers(done.stdout)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_and_all_that_it_started(number: signal.Signals, tmp_path: Path) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored in this session, and so it is in what it starts")
    with subprocess.Popen(
        COMMAND, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        assert demo.stdout is not None
        output = ""
        while "processes" not in output:
            output += demo.stdout.readline()
            assert demo.poll() is None, output
        demo.send_signal(number)
        output += demo.communicate(timeout=30)[0]
    assert demo.returncode == 128 + number
    assert "Traceback" not in output
    assert "Interrupted" in output
    assert not any(map(alive, workers(output)))
    assert list(tmp_path.iterdir()) == []


def test_the_smallest_demo_makes_every_mistake_and_every_fault() -> None:
    assert {planned.mistake for planned in plan(200)} == {None, *MISTAKES}
    firsts = [rules("-", start)[0]["action"] for start in range(len(PROTOCOLS))]
    assert firsts == list(KINDS)


def test_the_usual_demo_makes_every_mistake_with_every_engine() -> None:
    made = {(planned.engine, planned.mistake) for planned in plan(3000)}
    assert made == {(engine, mistake) for engine in PROTOCOLS for mistake in (None, *MISTAKES)}


def test_most_events_bring_no_scoring_id_of_their_own() -> None:
    own = [planned.scoring_id for planned in plan(3000) if planned.scoring_id is not None]
    assert len(own) == len(set(own)) == 600


def test_an_engines_faults_leave_posts_between_them() -> None:
    """Of its posts every fourth goes wrong; more in a row would be an outage, not a share."""
    faults = Faults()
    faults.add(rules("a-subscription", 0))
    post = Seen("POST", "/v1/data_marts/1/scoring_payloads", "", b'[{"subscription_id":"a-subscription"}]')
    taken = [number for number in range(40) if faults.pick(post) is not None]
    assert taken == [2, 6, 10, 14, 18, 22, 26, 30]
