"""The workers of the demo: processes of `payload-worker run`, in one group, as an operator would start them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from worker.config import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG_LINES = 15
_KILL_SECONDS = 5
_DIRECT = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


class Workers:
    """Workers with the same settings, each with its log in a file; none is left when the context ends."""

    def __init__(self, settings: Mapping[str, str], count: int) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        self._environment = kept | _DIRECT | {f"{PREFIX}{name}": value for name, value in settings.items()}
        self._count = count
        self._directory = tempfile.TemporaryDirectory(prefix="payload-worker-demo-")
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for number in range(self._count):
            with self._log(number).open("wb") as log:
                self._processes.append(self._start(log.fileno()))
        return self

    def __exit__(self, *_: object) -> None:
        self._end(_KILL_SECONDS)
        for process in self._processes:
            process.kill()
            process.wait()
        self._directory.cleanup()

    @property
    def pids(self) -> list[int]:
        """Their process ids."""
        return [process.pid for process in self._processes]

    def running(self) -> bool:
        """Whether none has ended by itself."""
        return all(process.poll() is None for process in self._processes)

    def stop(self, seconds: float) -> list[str]:
        """End them by SIGTERM, which lets them settle what they hold; a line for each that did not end well."""
        self._end(seconds)
        ended = [(process.pid, process.poll()) for process in self._processes]
        return [f"worker {pid} {_how(code)}" for pid, code in ended if code != 0]

    def logs(self) -> str:
        """The end of each log."""
        return "\n".join(f"worker {pid}:\n{self._tail(number)}" for number, pid in enumerate(self.pids))

    def _start(self, log: int) -> subprocess.Popen[bytes]:
        """A session of its own: Ctrl-C is for the demo, which then ends its workers in order."""
        command = [sys.executable, "-m", "worker", "run"]
        return subprocess.Popen(  # noqa: S603 - this very program
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _end(self, seconds: float) -> None:
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + seconds
        for process in self._processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue

    def _log(self, number: int) -> Path:
        return Path(self._directory.name) / f"worker-{number + 1}.log"

    def _tail(self, number: int) -> str:
        lines = self._log(number).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:])


def _how(code: int | None) -> str:
    return "did not end" if code is None else f"ended with {code}"
