"""Two passes over a source: one that checks and counts, one that sends and holds an account by number."""

from __future__ import annotations

import signal
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from worker.from_files.drafts import Fault, Ready, SourceError
from worker.from_files.progress import shown
from worker.producer.errors import NotSentError, QueueFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.from_files.drafts import Draft, Making, Source
    from worker.producer.sending import PayloadProducer

_SLICE: Final = 0.1
_GRACE: Final = 5.0
_EVERY: Final = 64
"""Events between two looks at the bar."""


class Signals:
    """The signals that have come, in order; the first is to end the work, the second to end it at once."""

    def __init__(self) -> None:
        self.come: list[int] = []

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """SIGINT and SIGTERM are kept here, and interrupt nothing."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, lambda come, _: self.come.append(come)) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(slots=True)
class Checked:
    """What the first pass found: events that fit, of how many bytes as records, and faults by their code."""

    events: int = 0
    bytes: int = 0
    faults: Counter[str] = field(default_factory=Counter)


def check(source: Source, making: Making, start: int, signals: Signals, named: Callable[[Fault], None]) -> Checked:
    """Look at all drafts from the number `start` on; ends early once a signal has come. Raises `SourceError`."""
    found = Checked()
    with signals.heeded(), shown("checking", source.size) as advanced:
        for draft, made in _made(source, making, start):
            if isinstance(made, Fault):
                found.faults[made.code] += 1
                named(made)
            else:
                found.events += 1
                found.bytes += len(made.value)
            if found.events % _EVERY == 0:
                advanced(draft.read, found.events)
            if signals.come:
                break
    return found


def _made(source: Source, making: Making, start: int) -> Iterator[tuple[Draft, Ready | Fault]]:
    for draft in source.drafts():
        if draft.number >= start:
            yield draft, making.of(draft)


class Job:
    """The second pass. After `run`: `acknowledged` events; `reasons` why others were not; `next` number to begin with.

    `broken`: what ended the reading. `late`: faults, those among them that the first pass did not see.

    A failure ends it, since what comes behind would fail as well; so does a signal. What was handed over is waited for
    in every case but a second signal's.
    """

    def __init__(self, producer: PayloadProducer, signals: Signals, rate: float | None = None) -> None:
        self._producer = producer
        self._signals = signals
        self._rate = rate
        self._open: dict[int, None] = {}
        self._first_failed: int | None = None
        self._began = 0.0
        self.next = 1
        self.handed = 0
        self.acknowledged = 0
        self.late: list[Fault] = []
        self.broken: SourceError | None = None
        self.reasons: Counter[str] = Counter()

    def run(self, source: Source, making: Making, start: int, events: int) -> None:
        """Send what is without fault from the number `start` on, `events` in all."""
        self._began, self.next = time.monotonic(), start
        with self._signals.heeded(), shown("sending", events) as advanced:
            try:
                self._send_all(source, making, start, advanced)
            except SourceError as error:
                self.broken = error
            self._settle(advanced)
        waiting = [*self._open, *([] if self._first_failed is None else [self._first_failed])]
        self.next = min(waiting, default=self.next)

    def _send_all(self, source: Source, making: Making, start: int, advanced: Callable[[int, int], None]) -> None:
        for _, made in _made(source, making, start):
            if isinstance(made, Fault):
                self.late.append(made)
            elif not self._paced() or not self._handed_over(made):
                self.next = made.number
                return
            self.next = made.number + 1
            if self.handed % _EVERY == 0:
                advanced(self.acknowledged, self.acknowledged)

    def _ended(self) -> bool:
        return bool(self._signals.come or self.reasons)

    def _paced(self) -> bool:
        """Wait until the rate allows for one more; False where nothing more is to be sent."""
        due = self._began + self.handed / self._rate if self._rate else 0.0
        while not self._ended() and (wait := due - time.monotonic()) > 0:
            self._producer.poll(min(wait, _SLICE))
        return not self._ended()

    def _handed_over(self, made: Ready) -> bool:
        self._open[made.number] = None
        while True:
            try:
                self._producer.hand_over(made.scoring_id, made.value, _SLICE, partial(self._told, made.number))
            except QueueFullError:
                if self._ended():
                    del self._open[made.number]
                    return False
            except NotSentError as error:
                self._told(made.number, str(error))
                return False
            else:
                self.handed += 1
                return True

    def _told(self, number: int, reason: str | None) -> None:
        self._open.pop(number, None)
        if reason is None:
            self.acknowledged += 1
            return
        self.reasons[reason] += 1
        self._first_failed = number if self._first_failed is None else min(number, self._first_failed)

    def _settle(self, advanced: Callable[[int, int], None]) -> None:
        """Wait for what is open: no longer than a delivery may take, nor beyond a second signal."""
        deadline = time.monotonic() + self._producer.delivery_seconds + _GRACE
        while self._open and len(self._signals.come) < 2 and time.monotonic() < deadline:  # noqa: PLR2004 - two of them
            self._producer.poll(_SLICE)
            advanced(self.acknowledged, self.acknowledged)
        if self._open:
            self.reasons["no report yet"] += len(self._open)
