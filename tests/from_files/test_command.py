"""`payload-worker produce` as people and scripts see it: what is said, what is sent, and the exit code."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.from_files.counting import records
from tests.from_files.test_sources import LINE
from tests.test_cli import CONFIG, DATA, NOWHERE, OK, UNAVAILABLE, USAGE, command
from worker.from_files.drafts import Making
from worker.from_files.files import opened
from worker.from_files.job import Job, Signals
from worker.from_files.json_lines import JsonLines
from worker.producer import PayloadProducer
from worker.producer.encoding import offline

if TYPE_CHECKING:
    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker


WAY_OUT = "correct them, or send the others by --skip-faulty"


@pytest.fixture
def place(broker: Broker, make_topic: TopicFactory) -> dict[str, str]:
    """Settings with a topic of its own; there are no credentials of a data mart."""
    return {"KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "KAFKA__TOPICS": f'["{make_topic()}"]'}


def written(tmp_path: Path, *lines: Any) -> str:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{json.dumps(line) if isinstance(line, dict) else line}\n" for line in lines))
    return str(path)


def sent(place: dict[str, str]) -> int:
    (topic,) = json.loads(place["KAFKA__TOPICS"])
    return records(place["KAFKA__BOOTSTRAP_SERVERS"], topic)


def test_all_are_sent_and_it_is_said_without_a_bar_where_nobody_looks(place: dict[str, str], tmp_path: Path) -> None:
    done = command("produce", "--from", written(tmp_path, LINE, LINE), "--yes", **place)
    assert (done.code, done.err) == (OK, "")
    assert re.search(r"events\.jsonl: 2 events of \d+ bytes fit to be sent\n", done.out)
    assert done.out.splitlines()[-1] == "acknowledged: 2 of 2 events"
    assert "\r" not in done.out
    assert "\x1b" not in done.out
    assert sent(place) == 2


def test_standard_input_is_read_to_its_end(place: dict[str, str]) -> None:
    (topic,) = json.loads(place["KAFKA__TOPICS"])
    script = "age,p\n41,yes\n23.5,no\n"
    flags = ["--from", "-", "--format", "csv", "--response-columns", "p", "--asset", "a", "--topic", topic, "--yes"]
    found = subprocess.run(
        [sys.executable, "-m", "worker", "produce", *flags],
        input=script,
        env={"PAYLOAD_WORKER_KAFKA__BOOTSTRAP_SERVERS": place["KAFKA__BOOTSTRAP_SERVERS"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (OK, "")
    assert sent(place) == 2


def test_nothing_is_sent_where_a_line_is_faulty_unless_it_is_said(place: dict[str, str], tmp_path: Path) -> None:
    path = written(tmp_path, LINE, "s3cret", LINE)
    done = command("produce", "--from", path, "--yes", **place)
    assert done.code == DATA
    assert done.err.splitlines() == [
        f"{path}:2: not-json: the line is not JSON at byte 0",
        f"payload-worker: {path}: 1 of 3 lines are faulty, and nothing was sent: {WAY_OUT}",
    ]
    assert sent(place) == 0
    done = command("produce", "--from", path, "--yes", "--skip-faulty", **place)
    assert (done.code, done.err) == (DATA, f"{path}:2: not-json: the line is not JSON at byte 0\n")
    assert done.out.splitlines()[-1] == "acknowledged: 2 of 2 events"
    assert sent(place) == 2


def test_a_dry_run_checks_all_asks_for_no_broker_and_names_the_first_faults(tmp_path: Path) -> None:
    path = written(tmp_path, LINE, *["x"] * 25)
    done = command("produce", "--from", path, "--dry-run", **NOWHERE)
    assert done.code == DATA
    assert done.out.endswith("fit to be sent; faulty: 25 (not-json 25)\n")
    assert len(done.err.splitlines()) == 21
    assert done.err.splitlines()[-1] == "and 5 more, which --all-faults names"
    assert len(command("produce", "--from", path, "--dry-run", "--all-faults", **NOWHERE).err.splitlines()) == 25
    assert command("produce", "--from", written(tmp_path, LINE), "--dry-run", **NOWHERE).code == OK


def test_where_nobody_can_be_asked_it_has_to_be_said(place: dict[str, str], tmp_path: Path) -> None:
    done = command("produce", "--from", written(tmp_path, LINE), **place)
    assert (done.code, sent(place)) == (USAGE, 0)
    assert "nobody is at a terminal to be asked: say --yes to send" in done.err


def test_a_broker_that_is_down_is_told(tmp_path: Path) -> None:
    done = command("produce", "--from", written(tmp_path, LINE), "--yes", **NOWHERE)
    assert done.code == UNAVAILABLE
    assert done.err.startswith("payload-worker: 127.0.0.1:1: no broker answers")
    assert len(done.err.splitlines()) == 1


def test_a_topic_that_is_not_there_is_told_and_not_made(place: dict[str, str], tmp_path: Path) -> None:
    done = command("produce", "--from", written(tmp_path, LINE), "--yes", "--topic", "no-such-topic", **place)
    assert done.code == UNAVAILABLE
    assert "no such topic: no-such-topic; create it, the worker never does" in done.err


@pytest.mark.parametrize(
    ("flags", "settings", "code", "part"),
    [
        (["--from", "nowhere.jsonl"], {}, DATA, "nowhere.jsonl: No such file or directory"),
        (["--from", "pyproject.toml"], {}, DATA, "its name does not tell what it is: say --format"),
        (["--from", "x.csv"], {"KAFKA__TOPICS": '["a","b"]'}, CONFIG, "name one of a, b by --topic"),
        (["--from", "x.csv"], {"BATCH__RECORDS": "0"}, CONFIG, "batch.records (from PAYLOAD_WORKER_BATCH__RECORDS)"),
        (["--from", "x.csv", "--rate", "0"], {}, USAGE, "--rate"),
        ([], {}, USAGE, "--from"),
        (["--from", "x.csv"], {"SCHEMAS__REGISTRY__URLS": '["http://127.0.0.1:1"]'}, UNAVAILABLE, "no answer"),
    ],
)
def test_what_is_wrong_is_named(flags: list[str], settings: dict[str, str], code: int, part: str) -> None:
    done = command("produce", *flags, **settings)
    assert (done.code, done.out) == (code, "")
    assert part in done.err
    assert "mart" not in done.err


def test_credentials_of_a_data_mart_are_not_needed_and_do_no_harm(tmp_path: Path) -> None:
    path = written(tmp_path, LINE)
    assert command("produce", "--from", path, "--dry-run", MART__API_KEY="k").code == OK
    assert command("produce", "--from", path, "--dry-run", MART__USERNAME="u", MART__PASSWORD="p").code == OK  # noqa: S106


# --- what becomes of those that a broker does not take ----------------------------------------------------------------


def job(path: str, bootstrap: str, signals: Signals | None = None, **settings: Any) -> Job:
    """The second pass over a file of four lines."""
    source = JsonLines(opened(Path(path)), "e.jsonl", 1 << 16)
    producer = PayloadProducer(bootstrap, log_level=0, **settings)
    found = Job(producer, signals or Signals())
    found.run(source, Making(source.digest(), {}, offline(), 1 << 20), 2, 3)
    return found


def test_what_is_not_acknowledged_is_where_to_go_on(tmp_path: Path) -> None:
    path = written(tmp_path, LINE, LINE, LINE, LINE)
    found = job(path, "127.0.0.1:1", delivery_timeout_ms=300)
    assert (found.acknowledged, found.next) == (0, 2)
    assert found.reasons.total() == found.handed
    assert "timed out" in next(iter(found.reasons))


def test_a_queue_that_stays_full_ends_with_the_first_failure(tmp_path: Path) -> None:
    path = written(tmp_path, LINE, LINE, LINE, LINE)
    found = job(path, "127.0.0.1:1", delivery_timeout_ms=500, queue_buffering_max_messages=1)
    assert (found.acknowledged, found.next) == (0, 2)
    assert found.handed < 3  # the failure of one makes room for one


def test_a_signal_that_has_come_lets_nothing_more_go(tmp_path: Path) -> None:
    path = written(tmp_path, LINE, LINE, LINE, LINE)
    signals = Signals()
    signals.come.append(2)
    found = job(path, "127.0.0.1:1", signals)
    assert (found.handed, found.next, found.reasons.total()) == (0, 2, 0)


def at_terminal(place: dict[str, str], path: str, answer: str) -> tuple[int, str]:
    """The command at a terminal where somebody answers; its exit code, and all that the terminal shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "produce", "--from", path],
        env={**os.environ, **{f"PAYLOAD_WORKER_{name}": value for name, value in place.items()}, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal that nobody writes to any more
        while data := os.read(ours, 4096):
            asked = b"[y/N]" in shown
            shown += data
            if b"[y/N]" in shown and not asked:
                os.write(ours, f"{answer}\n".encode())
    os.close(ours)
    return process.wait(60), shown.decode()


def test_at_a_terminal_somebody_is_asked_and_sees_a_bar(place: dict[str, str], tmp_path: Path) -> None:
    path = written(tmp_path, *[LINE] * 200)
    code, shown = at_terminal(place, path, "n")
    assert (code, sent(place)) == (1, 0)
    assert "nothing was sent" in shown
    code, shown = at_terminal(place, path, "y")
    assert (code, sent(place)) == (OK, 200)
    for part in ("checking", "sending", "events", "left", "Send 200 events to", "acknowledged: 200 of 200 events"):
        assert part in shown


def test_avro_is_not_written_where_the_worker_reads_another_format(tmp_path: Path) -> None:
    settings = {"KAFKA__TOPICS": '["e"]', "EVENTS__FORMATS": '{"e": "json"}'}
    done = command("produce", "--from", written(tmp_path, LINE), "--yes", **NOWHERE, **settings)
    assert (done.code, done.out) == (CONFIG, "")
    assert "events.formats: e is read as json" in done.err
