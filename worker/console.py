"""What commands share: settings, questions, ends, and progress."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from worker.config import ConfigError, Settings, load

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

DATA, UNAVAILABLE, CONFIG = 65, 69, 78

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="PAYLOAD_WORKER_CONFIG", help="Settings in TOML.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def fail(code: int, message: object) -> NoReturn:
    """End the program with one line on standard error."""
    typer.echo(f"payload-worker: {message}", err=True)
    raise typer.Exit(code)


def settings_of(config: Path | None) -> Settings:
    """The settings, or the program's end with all that is wrong in them."""
    try:
        return load(config)
    except ConfigError as error:
        fail(CONFIG, error)


def assure(question: str, *, yes: bool) -> None:
    """Go on only if a person at the terminal says so, or `--yes` did; else end, with nothing written.

    Ends with 1 where the answer is no, with 2 where nobody is there to be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        fail(2, f"{question} Nobody is here to be asked: give --yes. Nothing was written.")
    if not typer.confirm(question, err=True):
        fail(1, "nothing was written")


class _Rate(TextColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return type(super().render(task))(f"{speed:,.0f}/s" if speed else "-/s")


def progress() -> Progress:
    """A bar with count, rate and time left, on standard error; silent where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(""), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
