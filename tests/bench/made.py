"""Runs and results that tests judge, without anything that runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from bench.figures import Verdict, one
from bench.measure import Run
from bench.report import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN: Final = Run(
    contender="worker",
    kind="typed",
    endpoint="0 ms",
    events=100_000,
    seconds=2.0,
    cpu=1.5,
    start_seconds=1.0,
    start_cpu=0.5,
    rss=80_000_000,
    rss_total=80_000_000,
    processes=1,
    posts=200,
    posted_bytes=70_000_000,
    refused=0,
    repeated=0,
)


def run(contender: str = "worker", *, rate: float = 50_000, cpu: float = 1.5, **other: Any) -> Run:
    """A run of 100,000 records at a rate, with CPU seconds for all of them."""
    return replace(RUN, contender=contender, seconds=RUN.events / rate, cpu=cpu, **other)


def result(runs: Sequence[tuple[int, Run]], scenario: str = "compare") -> dict[str, Any]:
    """A result's document."""
    verdicts = [Verdict("typed: records/s / best peer", "at least", 2.0, one(2.5), "times")]
    return Result(scenario, "Apache Kafka", {}, runs, verdicts, {"bytewax": "no wheel"}).document()
