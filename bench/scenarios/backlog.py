"""A backlog drained by one worker: no rebalance, nothing lost, and memory that stays as it was."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from bench.contenders import WORKER
from bench.figures import MEGABYTE, Verdict, largest, one
from bench.harness import ground, say
from bench.measure import run_of, running
from bench.plan import Turn
from bench.report import Result

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from bench.measure import Scene
    from bench.watch import Sample

GROWTH: Final = 1.05
PAUSE: Final = 0.25
POINTS: Final = 40
"""Samples of memory that a result keeps."""


def run(given: Namespace) -> Result:
    """Measure; raises `BenchError`, also for lost records."""
    turn = Turn(WORKER, "typed", given.events)
    with ground() as found:
        place = found.place(turn)
        say(f"draining {given.events:,} events")
        with running(turn, found.sink(turn.manner), place) as scene:
            start = scene.begun()
            scene.drained(given.events, PAUSE)
            end = scene.reading()
            moves = rebalances(scene)
        drained = run_of(turn, scene, start, end, seconds=end.count.seconds, stored=end.count.distinct)
        samples = [each for each in scene.watch.samples if each.seconds >= start.at]
        broker = found.broker
    first, last = quarters(samples)
    verdicts = [
        Verdict("rebalances while it was drained", "at most", 0, one(moves)),
        Verdict("resident memory, last quarter / first", "at most", GROWTH, one(last / first), "times"),
        largest([drained]),
        Verdict("records/s", "at least", None, one(drained.rate)),
        Verdict("records that were stored twice", "at most", None, one(drained.repeated)),
    ]
    more = {
        "rss_quarters_mb": [round(first / MEGABYTE, 1), round(last / MEGABYTE, 1)],
        "rss_samples": [[round(each.seconds, 1), round(each.rss / MEGABYTE, 1)] for each in thinned(samples, POINTS)],
    }
    return Result("backlog", broker, {"events": given.events}, [(0, drained)], verdicts, more=more)


def rebalances(scene: Scene) -> int:
    """How often partitions came or went after the first time."""
    changes = sum(scene.told(event) for event in ("partitions.assigned", "partitions.revoked", "partitions.lost"))
    return changes - 1


def quarters(samples: Sequence[Sample]) -> tuple[float, float]:
    """The median resident bytes in the first and in the last quarter of the samples, of which there is one at least."""
    quarter = max(1, len(samples) // 4)
    return median(each.rss for each in samples[:quarter]), median(each.rss for each in samples[-quarter:])


def thinned(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many of them, evenly apart."""
    step = max(1, -(-len(samples) // most))
    return list(samples[::step])
