"""One process beside two: what a record costs when the work is shared.

Read while both are at it: between the shares `FROM` and `TO` of all events, so that what is measured is neither the
second one's start nor the end, when one of them may have nothing left to do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bench.contenders import WORKER
from bench.figures import Verdict, cpus, grouped, largest, rates, ratio
from bench.harness import ground, play
from bench.measure import START_SECONDS, run_of, running
from bench.plan import Turn
from bench.report import Result

if TYPE_CHECKING:
    from argparse import Namespace

    from bench.contenders import Task
    from bench.endpoint import Sink
    from bench.measure import Run
    from bench.plan import Place

FROM, TO = 0.2, 0.9
GOAL: Final = 1.1


def run(given: Namespace) -> Result:
    """Measure; raises `BenchError`, also for lost records."""
    alone = Turn(replace(WORKER, name="worker, 1 process"), "typed", given.events)
    both = Turn(replace(WORKER, name="worker, 2 processes", command=_two), "typed", given.events)
    with ground() as found:
        runs = play(found, [alone, both], given.rounds, shared)
        broker = found.broker
    groups = grouped(runs)
    one, two = (groups[turn.name, turn.kind, turn.endpoint] for turn in (alone, both))
    verdicts = [
        Verdict("CPU a record with 2 processes / with one", "at most", GOAL, ratio(cpus(two), cpus(one)), "times"),
        Verdict("records/s, the same", "at least", None, ratio(rates(two), rates(one)), "times"),
        largest(run for _, run in runs),
    ]
    return Result("processes", broker, {"events": given.events, "rounds": given.rounds}, runs, verdicts)


def shared(turn: Turn, sink: Sink, place: Place) -> Run:
    """One run, of which the middle is measured, and which must store all events."""
    with running(turn, sink, place) as scene:
        scene.begun()
        scene.until(lambda count: count.distinct >= FROM * turn.events, START_SECONDS, pause=0.02)
        start = scene.reading()
        scene.until(lambda count: count.distinct >= TO * turn.events, START_SECONDS, pause=0.02)
        end = scene.reading()
        scene.drained(turn.events)
        stored = end.count.distinct - start.count.distinct
        return run_of(turn, scene, start, end, seconds=end.at - start.at, stored=stored)


def _two(task: Task) -> list[str]:
    return [*WORKER.command(task), "--processes", "2"]
