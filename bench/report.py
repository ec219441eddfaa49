"""What was measured, for people and as JSON: medians with their spread, and ratios within each round.

The machine is shared and its speed varies, so only a ratio of two runs of the same round says something.
"""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.measure import Run

MIB: Final = 1024 * 1024
HEADROOM: Final = 2.0
"""How many times the fastest result the sink must be able to take."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the least and the greatest value."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """What is compared in each round; `goal` is what `spread.median` should reach, if anything is asked."""

    name: str
    spread: Spread
    goal: float | None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return None if self.goal is None else self.spread.median >= self.goal


@dataclass(frozen=True, slots=True)
class Result:
    """All runs by round, and the sink's own ceiling in records a second."""

    rounds: Sequence[Sequence[Run]]
    ceiling: float
    broker: str
    events: int
    latency_ms: int
    subscriptions: int

    @property
    def fastest(self) -> float:
        """The greatest rate of any run."""
        return max(run.rate for runs in self.rounds for run in runs)

    @property
    def trustworthy(self) -> bool:
        """Whether the sink was no bottleneck."""
        return self.ceiling >= HEADROOM * self.fastest

    def each(self) -> dict[tuple[str, str], list[Run]]:
        """The runs of each contender on each kind, in the order of the first round."""
        found: dict[tuple[str, str], list[Run]] = {}
        for runs in self.rounds:
            for run in runs:
                found.setdefault((run.contender, run.kind), []).append(run)
        return found

    def ratios(self) -> list[Ratio]:
        """The worker beside the naive loop."""
        worker, naive = ("worker", "typed"), ("naive", "typed")
        return [
            self._ratio("records/s: worker typed / naive typed", worker, naive, _rate, 1.5),
            self._ratio("records/s: worker body / naive typed", ("worker", "body"), naive, _rate, 2.5),
            self._ratio("records/s: worker body / naive body", ("worker", "body"), ("naive", "body"), _rate, None),
            self._ratio("CPU: worker typed / naive typed", worker, naive, _cpu, None),
            self._ratio("CPU: worker body / naive typed", ("worker", "body"), naive, _cpu, None),
            self._ratio("CPU: worker body / naive body", ("worker", "body"), ("naive", "body"), _cpu, None),
        ]

    def _ratio(
        self, name: str, one: tuple[str, str], other: tuple[str, str], of: Callable[[Run], float], goal: float | None
    ) -> Ratio:
        runs = self.each()
        pairs = zip(runs[one], runs[other], strict=True)
        return Ratio(name, spread([of(left) / of(right) for left, right in pairs]), goal)


def spread(values: Sequence[float]) -> Spread:
    """The median of some values, and how far they lie apart."""
    return Spread(median(values), min(values), max(values))


def _rate(run: Run) -> float:
    return run.rate


def _cpu(run: Run) -> float:
    return run.cpu_per_100k


def text(result: Result) -> str:
    """The tables, for a terminal of 80 columns."""
    head = [
        f"{result.broker}; {result.events:,} events a run, rounds: {len(result.rounds)}",
        f"sink: {result.latency_ms} ms latency, subscriptions: {result.subscriptions}",
        "median (least-greatest); from the first post at the sink to the last id",
        "",
        f"{'':13}{'records/s':>24}{'CPU s / 100,000':>20}{'RSS MiB':>9}{'start CPU s':>13}",
    ]
    rows = [_row(f"{name} {kind}", runs) for (name, kind), runs in sorted(result.each().items())]
    ratios = [_line(ratio) for ratio in result.ratios()]
    return "\n".join([*head, *rows, "", *ratios, "", _ceiling(result)])


def _row(name: str, runs: Sequence[Run]) -> str:
    rate, cpu = spread([run.rate for run in runs]), spread([run.cpu_per_100k for run in runs])
    rss, start = max(run.rss for run in runs) / MIB, median(run.start_cpu for run in runs)
    rates = f"{rate.median:,.0f} ({rate.least / 1000:.1f}-{rate.most / 1000:.1f} k)"
    cpus = f"{cpu.median:.2f} ({cpu.least:.2f}-{cpu.most:.2f})"
    return f"{name:13}{rates:>24}{cpus:>20}{rss:>9.0f}{start:>13.2f}"


def _line(ratio: Ratio) -> str:
    found = ratio.spread
    goal = "" if ratio.goal is None else f"  goal {ratio.goal}: {'met' if ratio.met else 'NOT MET'}"
    return f"{ratio.name:40} {found.median:.2f} ({found.least:.2f}-{found.most:.2f}){goal}"


def _ceiling(result: Result) -> str:
    share = result.ceiling / result.fastest
    verdict = (
        "no bottleneck" if result.trustworthy else f"TOO SLOW: below {HEADROOM:.0f} times, the figures say nothing"
    )
    return f"sink alone: {result.ceiling:,.0f} records/s, {share:.1f} times the fastest run: {verdict}"


def document(result: Result) -> dict[str, Any]:
    """Everything as JSON values, with the commit and the machine."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {"cpus": os.cpu_count(), "architecture": platform.machine(), "python": platform.python_version()},
        "broker": result.broker,
        "events": result.events,
        "latency_ms": result.latency_ms,
        "subscriptions": result.subscriptions,
        "ceiling": {"records_per_second": result.ceiling, "times_the_fastest": result.ceiling / result.fastest},
        "ratios": [asdict(ratio) | {"met": ratio.met} for ratio in result.ratios()],
        "rounds": [
            [asdict(run) | {"rate": run.rate, "cpu_per_100k": run.cpu_per_100k} for run in runs]
            for runs in result.rounds
        ],
    }


def _commit() -> str | None:
    """The commit that was measured, with `-dirty` where the files differ from it; None outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False, timeout=10
        )
    except OSError:
        return None
    return done.stdout.strip() or None
