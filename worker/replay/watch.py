"""Ends a bounded run: when all is read and settled, or when the flood guard has stopped it; and shows how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.flow.flow import Flow
    from worker.replay.source import SpanSource

SHOWN = 0.2
"""Seconds between two looks at the progress."""

TOLD = 60.0
"""Seconds between two lines that say how far it is, for those who read logs."""


class Shown(Protocol):
    """Who is told how far it is."""

    def move(self, done: int, blocked: str | None) -> None:
        """So many offsets are settled by this run; `blocked`: why nothing is delivered now."""

    def tell(self) -> None:
        """A minute has passed."""


class Watch:
    """Asked once a turn of the loop. A stop of the flood guard ends this run, and is told to nobody else."""

    def __init__(self, flow: Flow, clock: Callable[[], float]) -> None:
        self._flow = flow
        self._clock = clock
        self.shown: Shown | None = None
        self._source: SpanSource | None = None
        self._stop: Callable[[], None] = lambda: None
        self._moved = self._told = clock()

    def attend(self, source: SpanSource, stop: Callable[[], None]) -> None:
        """Watch this source; `stop` asks the loop to end."""
        self._source, self._stop = source, stop

    @property
    def ended(self) -> bool:
        """Whether all was read and is settled."""
        return self._source is not None and self._source.ended and self._flow.idle

    def step(self) -> None:
        """Ask the loop to end if it is time, once: twice would mean at once."""
        source = self._source
        if source is None:
            return
        if not source.stopping and (self._flow.stopped is not None or self.ended):
            self._stop()
        if self.shown is not None:
            self._show(self.shown, source, self._clock())

    def _show(self, shown: Shown, source: SpanSource, now: float) -> None:
        if now - self._moved >= SHOWN:
            self._moved = now
            shown.move(source.read_offsets - self._flow.open_records, self._flow.blocked(now))
        if now - self._told >= TOLD:
            self._told = now
            shown.tell()

    def close(self) -> None:
        """The loop has ended."""
        if self._source is not None and self.shown is not None:
            self.shown.move(self._source.read_offsets - self._flow.open_records, None)
