"""The supervisor: starts the processes, starts again those that end, stops all, and shows them as one.

It never reads from Kafka, and nothing it does can lose a record: a process that it ends by force, or that outlives it,
has committed only what was settled.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import structlog

from worker.processes.child import STOP, STOP_NOW
from worker.processes.merged import merged, trouble
from worker.processes.slots import FATAL, UNSETTLED, Slot, exit_code, startable

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.processes.child import Process

TICK = 0.1
"""Seconds between two looks at the processes."""

SHOW = 1.0
"""Seconds between two readings for metrics and health."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds before a process that has ended is started again: at most, the first time, and at most at all."""

MARGIN = 10.0
"""Seconds beyond the drain budget that a process has to end, before it is ended by force."""

NO_START = 71
"""Exit code of a process that the system would not start, as sysexits.h has it."""

log = structlog.get_logger()


class Supervisor:
    """Owns the processes; `run` returns the exit code once all have ended.

    `start` makes the process of a number; `wait`: seconds before the n-th start in a row; `drain`: seconds that a
    process takes to settle what is open.
    """

    def __init__(
        self,
        count: int,
        *,
        start: Callable[[int], Process],
        wait: Callable[[int], float],
        drain: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._start = start
        self._wait = wait
        self._drain = drain
        self._clock = clock
        self._pause = pause
        self._slots = [Slot(number) for number in range(1, count + 1)]
        self._processes: dict[int, Process] = {}
        self._signals: list[int] = []
        self._told = b""
        self._fatal = False
        self._deadline = float("inf")
        self._turned = self._shown = clock()
        self.reading = merged(self._slots, self._turned, "starting")

    def heed_signals(self) -> None:
        """Let SIGTERM and SIGINT stop all: the first once what is open is settled, the second at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.note)

    def note(self, number: int, _: Any = None) -> None:
        """A signal has come."""
        self._signals.append(number)

    def run(self) -> int:
        """Work until stopped; the exit code."""
        try:
            while not self._stopping or self._processes:
                self._turn()
                self._pause(TICK)
        finally:
            for process in self._processes.values():
                process.close()
        code = exit_code(self._slots)
        return 128 + self._signals[-1] if code == UNSETTLED and len(self._signals) > 1 else code

    @property
    def _stopping(self) -> bool:
        return self._fatal or bool(self._signals)

    def _turn(self) -> None:
        now = self._clock()
        # what passed while this process stood still itself is no process's silence
        passed, self._turned = min(now - self._turned, SHOW), now
        for slot in self._slots:
            if slot.up:
                self._look(slot, now, passed)
        if self._stopping:
            self._stop(now)
        else:
            self._launch(now)
        if now - self._shown >= SHOW or any(not slot.up for slot in self._slots):
            self._shown = now
            self.reading = merged(self._slots, now, "stopped" if self._stopping else trouble(self._slots))

    def _launch(self, now: float) -> None:
        for slot in startable(self._slots, now):
            slot.launched(now)
            try:
                process = self._processes[slot.number] = self._start(slot.number)
            except OSError:
                self._ended(slot, NO_START, now)
            else:
                log.info("process.started", process=slot.number, pid=process.pid)

    def _look(self, slot: Slot, now: float, passed: float) -> None:
        process = self._processes[slot.number]
        code = process.code()  # asked for first, so that the last reading is there
        reading = process.reading()
        slot.silent += passed
        if reading is not None:
            slot.shown(reading)
        if code is not None:
            process.close()
            del self._processes[slot.number]
            self._ended(slot, code, now)
        elif slot.hung and not self._stopping:
            log.warning("process.hung", process=slot.number, seconds=round(slot.silent))
            process.kill()

    def _ended(self, slot: Slot, code: int, now: float) -> None:
        if self._stopping and not slot.begun and code not in FATAL:
            code = 0  # stopped before it had read anything
        slot.ended(code, now, self._wait)
        self._fatal = self._fatal or code in FATAL
        if not self._stopping:
            log.warning("process.ended", process=slot.number, code=code, restart_in=round(slot.due - now, 1))
        elif code:
            log.warning("process.ended", process=slot.number, code=code, restart_in=None)

    def _stop(self, now: float) -> None:
        """Tell all processes once, and once more where it is to be at once; what takes too long is ended by force."""
        word = STOP_NOW if len(self._signals) > 1 else STOP
        if word != self._told:
            self._told = word
            self._deadline = now + MARGIN + (self._drain if word == STOP else 0)
            for process in self._processes.values():
                process.tell(word)
        if now >= self._deadline:
            self._deadline = now + MARGIN
            for number, process in self._processes.items():
                log.warning("process.hung", process=number, seconds=round(self._drain + MARGIN))
                process.kill()
