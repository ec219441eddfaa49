"""What the demo tells: a few lines, bars while it runs, the books at the end; eighty columns are enough."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from worker.model import Disposition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.demo.accounting import Account, Line

WIDTH = 80
_LINE_EVERY = 2.0
_MOST_GAPS = 20


@dataclass(frozen=True, slots=True)
class Count:
    """How far it is: events that the broker has, and what has become of them."""

    produced: int = 0
    stored: int = 0
    lettered: int = 0

    @property
    def settled(self) -> int:
        """Events that have met their fate."""
        return self.stored + self.lettered


class Screen:
    """A terminal, or whatever standard output is: then plain lines, and no bars."""

    def __init__(self, goal: Count) -> None:
        found = Console()
        self._console = Console(width=min(WIDTH, found.width), highlight=False)
        self._goal = goal
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began = time.monotonic()
        self._told = self._began

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def say(self, text: str = "", style: str = "") -> None:
        """A line or several, as long as they are; no markup is read in them."""
        self._console.print(Text(text, style), soft_wrap=True)

    def pairs(self, pairs: Mapping[str, str]) -> None:
        """Names and what stands behind them."""
        width = max(map(len, pairs))
        for name, text in pairs.items():
            self._console.print(Text.assemble("  ", (f"{name:<{width}}", "cyan"), "  ", text))

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Bars within the context, where there is a terminal to draw them on."""
        if not self._console.is_terminal:
            yield
            return
        columns = (TextColumn("  {task.description:<13}"), BarColumn(None), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as bars:
            self._tasks = {name: bars.add_task(name, total=total) for name, total in _named(self._goal).items()}
            self._bars = bars
            yield

    def show(self, count: Count) -> None:
        """How far it is."""
        if self._bars is not None:
            for name, number in _named(count).items():
                self._bars.update(self._tasks[name], completed=number)
        elif time.monotonic() - self._told >= _LINE_EVERY:
            self._told = time.monotonic()
            parts = ", ".join(f"{name} {number:,}" for name, number in _named(count).items())
            self.say(f"  {self.seconds:4.0f} s  {parts} of {self._goal.produced:,}")

    def books(self, account: Account, retried: Mapping[str, int], repeated: Mapping[str, int]) -> None:
        """The table of all engines; reasons that nothing was refused for are left out."""
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
        table.add_column("events", no_wrap=True)
        for line in account.lines:
            table.add_column(line.engine, justify="right", no_wrap=True)
        table.add_column("all", justify="right", style="bold")
        retries = {"retried": retried, "repeated": repeated}
        for name, numbers in _rows(account.lines, retries):
            table.add_row(name, *(f"{number:,}" for number in [*numbers, sum(numbers)]))
        self._console.print(table)
        self.say("  retried: posts that met a 429, a 500 or a reset, and were sent again", "dim")
        self.say("  repeated: records that reached the data mart again, and are kept once", "dim")
        self.say()

    def balance(self, account: Account) -> None:
        """The one sentence that matters."""
        sent = sum(line.sent for line in account.lines)
        kept = sum(line.stored for line in account.lines)
        self.say(
            f"All {sent:,} events are accounted for: {kept:,} are stored with the values that were\n"
            f"scored, {sent - kept:,} are dead-lettered for the reason they deserve; none is in both\n"
            "places, none in neither, and every offset is committed.",
            "bold green",
        )
        self.say(f"It took {self.seconds:.0f} s.")

    def faults(self, account: Account, problems: Sequence[str]) -> None:
        """What is not accounted for, event by event, and what else went wrong."""
        for gap in account.gaps[:_MOST_GAPS]:
            self.say(f"  {gap}", "red")
        if len(account.gaps) > _MOST_GAPS:
            self.say(f"  … and {len(account.gaps) - _MOST_GAPS:,} more", "red")
        for problem in problems:
            self.say(f"  {problem}", "red")
        self.say(f"Not accounted for: {len(account.gaps):,}. Other problems: {len(problems)}.", "bold red")

    def next_steps(self) -> None:
        """What to type now."""
        command = "payload-worker" if shutil.which("payload-worker") else ".venv/bin/payload-worker"
        self.say("\nNext, type or read:")
        self.pairs(
            {
                f"{command} sandbox --seed": "a data mart to post to, on port 8800",
                f"{command} preview --help": "what your payload will become",
                "make test": "the tests, on real Apache Kafka",
                "README.md": "how to run it on your own events",
            }
        )


def _named(count: Count) -> dict[str, int]:
    return {"produced": count.produced, "stored": count.stored, "dead-lettered": count.lettered}


def _rows(lines: Sequence[Line], retries: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, list[int]]]:
    yield "produced", [line.sent for line in lines]
    yield "stored", [line.stored for line in lines]
    yield "dead-lettered", [sum(line.lettered.values()) for line in lines]
    for reason in Disposition:
        if any(reason in line.lettered for line in lines):
            yield f"  {reason}", [line.lettered.get(reason, 0) for line in lines]
    for name, counts in retries.items():
        yield name, [counts.get(line.engine, 0) for line in lines]
