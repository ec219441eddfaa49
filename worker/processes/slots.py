"""The place of one process among N, through all its restarts: when it is started again, and what its end means.

Pure: it is told what happens, and when, in seconds of the supervisor's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.telemetry import STALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from worker.telemetry import Reading

USAGE, UNAVAILABLE, UNSETTLED, CONFIG = 2, 69, 75, 78
"""The exit codes of a process that mean something; any other one, or a signal, is a crash."""

FATAL = frozenset({USAGE, CONFIG})
"""What another start would not mend: all processes end."""

PROVEN = 60.0
"""Seconds after which a process has run well, so that its end counts as a first failure again."""

BEGINNING = 2 * STALLED
"""Seconds that a process may take to its first reading: it asks Kafka some questions before, each with its timeout."""

_WORSE = (0, UNSETTLED, UNAVAILABLE, USAGE, CONFIG)
"""Exit codes, from the best to the worst."""


@dataclass(slots=True)
class Slot:
    """One of the processes, from 1; what is not `up` is to be started at `due`.

    `begun`: the process that is up has shown a reading, so Kafka and the settings were fit for it. `started`: one of
    its processes had its directory. `silent`: seconds that were seen to pass without a turn of its loop. `failures`:
    ends in a row; `code`: how the last one ended (a signal as a negative number, as `subprocess` has it).
    """

    number: int
    up: bool = False
    begun: bool = False
    started: bool = False
    reading: Reading | None = None
    since: float = 0.0
    due: float = 0.0
    silent: float = 0.0
    restarts: int = 0
    failures: int = 0
    code: int | None = None

    def launched(self, now: float) -> None:
        """A process was started."""
        self.restarts += self.code is not None
        self.up, self.begun, self.since, self.silent = True, False, now, 0.0

    def shown(self, reading: Reading) -> None:
        """It has shown a reading; it is silent for as long as its loop does not turn."""
        if not self.begun or self.reading is None or reading.turned != self.reading.turned:
            self.silent = 0.0
        self.begun, self.reading = True, reading
        self.started = self.started or reading.started

    def ended(self, code: int, now: float, wait: Callable[[int], float]) -> None:
        """It has ended: the next one is due after `wait` of the number of ends in a row."""
        self.failures = 1 if now - self.since >= PROVEN else self.failures + 1
        self.up, self.code, self.due = False, code, now + wait(self.failures)

    @property
    def hung(self) -> bool:
        """Whether its loop has not turned for so long that it has to be ended by force."""
        return self.up and self.silent >= (STALLED if self.begun else BEGINNING)

    @property
    def trouble(self) -> str | None:
        """Why it delivers nothing, in a word; None where it does."""
        if not self.up and self.code is not None:
            return f"restarting-{_how(self.code)}"
        if not self.begun or self.reading is None:
            return "starting"
        return self.reading.ready


def startable(slots: Collection[Slot], now: float) -> list[Slot]:
    """Those whose process is to be started now.

    The first goes ahead: until a process has found that Kafka and the settings are fit, no other one is started, so
    that a fault in them is told once.
    """
    proven = any(slot.reading is not None for slot in slots)
    return [slot for slot in slots if not slot.up and slot.due <= now and (proven or slot.number == 1)]


def exit_code(slots: Collection[Slot]) -> int:
    """The worst of the processes' ends; a crash counts as 75: what was open is read again."""
    ends = [slot.code or 0 for slot in slots]
    return max((code if code in _WORSE else UNSETTLED for code in ends), key=_WORSE.index)


def _how(code: int) -> str:
    return str(code) if code >= 0 else f"signal-{-code}"
