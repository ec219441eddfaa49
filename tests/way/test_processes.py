"""`run --processes N` on real Kafka: processes that share the partitions, killed, orphaned and stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.way.events import confluent, custom
from tests.way.stage import Stage, WorkerProcess, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TopicFactory

COUNT = 50_000
TWO = {"PROCESSES": "2", "KAFKA__CONSUMER__SESSION_TIMEOUT_MS": "6000", "LIMITS__RECORDS": "3000"}


@pytest.fixture
def pair(stage: Stage) -> Iterator[WorkerProcess]:
    """Two processes under a supervisor; ended in order, or where it was killed by themselves.

    They are slow, so that what happens to them happens in the middle.
    """
    stage.sandbox.fault({"match": {"path": "scoring_payloads"}, "action": {"delay_ms": 300}})
    with stage.worker(**TWO) as supervisor:
        yield supervisor
        if supervisor.process.poll() is None:
            supervisor.stop(60)


def _fill(stage: Stage) -> None:
    """Events whose scoring ids are derived: only their places in Kafka tell them apart."""
    value = confluent(custom())
    for number in range(4):
        stage.produce((value for _ in range(COUNT // 4)), partition=number)


def _owned(supervisor: WorkerProcess) -> dict[str, float]:
    """Partitions by process, as the metrics tell."""
    return _by_process(supervisor, "partitions_assigned")


def _by_process(supervisor: WorkerProcess, name: str) -> dict[str, float]:
    port = supervisor.lines("worker.started")[0]["http_port"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    found = re.findall(rf'^payload_worker_{name}{{process="(\d+)"}} (\S+)$', text, re.MULTILINE)
    return {number: float(value) for number, value in found}


def _pids(supervisor: WorkerProcess) -> dict[int, int]:
    """The processes' ids, of the last start of each."""
    return {line["process"]: line["pid"] for line in supervisor.lines("process.started")}


def _share(supervisor: WorkerProcess) -> None:
    until(lambda: bool(supervisor.lines("worker.started")), "the start")
    until(lambda: _owned(supervisor) == {"1": 2, "2": 2}, "two partitions for each")


def _runs(pid: int) -> bool:
    """Whether it runs; one that waits to be reaped does not."""
    try:
        return not re.search(r"^State:\s+Z", Path(f"/proc/{pid}/status").read_text("utf-8"), re.MULTILINE)
    except OSError:
        return False


def _all_there(stage: Stage) -> bool:
    return bool(stage.sandbox.stats()["distinct"] >= COUNT) and stage.committed() == COUNT


@pytest.mark.kafka
def test_two_processes_share_the_partitions_and_are_shown_and_stopped_as_one(stage: Stage, pair: WorkerProcess) -> None:
    _share(pair)
    _fill(stage)
    until(lambda: _all_there(stage), "all records", 90)
    until(lambda: sum(_by_process(pair, "records_delivered_total").values()) == COUNT, "all of them counted")
    assert _by_process(pair, "records_delivered_total") == {"1": COUNT / 2, "2": COUNT / 2}
    assert _by_process(pair, "process_up") == {"1": 1, "2": 1}
    assert pair.health("/readyz") == (200, {"ready": True, "reason": None})
    assert pair.health("/livez")[0] == pair.health("/startupz")[0] == 200
    code, log = pair.stop(60)
    assert code == 0, log
    assert {line["process"] for line in pair.lines("drain.ended")} == {1, 2}
    assert [line["left"] for line in pair.lines("drain.ended")] == [0, 0]
    received = stage.sandbox.received(stage.seeded["custom"].subscription_id)
    assert {times for times, _ in received.values()} == {1}


