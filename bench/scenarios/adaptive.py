"""Posts in flight that follow the endpoint, beside fixed numbers of them: on quick, slow and degrading endpoints.

Each run is cut off some seconds after its first post: what counts is what was stored by then, finding the way included.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from bench import fixed
from bench.contenders import WORKER
from bench.endpoint import Manner
from bench.figures import Verdict, grouped, largest, rates, ratio
from bench.harness import ground, play
from bench.measure import measure_window
from bench.plan import Turn, endpoint, variant
from bench.report import Result

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from bench.contenders import Contender, Task
    from bench.measure import Run

ENDPOINTS: Final = (
    Manner(latency_ms=1),
    Manner(latency_ms=20),
    Manner(latency_ms=200),
    # 80 posts a second with four at once, 53 with six, 20 with sixteen; above 24 posts are refused
    Manner(latency_ms=50, knee=4, limit=24),
)
FIXED: Final = (2, 4, 16, 64)
"""Which of these is best depends on the endpoint; few, so that two rounds take less than five minutes."""
ADAPTIVE: Final = replace(WORKER, name="worker, adaptive")
GOAL: Final = 0.9
"""The share of the best fixed setting, whichever that is for an endpoint; the project's own aim."""

FASTEST: Final = 200_000
"""Records a second that no run should reach: what the topic is filled for."""


def run(given: Namespace) -> Result:
    """Measure; raises `BenchError`."""
    contenders = [*(_fixed(number) for number in FIXED), ADAPTIVE]
    events = round(given.seconds * FASTEST)
    turns = [Turn(each, "typed", events, manner) for manner in ENDPOINTS for each in contenders]
    with ground() as found:
        runs = play(found, turns, given.rounds, partial(measure_window, seconds=given.seconds))
        broker = found.broker
    groups = grouped(runs)
    verdicts = [_verdict(groups, endpoint(manner)) for manner in ENDPOINTS]
    memory = largest(run for _, run in runs if run.contender == ADAPTIVE.name)
    parameters = {"seconds": given.seconds, "rounds": given.rounds}
    return Result("adaptive", broker, parameters, runs, [*verdicts, memory])


def _verdict(groups: Mapping[tuple[str, str, str], list[Run]], where: str) -> Verdict:
    ours = groups[ADAPTIVE.name, "typed", where]
    others = [rates(groups[_fixed(number).name, "typed", where]) for number in FIXED]
    best = [max(each) for each in zip(*others, strict=True)]
    return Verdict(f"{where}: records/s / best fixed setting", "at least", GOAL, ratio(rates(ours), best), "times")


def _fixed(number: int) -> Contender:
    return replace(variant(f"worker, fixed at {number}", DELIVERY__IN_FLIGHT=str(number)), command=_still)


def _still(_: Task) -> list[str]:
    return [sys.executable, "-m", fixed.__name__]
