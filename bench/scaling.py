"""The plan for more: from what a record costs here to processes, partitions, brokers and connections for any rate.

What is measured comes from the results; what is assumed is told beside it, as the fields of `Assumed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.report import Document

TARGETS: Final = (10_000, 100_000, 1_000_000, 10_000_000)
"""Events a second."""

BATCH: Final = 500
EVENT_BYTES: Final = 600


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is not measured here: set it to your own.

    `latency`: seconds that the data mart takes for a post. `busy`: the share of a core that a process is planned to
    use, so that a backlog can be caught up with. `broker_bytes`: what a broker moves a second, in and out together,
    with `copies` replicas. `pod_processes`: processes in a pod, a core each. `refresh`: seconds between two fetches
    of the directory, `subscription_bytes` of it for each of `subscriptions`.
    """

    latency: float = 0.2
    busy: float = 0.6
    broker_bytes: float = 200e6
    copies: int = 3
    pod_processes: int = 4
    refresh: float = 60
    subscriptions: int = 1000
    subscription_bytes: int = 1100


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured of one process on typed events: CPU seconds and posted bytes a record, resident bytes."""

    cpu: float
    posted: float
    rss: float


@dataclass(frozen=True, slots=True)
class Needs:
    """What a rate takes."""

    processes: int
    pods: int
    partitions: int
    brokers: int
    posts: float
    at_once: float
    posted_gigabits: float
    memory_gb: float
    directory_megabits: float
    commits: int


def cost(document: Document) -> Cost:
    """Of a comparison: the worker's typed events, before the slowest of its endpoints; raises `KeyError` where none."""
    runs = [run for run in document["runs"] if (run["contender"], run["kind"]) == ("worker", "typed")]
    if not runs:
        raise KeyError("worker")
    slowest = max(runs, key=lambda run: int(run["endpoint"].split()[0]))["endpoint"]
    of = [run for run in runs if run["endpoint"] == slowest]
    return Cost(
        cpu=median(run["cpu_per_100k"] for run in of) / 100_000,
        posted=median(run["posted_bytes"] / (run["events"] + run["repeated"]) for run in of),
        rss=max(run["rss"] for run in of),
    )


def needs(rate: float, given: Cost, assumed: Assumed) -> Needs:
    """What so many events a second take."""
    processes = ceil(rate * given.cpu / assumed.busy)
    posts = rate / BATCH
    return Needs(
        processes=processes,
        pods=ceil(processes / assumed.pod_processes),
        partitions=2 * processes,
        brokers=max(assumed.copies, ceil(rate * EVENT_BYTES * (2 * assumed.copies) / assumed.broker_bytes)),
        posts=posts,
        at_once=posts * assumed.latency,
        posted_gigabits=rate * given.posted * 8 / 1e9,
        memory_gb=processes * given.rss / 1e9,
        directory_megabits=processes * assumed.subscriptions * assumed.subscription_bytes * 8 / assumed.refresh / 1e6,
        commits=2 * processes,
    )


def measured(results: Mapping[str, Document]) -> Table:
    """The figures that the plan starts from."""
    given = cost(results["compare"])
    rows = [
        ["CPU a record", f"{given.cpu * 1e6:.1f} µs"],
        ["records/s of one core", f"{1 / given.cpu:,.0f}"],
        ["JSON posted a record", f"{given.posted:,.0f} bytes"],
        ["resident memory of a process", f"{given.rss / 1e6:.0f} MB"],
    ]
    rows += [[each["what"], f"{each['median']:.2f}"] for each in _ratios(results)]
    return Table(["measured", "typed events"], rows)


def _ratios(results: Mapping[str, Document]) -> list[Document]:
    """How the cost grows with processes and with subscriptions, where that was measured."""
    found = [results[name]["verdicts"][0] for name in ("processes", "subscriptions") if name in results]
    return [each for each in found if each["what"]]


def plan(results: Mapping[str, Document], assumed: Assumed = Assumed()) -> Table:
    """The needs of every target."""
    given = cost(results["compare"])
    found = [needs(rate, given, assumed) for rate in TARGETS]
    lines = {
        "processes (a core each)": [f"{each.processes:,}" for each in found],
        "pods": [f"{each.pods:,}" for each in found],
        "partitions": [f"{each.partitions:,}" for each in found],
        "brokers": [f"{each.brokers:,}" for each in found],
        "posts a second": [f"{each.posts:,.0f}" for each in found],
        "posts at once, a connection each": [f"{each.at_once:,.0f}" for each in found],
        "posted JSON, Gbit/s": [f"{each.posted_gigabits:,.2f}" for each in found],
        "memory, GB": [f"{each.memory_gb:,.1f}" for each in found],
        "fetches of the directory, Mbit/s": [f"{each.directory_megabits:,.1f}" for each in found],
        "offsets committed a second": [f"{each.commits:,}" for each in found],
    }
    heads = ["events a second", *(f"{rate:,}" for rate in TARGETS)]
    return Table(heads, [[name, *values] for name, values in lines.items()])
