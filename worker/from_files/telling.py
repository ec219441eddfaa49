"""What the command says: faults by their places, what it is about to do, and how it went, with its exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NoReturn

import typer

if TYPE_CHECKING:
    from worker.from_files.drafts import Fault, Source
    from worker.from_files.job import Checked, Job, Signals

DECLINED, USAGE, DATA, UNAVAILABLE, CONFIG = 1, 2, 65, 69, 78
SHOWN: Final = 20
"""Faults that are named, unless all are asked for."""


class Faults:
    """Names faults on standard error as they are found: all of them, or the first `SHOWN`."""

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything
        self._count = 0

    def name(self, fault: Fault) -> None:
        """One more."""
        self._count += 1
        if self._everything or self._count <= SHOWN:
            typer.echo(printable(str(fault)), err=True)

    def end(self) -> None:
        """How many were not named."""
        if not self._everything and self._count > SHOWN:
            typer.echo(f"and {self._count - SHOWN} more, which --all-faults names", err=True)


def counted(source: Source, checked: Checked) -> str:
    """What a check has found, in a line."""
    kinds = ", ".join(f"{code} {count}" for code, count in sorted(checked.faults.items()))
    faulty = f"; faulty: {checked.faults.total()} ({kinds})" if checked.faults else ""
    return f"{source.name}: {checked.events} events of {checked.bytes} bytes fit to be sent{faulty}"


def refused(source: Source, checked: Checked) -> NoReturn:
    """Nothing is sent, for some are faulty."""
    fail(
        DATA,
        f"{source.name}: {checked.faults.total()} of {checked.faults.total() + checked.events} {source.events} are "
        "faulty, and nothing was sent: correct them, or send the others by --skip-faulty",
    )


def agreed(question: str, *, yes: bool) -> None:
    """Ask at a terminal; elsewhere it has to be said before."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(USAGE, "nobody is at a terminal to be asked: say --yes to send")
    if not typer.confirm(printable(question), err=True):
        fail(DECLINED, "nothing was sent")


def outcome(job: Job, source: Source, checked: Checked, signals: Signals) -> None:
    """How it went; ends the program unless all was acknowledged."""
    for fault in job.late if len(job.late) > checked.faults.total() else ():
        typer.echo(printable(str(fault)), err=True)
    told = f"acknowledged: {job.acknowledged} of {checked.events} events"
    go_on = f"go on with --start-at {job.next}: what is sent again has the scoring id that it had"
    if job.reasons:
        why = "; ".join(f"{reason}: {count}" for reason, count in job.reasons.items())
        fail(
            128 + signals.come[-1] if signals.come else UNAVAILABLE,
            f"{told}; not delivered: {why}, from {source.unit} {job.next} on; {go_on}",
        )
    if job.broken is not None:
        fail(DATA, f"{job.broken}; {told}; {go_on}")
    if job.acknowledged < checked.events and signals.come:
        fail(128 + signals.come[-1], f"interrupted before {source.unit} {job.next}; {told}; {go_on}")
    typer.echo(told)
    if source.changed() or job.acknowledged < checked.events:
        fail(DATA, f"{source.name}: it was changed while it was sent: check what is stored")


def stopped(signals: Signals) -> None:
    """End the program if a signal has come before anything was sent."""
    if signals.come:
        fail(128 + signals.come[-1], "interrupted while checking: nothing was sent")


def printable(text: str) -> str:
    """Without what could move a terminal's cursor: names of columns and files are the input's."""
    return "".join(each if each.isprintable() or each == " " else "\N{REPLACEMENT CHARACTER}" for each in text)


def fail(code: int, message: object) -> NoReturn:
    """End the program with a message."""
    typer.echo("\n".join(printable(line) for line in f"payload-worker: {message}".split("\n")), err=True)
    raise typer.Exit(code)
