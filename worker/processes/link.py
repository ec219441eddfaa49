"""A process's side of the socket to its supervisor: stops as it is told, and shows its readings.

However often it is asked to stop, by the supervisor, by signals (systemd sends them to all processes of a service) or
because the supervisor is gone, it is one wish; only the supervisor can ask for an end at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from worker.processes.child import STOP_NOW
from worker.processes.reports import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.config import Settings
    from worker.telemetry import Reading

TICK = 0.1
"""Seconds between two looks at whether a signal has come."""

REPORT = 1.0
"""Seconds between two readings."""

PATIENCE = 1.0
"""Seconds that a supervisor may take to read what is shown; then it is dropped."""

INSTANCE = "group.instance.id"

log = structlog.get_logger()


class Attended(Protocol):
    """What is stopped and shown: a worker."""

    reading: Reading

    def stop(self) -> None:
        """End: once, after what is open is settled; twice, at once."""


class Link:
    """Listens on a thread of its own. Before `attend` there is nothing to settle: told to stop, `leave` ends it."""

    def __init__(self, connection: socket.socket, leave: Callable[[int], object] = os._exit) -> None:
        self._socket = connection
        self._socket.settimeout(PATIENCE)
        self._leave = leave
        self._worker: Attended | None = None
        self._signalled = False
        self._stops = 0
        self._sending = threading.Lock()
        threading.Thread(target=self._run, name="link", daemon=True).start()

    def heed_signals(self) -> None:
        """Let SIGTERM and SIGINT be a wish to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def attend(self, worker: Attended) -> None:
        """Stop and show this one from now on."""
        self._worker = worker
        self._show(worker.reading)

    def close(self) -> None:
        """Show the last reading."""
        if self._worker is not None:
            self._show(self._worker.reading)

    def _note(self, *_: Any) -> None:
        self._signalled = True

    def _run(self) -> None:
        shown = time.monotonic()
        while (heard := self._hear()) != b"":
            self._stop(2 if heard and STOP_NOW in heard else int(heard is not None or self._signalled))
            if time.monotonic() - shown >= REPORT and self._worker is not None:
                shown = time.monotonic()
                self._show(self._worker.reading)
        log.warning("supervisor.lost")
        self._socket.close()
        self._stop(1)

    def _hear(self) -> bytes | None:
        """What the supervisor says; None: nothing; empty: it is gone."""
        if not select.select([self._socket], [], [], TICK)[0]:
            return None
        try:
            return self._socket.recv(64)
        except OSError:
            return b""

    def _stop(self, wanted: int) -> None:
        while self._stops < wanted:
            self._stops += 1
            if self._worker is None:
                self._leave(0)
            else:
                self._worker.stop()

    def _show(self, reading: Reading) -> None:
        with contextlib.suppress(OSError), self._sending:
            self._socket.sendall(encode(reading))


def to_supervisor() -> Link:
    """The link of this process, over its standard input; raises `OSError` where that is no socket."""
    return Link(socket.socket(fileno=os.dup(0)))


def of_process(settings: Settings, number: int) -> Settings:
    """The settings of one process: a static member's name gets its number, for no two members may have the same."""
    kafka = settings.kafka
    if INSTANCE not in kafka.consumer:
        return settings
    own = {**kafka.consumer, INSTANCE: f"{kafka.consumer[INSTANCE]}-{number}"}
    return settings.model_copy(update={"kafka": kafka.model_copy(update={"consumer": own})})
