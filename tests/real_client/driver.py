"""Processes that drive IBM's client: a few, kept for the session, since each takes seconds to load the client."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Self

DRIVE: Final = Path(__file__).with_name("drive.py")
# the client polls every 5 or 10 s after each delete, and gives up after 180
PLAN_SECONDS: Final = 240

Steps = dict[str, dict[str, Any]]


class Driver:
    """One process, one plan at a time."""

    def __init__(self, python: Path) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [str(python), "-W", "ignore", str(DRIVE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def carry_out(self, plan: dict[str, Any]) -> Steps:
        """The steps of the plan by name; of a name that occurs twice the later one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        hung = threading.Timer(PLAN_SECONDS, self._process.kill)
        hung.start()
        try:
            self._process.stdin.write(json.dumps(plan) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        finally:
            hung.cancel()
        assert answer, f"{DRIVE.name} ended: {self._last_words()}"
        return {step["step"]: step for step in json.loads(answer)}

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        return self._errors.read()[-4000:]


class Drivers:
    """Some processes, of which each plan takes one that is free; each is started when it is first needed."""

    def __init__(self, python: Path, number: int) -> None:
        self._python = python
        self._all = ExitStack()
        self._free: SimpleQueue[Driver | None] = SimpleQueue()
        for _ in range(number):
            self._free.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._all.close()

    def __call__(self, plan: dict[str, Any]) -> Steps:
        """Carry out a plan; waits for a process where all are taken."""
        driver = self._free.get() or self._all.enter_context(Driver(self._python))
        try:
            steps = driver.carry_out(plan)
        except BaseException:
            # its process has ended; whoever waits for one is to have another
            self._free.put(None)
            raise
        self._free.put(driver)
        return steps
