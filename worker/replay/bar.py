"""How far a bounded run is: a bar for people at a terminal, a line a minute for those who read logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from worker.replay.ends import ENDLESS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.progress import Progress

    from worker.replay.outcome import Outcome
    from worker.topics.spans import Span

log = structlog.get_logger()


class Bar:
    """Moves with the offsets that are settled; `outcome` is asked for what to log."""

    def __init__(self, progress: Progress, name: str, spans: Sequence[Span], outcome: Callable[[], Outcome]) -> None:
        endless = any(span.end == ENDLESS for span in spans)
        self._progress = progress
        self._name = name
        self._outcome = outcome
        self._task = progress.add_task(name, total=None if endless else sum(span.count for span in spans))

    def move(self, done: int, blocked: str | None) -> None:
        """So many offsets are settled by this run; `blocked`: why nothing is delivered now."""
        description = f"{self._name}, waits: {blocked}" if blocked else self._name
        self._progress.update(self._task, completed=done, description=description)

    def tell(self) -> None:
        """A minute has passed."""
        log.info("replay.so_far", **self._outcome().fields())
