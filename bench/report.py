"""A result as JSON values, with the commit and the machine: what tables, plots and documents are made of.

Nothing in it names a host or a path.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import confluent_kafka
import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.figures import Verdict
    from bench.measure import Run

RESULTS: Final = Path(__file__).with_name("results")
TRIALS: Final = RESULTS / "trials"
MADE: Final = ("bench/results", "docs/performance.md", "docs/performance.svg", "docs/scaling.md")
"""What is made of measurements, from the repository's top."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What a scenario has found.

    `runs` with the number of their round; `missing` says of contenders why they were not measured; `more` is what
    only this scenario tells.
    """

    scenario: str
    broker: str
    parameters: Mapping[str, Any]
    runs: Sequence[tuple[int, Run]]
    verdicts: Sequence[Verdict]
    missing: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> Document:
        """As JSON values."""
        return {
            "scenario": self.scenario,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": _commit(),
            "machine": _machine(),
            "broker": self.broker,
            "parameters": dict(self.parameters),
            "verdicts": [verdict.document() for verdict in self.verdicts],
            "missing": dict(self.missing),
            **self.more,
            "runs": [
                {"round": number, **asdict(run), "rate": run.rate, "cpu_per_100k": run.cpu_per_100k}
                for number, run in self.runs
            ],
        }


def write(document: Document, *, keep: bool) -> Path:
    """Put a result among the trials, or where documents are made of it; the file's path."""
    path = (RESULTS if keep else TRIALS) / f"{document['scenario']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def read(directory: Path = RESULTS) -> dict[str, Document]:
    """The results that were kept, by scenario."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.json"))]
    return {document["scenario"]: document for document in found if "scenario" in document}


def _machine() -> Document:
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "librdkafka": confluent_kafka.libversion()[0],
    }


def _cpu_model() -> str:
    """What Linux calls the processor; elsewhere what Python knows of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _commit() -> str | None:
    """The commit that was measured, with `-dirty` where the files differ from it; None outside of git.

    But for what is made of measurements: the first result that is kept would make all that follow it dirty.
    """
    commit = _git("describe", "--always", "--abbrev=12", "--exclude=*")
    changed = _git(
        "status", "--porcelain", "--untracked-files=no", "--", ":/", *(f":(top,exclude){each}" for each in MADE)
    )
    return f"{commit}-dirty" if commit and changed else commit or None


def _git(*arguments: str) -> str:
    """What git says; nothing where there is no git, or no repository."""
    place = Path(__file__).parent
    try:
        done = subprocess.run(["git", *arguments], cwd=place, capture_output=True, text=True, check=False, timeout=10)  # noqa: S607 - whichever git is used here
    except OSError:
        return ""
    return done.stdout.strip()
