"""One subscription beside many, evenly mixed: in batches of all of them, and in batches of one each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.contenders import WORKER
from bench.endpoint import Manner
from bench.figures import Verdict, cpus, grouped, largest, rates, ratio
from bench.harness import ground, play
from bench.plan import Turn, variant
from bench.report import Result

if TYPE_CHECKING:
    from argparse import Namespace

MANY: Final = 1000
GOAL: Final = 0.8
FEWER: Final = 4
"""How many times fewer events the slow way is given."""


def run(given: Namespace) -> Result:
    """Measure; raises `BenchError`, also for lost records."""
    many = Manner(subscriptions=MANY)
    alone = variant("worker, group_by=subscription", BATCH__GROUP_BY="subscription")
    turns = [
        Turn(WORKER, "typed", given.events),
        Turn(WORKER, "typed", given.events, many),
        Turn(alone, "typed", max(MANY, given.events // FEWER), many),
    ]
    with ground() as found:
        runs = play(found, turns, given.rounds)
        broker = found.broker
    groups = grouped(runs)
    one, mixed, apart = (groups[turn.name, turn.kind, turn.endpoint] for turn in turns)
    verdicts = [
        Verdict(f"records/s with {MANY:,} subscriptions / with one", "at least", GOAL, ratio(rates(mixed), rates(one))),
        Verdict("CPU a record, the same", "at most", None, ratio(cpus(mixed), cpus(one))),
        Verdict("group_by=subscription: records/s, the same", "at least", None, ratio(rates(apart), rates(one))),
        Verdict("group_by=subscription: CPU a record, the same", "at most", None, ratio(cpus(apart), cpus(one))),
        largest(run for _, run in runs),
    ]
    return Result("subscriptions", broker, {"events": given.events, "rounds": given.rounds}, runs, verdicts)
