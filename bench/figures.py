"""What is made of measurements: medians with their spread, ratios within a round, and whether goals are met.

The machine is shared and its speed varies, so only a ratio of two runs of the same round says something.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.measure import Run

MEGABYTE: Final = 1_000_000
RSS_LIMIT: Final = 110.0
"""Megabytes that a process of the worker may have resident."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the least and the greatest value."""

    median: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """The median of some values, and how far they lie apart."""
    return Spread(median(values), min(values), max(values))


def ratio(ones: Sequence[float], others: Sequence[float]) -> Spread:
    """The ratios of what was measured in the same rounds; raises `ValueError` where their numbers differ."""
    return spread([one / other for one, other in zip(ones, others, strict=True)])


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal of the project and what was measured; without a `limit` it is only told."""

    what: str
    sense: Literal["at least", "at most"]
    limit: float | None
    measured: Spread
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the limit; None where there is none."""
        if self.limit is None:
            return None
        found = self.measured.median
        return found >= self.limit if self.sense == "at least" else found <= self.limit

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        found = self.measured
        return {
            "what": self.what,
            "goal": None if self.limit is None else f"{self.sense} {self.limit:g} {self.unit}".rstrip(),
            "median": found.median,
            "least": found.least,
            "most": found.most,
            "unit": self.unit,
            "met": self.met,
        }


def one(value: float) -> Spread:
    """What was measured once, or is the worst of all."""
    return Spread(value, value, value)


def grouped(runs: Iterable[tuple[int, Run]]) -> Mapping[tuple[str, str, str], list[Run]]:
    """The runs of each contender, kind and endpoint, by round."""
    found: dict[tuple[str, str, str], list[Run]] = {}
    for _, run in sorted(runs, key=lambda pair: pair[0]):
        found.setdefault((run.contender, run.kind, run.endpoint), []).append(run)
    return found


def rates(runs: Sequence[Run]) -> list[float]:
    """Records a second."""
    return [run.rate for run in runs]


def cpus(runs: Sequence[Run]) -> list[float]:
    """CPU seconds for 100,000 records."""
    return [run.cpu_per_100k for run in runs]


def largest(runs: Iterable[Run]) -> Verdict:
    """What one process of the worker had resident at most, in any run."""
    return Verdict(
        "resident memory of one process", "at most", RSS_LIMIT, one(max(run.rss for run in runs) / MEGABYTE), "MB"
    )
