"""One process as its supervisor holds it: started afresh, told to stop and read from over one socket.

A fresh start and no fork: the threads of Kafka's client would not live through one. The socket is its standard input;
when the supervisor is gone, however it went, the process reads the socket's end and stops by itself.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

from worker.processes.reports import decode

if TYPE_CHECKING:
    from pathlib import Path

    from worker.telemetry import Reading

STOP, STOP_NOW = b"s", b"n"
"""What a process is told: to settle what is open and end; to end at once."""

_CHUNK = 1 << 16


class Process(Protocol):
    """What a supervisor asks of a process."""

    @property
    def pid(self) -> int:
        """Its id."""

    def reading(self) -> Reading | None:
        """The last reading that has come since it was last asked for; never waits."""

    def code(self) -> int | None:
        """How it ended, None while it runs."""

    def tell(self, word: bytes) -> None:
        """Send `STOP` or `STOP_NOW`; never waits."""

    def kill(self) -> None:
        """End it by force."""

    def close(self) -> None:
        """Let go of it: it ends by itself if it runs."""


class Child:
    """A `payload-worker process`; raises `OSError` where it cannot be started."""

    def __init__(self, number: int, config: Path | None) -> None:
        command = [sys.executable, "-P", "-m", "worker", "process", str(number)]
        command += ["--config", str(config)] if config is not None else []
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(0)
        self._rest = b""
        try:
            # a session of its own: Ctrl-C is for the supervisor, which passes it on once
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                command, stdin=theirs.fileno(), env=_environment(), start_new_session=True
            )
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def reading(self) -> Reading | None:
        """The last reading that has come since it was last asked for; never waits."""
        self._receive()
        *lines, self._rest = self._rest.split(b"\n")
        return decode(lines[-1]) if lines else None

    def code(self) -> int | None:
        """How it ended, None while it runs."""
        return self._process.poll()

    def tell(self, word: bytes) -> None:
        """Send `STOP` or `STOP_NOW`; never waits."""
        with contextlib.suppress(OSError):  # it has ended already
            self._socket.send(word)

    def kill(self) -> None:
        """End it by force."""
        self._process.kill()

    def close(self) -> None:
        """Let go of it: it ends by itself if it runs."""
        self._socket.close()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):  # nothing there, or nobody
            while data := self._socket.recv(_CHUNK):
                self._rest += data


def _environment() -> dict[str, str]:
    """What is imported here is imported there, wherever this program was started from."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(each or str(os.getcwd()) for each in sys.path)}  # noqa: PTH109
