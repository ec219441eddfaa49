"""The worker beside its peers on the same work: records a second and CPU a record, ratios within each round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.contenders import CONTENDERS, LIMIT, PURE, REFERENCE, WORKER
from bench.endpoint import BenchError, Manner
from bench.events import KINDS, SHARED
from bench.figures import Verdict, cpus, grouped, largest, one, rates, ratio
from bench.harness import ground, play, say
from bench.measure import Run, measure
from bench.plan import Place, Turn, endpoint
from bench.report import Result

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping, Sequence

    from bench.contenders import Contender
    from bench.endpoint import Sink

Groups = dict[tuple[str, str, str], list[Run]]

SHORT: Final = ("naive", "aiokafka")
"""The peers of the short form: the fastest ones of Python."""

HEADROOM: Final = 2.0
TYPED_RATE, TYPED_CPU, BODY_RATE, REFERENCE_CPU = 2.0, 0.5, 2.5, 1.6


def run(given: Namespace) -> Result:
    """Measure; raises `BenchError`, also where the worker loses records."""
    chosen, missing = prepared([each for each in CONTENDERS if given.full or each.name in {*SHORT, WORKER.name}])
    latencies = given.latencies or ([0, 20] if given.full else [0])
    manners = [Manner(latency_ms=each) for each in latencies]
    turns = plan(chosen, given.events, manners)
    with ground() as found:
        limit = found.ceiling()
        say(f"sink alone: {limit:,.0f} records/s")
        runs = play(found, turns, given.rounds, tolerant(missing))
        broker = found.broker
    runs = [(number, each) for number, each in runs if each.contender not in missing]
    verdicts = judge(dict(grouped(runs)), [endpoint(each) for each in manners], limit)
    parameters = {"events": given.events, "rounds": given.rounds, "latencies_ms": latencies}
    return Result("compare" if given.full else "short", broker, parameters, runs, verdicts, missing)


def prepared(contenders: Sequence[Contender]) -> tuple[list[Contender], dict[str, str]]:
    """Those that can be measured, and why the others cannot."""
    chosen: list[Contender] = []
    missing: dict[str, str] = {}
    for each in contenders:
        say(f"preparing {each.name}")
        try:
            each.prepare()
            chosen.append(each)
        except BenchError as error:
            missing[each.name] = _reason(error)
            say(f"{each.name}: {error}")
    return chosen, missing


def plan(contenders: Sequence[Contender], events: int, manners: Sequence[Manner]) -> list[Turn]:
    """Every contender on what all can read, and the worker on the engines' own forms."""
    return [
        Turn(contender, kind, events, manner)
        for manner in manners
        for kind in KINDS
        for contender in contenders
        if kind in SHARED or contender.name == WORKER.name
    ]


def tolerant(missing: dict[str, str]) -> Callable[[Turn, Sink, Place], Run | None]:
    """Measures; a peer that fails is noted as missing and not tried again, the worker must not fail."""

    def how(turn: Turn, sink: Sink, place: Place) -> Run | None:
        if turn.name in missing:
            return None
        try:
            return measure(turn, sink, place)
        except BenchError as error:
            if turn.name == WORKER.name:
                raise
            missing[turn.name] = _reason(error)
            say(f"{turn.name}: {error}")
            return None

    return how


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__


def judge(groups: Groups, endpoints: Sequence[str], limit: float) -> list[Verdict]:
    """Every goal at every endpoint; peers are compared as the best of them in each round, whoever that is."""
    verdicts = [verdict for where in endpoints for verdict in _at(groups, where)]
    ours = [run for (name, _, _), runs in groups.items() if name == WORKER.name for run in runs]
    fastest = max(run.rate for runs in groups.values() for run in runs)
    sink = Verdict("sink alone / fastest run (records/s)", "at least", HEADROOM, one(limit / fastest), "times")
    return [*verdicts, largest(ours), sink]


def _at(groups: Groups, where: str) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for kind, rate_goal, cpu_goal in (("typed", TYPED_RATE, TYPED_CPU), ("body", BODY_RATE, None)):
        ours = groups[WORKER.name, kind, where]
        peers = {name: runs for (name, of, at), runs in groups.items() if (of, at) == (kind, where)}
        peers.pop(WORKER.name)
        compiled = {each.name: peers.pop(each.name, None) for each in (REFERENCE, LIMIT, PURE)}
        if peers:
            verdicts += _beside(f"{kind}, {where}", ours, peers, rate_goal, cpu_goal)
        for name, runs in compiled.items():
            if runs is not None:
                goal = REFERENCE_CPU if (name, kind) == (REFERENCE.name, "typed") else None
                found = ratio(cpus(ours), cpus(runs))
                verdicts.append(Verdict(f"{kind}, {where}: CPU a record / {name}", "at most", goal, found, "times"))
    return verdicts


def _beside(
    name: str, ours: Sequence[Run], peers: Mapping[str, Sequence[Run]], rate_goal: float, cpu_goal: float | None
) -> list[Verdict]:
    """`ours` beside the fastest and the thriftiest peer of each round."""
    fastest = [max(each) for each in zip(*map(rates, peers.values()), strict=True)]
    least = [min(each) for each in zip(*map(cpus, peers.values()), strict=True)]
    return [
        Verdict(f"{name}: records/s / best peer", "at least", rate_goal, ratio(rates(ours), fastest), "times"),
        Verdict(f"{name}: CPU a record / best peer", "at most", cpu_goal, ratio(cpus(ours), least), "times"),
    ]
