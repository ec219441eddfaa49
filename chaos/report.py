"""The table of a run: for a terminal, as Markdown, and as JSON values, with the seed, the day and the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.outcome import Row

COLUMNS = ("scenario", "events", "missing", "duplicates", "dead-lettered", "seconds", "verdict")
NUMBERS = 6
"""Columns of figures end here; the first is a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that was played."""

    rows: Sequence[Row]
    seed: int
    full: bool
    broker: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether all did, and there were any."""
        return bool(self.rows) and all(row.outcome.passed for row in self.rows)


def table(run: Run) -> Table:
    """For a terminal of 80 columns."""
    made = Table(caption=headline(run), caption_justify="left", box=None, padding=(0, 1, 0, 0))
    for number, name in enumerate(COLUMNS):
        made.add_column(name, justify="right" if 0 < number < NUMBERS else "left", no_wrap=True)
    for row in run.rows:
        made.add_row(*_cells(row), style=None if row.outcome.passed else "red")
    return made


def details(run: Run) -> str:
    """A line for each scenario with its notes, and one for each fault."""
    return "\n".join(f"{row.name}: {line}" for row in run.rows for line in [_notes(row), *row.outcome.faults] if line)


def markdown(run: Run) -> str:
    """The table with what each scenario claims."""
    lines = [headline(run), "", _line([*COLUMNS, "notes"]), _line(["---", *["---:"] * (NUMBERS - 1), "---", "---"])]
    lines += [_line([*_cells(row), "; ".join([*row.outcome.faults, _notes(row)])]) for row in run.rows]
    claims = {row.scenario: row.claim for row in run.rows}
    return "\n".join([*lines, "", *(f"- **{name}**: {claim}." for name, claim in claims.items())]) + "\n"


def document(run: Run) -> dict[str, Any]:
    """Everything as JSON values."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": {"cpus": os.cpu_count(), "architecture": platform.machine(), "python": platform.python_version()},
        "broker": run.broker,
        "seed": run.seed,
        "form": _form(run),
        "seconds": round(run.seconds, 1),
        "passed": run.passed,
        "rows": [_row(row) for row in run.rows],
    }


def headline(run: Run) -> str:
    """What was run, when and on what."""
    day = datetime.now(UTC).date().isoformat()
    return f"{_form(run)} form, seed {run.seed}, {day}, commit {commit()}, {run.broker}, {run.seconds:.0f} s in all"


def commit() -> str | None:
    """The commit that was played, with `-dirty` where the files differ from it; None outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


def _form(run: Run) -> str:
    return "full" if run.full else "short"


def _cells(row: Row) -> list[str]:
    found = row.outcome.judgement
    figures = (
        [found.events, len(found.missing), found.duplicates, found.dead_lettered] if found is not None else ["-"] * 4
    )
    verdict = ("passed" if found is not None else "not played") if row.outcome.passed else "FAILED"
    return [row.name, *(f"{figure}" for figure in figures), f"{row.seconds:.0f}", verdict]


def _notes(row: Row) -> str:
    return "; ".join(f"{name}: {value}" for name, value in row.outcome.notes.items())


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _row(row: Row) -> dict[str, Any]:
    found = row.outcome.judgement
    figures = (
        {}
        if found is None
        else {
            "events": found.events,
            "missing": len(found.missing),
            "duplicates": found.duplicates,
            "dead_lettered": found.dead_lettered,
        }
    )
    return {
        "scenario": row.scenario,
        "variant": row.outcome.variant,
        "claim": row.claim,
        **figures,
        "seconds": round(row.seconds, 1),
        "passed": row.outcome.passed,
        "faults": list(row.outcome.faults),
        "notes": dict(row.outcome.notes),
    }
