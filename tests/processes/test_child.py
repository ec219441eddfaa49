"""A real process and its end of the socket."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.way.stage import until
from worker.processes.child import Child


def test_a_process_is_this_very_program_wherever_it_is_started_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Even where other packages of the name `worker` lie about: here, and where Python is told to look."""
    for place in ("here", "there"):
        (tmp_path / place / "worker").mkdir(parents=True)
        (tmp_path / place / "worker" / "__init__.py").write_text("")
        (tmp_path / place / "worker" / "__main__.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "there"))
    child = Child(1, Path("nowhere.toml"))
    until(lambda: child.code() is not None, "its end")
    child.close()
    assert child.code() == 78
    assert "nowhere.toml: no such file" in capfd.readouterr().err


def test_a_process_that_is_let_go_ends_by_itself() -> None:
    child = Child(1, None)
    child.close()
    until(lambda: child.code() is not None, "its end")
    child.tell(b"s")


def test_nobody_else_starts_one() -> None:
    command = [sys.executable, "-m", "worker", "process", "1"]
    done = subprocess.run(
        command, check=False, env=os.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "run --processes" in done.stderr


@pytest.mark.parametrize("count", ["0", "-1", "auto"])
def test_there_is_at_least_one_process(count: str) -> None:
    command = [sys.executable, "-m", "worker", "run", "--processes", count]
    assert subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 2
