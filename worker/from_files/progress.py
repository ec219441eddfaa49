"""What is seen of the work while it goes on: a bar with rate and time left, on a terminal; elsewhere nothing."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Advanced = Callable[[int, int], None]
    """Told how much of the whole is done, and how many events that is."""


@contextmanager
def shown(what: str, whole: int) -> Iterator[Advanced]:
    """A bar on standard error; `whole` is what it fills up to."""
    if not sys.stderr.isatty():
        yield lambda _done, _events: None
        return
    from rich.console import Console  # noqa: PLC0415 - only where there is somebody to look
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[events]:,} events  {task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=whole, events=0, rate="")

        def advanced(done: int, events: int) -> None:
            elapsed = progress.tasks[task].elapsed or 0
            rate = f"{events / elapsed:,.0f}/s" if elapsed else ""
            progress.update(task, completed=done, events=events, rate=rate)

        yield advanced