@pytest.mark.kafka
def test_a_process_that_is_killed_is_started_again_and_nothing_is_missing(stage: Stage, pair: WorkerProcess) -> None:
    _share(pair)
    _fill(stage)
    until(lambda: stage.committed() > COUNT // 10, "a tenth committed")
    before = _pids(pair)
    os.kill(before[2], signal.SIGKILL)
    until(lambda: _pids(pair)[2] != before[2], "another start")
    (ended,) = pair.lines("process.ended")
    assert (ended["process"], ended["code"]) == (2, -signal.SIGKILL)
    until(lambda: _all_there(stage), "all records", 90)
    _share(pair)
    assert _pids(pair)[1] == before[1]
    assert _by_process(pair, "process_restarts_total") == {"1": 0, "2": 1}
    until(lambda: pair.health("/readyz")[0] == 200, "ready again")
    code, log = pair.stop(60)
    assert code == 0, log


@pytest.mark.kafka
def test_processes_whose_supervisor_is_killed_end_and_nothing_is_missing(stage: Stage, pair: WorkerProcess) -> None:
    _share(pair)
    _fill(stage)
    until(lambda: stage.committed() > COUNT // 10, "a tenth committed")
    pair.signal(signal.SIGKILL)
    pair.process.wait(10)
    until(lambda: not any(_runs(pid) for pid in _pids(pair).values()), "the end of the processes")
    assert {line["process"] for line in pair.lines("supervisor.lost")} == {1, 2}
    assert stage.committed() < COUNT
    stage.sandbox.heal()
    with stage.worker(**TWO) as again:
        until(lambda: _all_there(stage), "all records", 90)
        code, log = again.stop(60)
    assert code == 0, log


@pytest.mark.kafka
def test_sigterm_to_all_of_them_at_once_is_one_wish(stage: Stage, pair: WorkerProcess) -> None:
    """As systemd does it: what is open is settled nevertheless."""
    _share(pair)
    _fill(stage)
    until(lambda: stage.committed() > COUNT // 10, "a tenth committed")
    for pid in _pids(pair).values():
        os.kill(pid, signal.SIGTERM)
    code, log = pair.stop(60)
    assert code == 0, log
    assert stage.committed() == stage.sandbox.stats()["received"] < COUNT


@pytest.mark.kafka
def test_a_second_signal_stops_all_at_once_and_says_so_by_its_exit_code(stage: Stage, pair: WorkerProcess) -> None:
    stage.sandbox.heal()
    stage.sandbox.fault({"match": {"path": "scoring_payloads"}, "action": {"hang_ms": 60_000}})
    _share(pair)
    stage.produce([confluent(custom())])
    until(lambda: stage.sandbox.stats()["faults"] != {}, "a post that hangs")
    pair.signal(signal.SIGTERM)
    until(lambda: len(pair.lines("drain.began")) == 2, "the drain")
    code, log = pair.stop(20)  # less than the drain budget
    assert code == 128 + signal.SIGTERM, log
    assert stage.committed() == 0


@pytest.mark.kafka
def test_static_members_have_names_of_their_own(stage: Stage) -> None:
    with stage.worker(**TWO, KAFKA__CONSUMER__GROUP_INSTANCE_ID="pod-0") as supervisor:
        _share(supervisor)
        assert supervisor.lines("process.ended") == []
        code, log = supervisor.stop(60)
    assert code == 0, log


@pytest.mark.kafka
@pytest.mark.parametrize("wrong", ["KAFKA__CONSUMER__BOGUS_NAME", "SCHEMAS__DIRECTORY", "BATCH__RECORDS", "HTTP__PORT"])
def test_a_wrong_setting_is_told_once_and_ends_all_with_78(stage: Stage, wrong: str) -> None:
    settings = TWO | {wrong: stage.sandbox.url.rpartition(":")[2] if wrong == "HTTP__PORT" else "0"}
    command = [sys.executable, "-m", "worker", "run"]
    done = subprocess.run(
        command, check=False, env=stage.environment(**settings), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 78, done.stderr
    (message,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    name = wrong.lower().replace("__", ".") if wrong in {"BATCH__RECORDS", "HTTP__PORT"} else ""
    assert message.startswith(f"payload-worker: {name}")


@pytest.mark.kafka
def test_a_topic_that_is_not_there_yet_is_waited_for(stage: Stage, make_topic: TopicFactory) -> None:
    """One process asks, the other is not started before there is an answer."""
    missing = make_topic() + "-missing"
    with stage.worker(**TWO, KAFKA__TOPICS=f'["{missing}"]') as supervisor:
        until(lambda: len(supervisor.lines("process.ended")) > 1, "two tries")
        assert {(line["process"], line["code"]) for line in supervisor.lines("process.ended")} == {(1, 69)}
        until(lambda: "restarting-69" in str(supervisor.health("/readyz")[1]["reason"]), "the reason")
        assert supervisor.health("/livez")[0] == 200
        code, _ = supervisor.stop(30)
        assert {line["process"] for line in supervisor.lines("process.started")} == {1}
    assert code in {0, 69}  # it is stopped in a try, or between two
