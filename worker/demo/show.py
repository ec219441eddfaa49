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
        """A line or several; no markup is read in it."""
        self._console.print(Text(text, style))

    def pairs(self, pairs: Mapping[str, str]) -> None:
        """Names and what stands behind them."""
        grid = Table.grid(padding=(0, 2))
        for name, text in pairs.items():
            grid.add_row(Text(f"  {name}", "cyan"), Text(text))
        self._console.print(grid)

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

    def books(self, account: Account, retried: Mapping[str, int]) -> None:
        """The table of all engines; reasons that nothing had are left out."""
        reasons = [reason for reason in Disposition if any(reason in line.lettered for line in account.lines)]
        table = Table(box=box.SIMPLE_HEAD, show_footer=True, padding=(0, 1), footer_style="bold")
        rows = [_cells(line, reasons, retried) for line in account.lines]
        heads = ["produced", "stored", *(str(reason).replace("-", " ") for reason in reasons), "retried"]
        table.add_column("engine", "all", no_wrap=True)
        for number, head in enumerate(heads):
            total = sum(cells[number] for cells in rows)
            table.add_column(head, f"{total:,}", justify="right")
        for line, cells in zip(account.lines, rows, strict=True):
            table.add_row(line.engine, *(f"{cell:,}" if cell else "·" for cell in cells))
        self._console.print(table)
        self.say("  between stored and retried: dead-lettered, by reason; retried: posts of", "dim")
        self.say("  this engine that met a 429, a 500 or a connection reset, and were sent again", "dim")

    def verdict(self, account: Account, problems: Sequence[str]) -> None:
        """The one line that matters, or what is wrong."""
        self.say()
        if account.balanced and not problems:
            self._balanced(account)
            return
        for gap in account.gaps[:_MOST_GAPS]:
            self.say(f"  {gap}", "red")
        if len(account.gaps) > _MOST_GAPS:
            self.say(f"  … and {len(account.gaps) - _MOST_GAPS:,} more", "red")
        for problem in problems:
            self.say(f"  {problem}", "red")
        self.say(f"NOT accounted for: {len(account.gaps):,} events.", "bold red")

    def next_steps(self) -> None:
        """What to type now."""
        command = "payload-worker" if shutil.which("payload-worker") else ".venv/bin/payload-worker"
        self.say("\nNext:")
        self.pairs(
            {
                f"{command} sandbox --seed": "a data mart to post to, on port 8800",
                f"{command} preview --help": "what your payload will become",
                "make test": "the tests, on real Apache Kafka",
                "README.md": "how to run it on your own events",
            }
        )

    def _balanced(self, account: Account) -> None:
        sent = sum(line.sent for line in account.lines)
        kept = sum(line.stored for line in account.lines)
        self.say(
            f"Accounted for: all {sent:,} events. {kept:,} are stored with the values that were scored,\n"
            f"{sent - kept:,} dead-lettered for the reason they deserve; none in both places or neither.",
            "bold green",
        )
        self.say(f"Every offset is committed. It took {self.seconds:.0f} s.", "green")


def _named(count: Count) -> dict[str, int]:
    return {"produced": count.produced, "stored": count.stored, "dead-lettered": count.lettered}


def _cells(line: Line, reasons: Sequence[Disposition], retried: Mapping[str, int]) -> list[int]:
    lettered = [line.lettered.get(reason, 0) for reason in reasons]
    return [line.sent, line.stored, *lettered, retried.get(line.engine, 0)]
