"""How long a record takes, from its timestamp on Kafka until it is stored, at a tenth of what the worker can do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from bench import pace
from bench.contenders import WORKER
from bench.endpoint import BenchError, Manner
from bench.figures import Verdict, largest, one, spread
from bench.harness import ground, say
from bench.measure import START_SECONDS, measure, run_of, running
from bench.plan import Turn, in_order
from bench.report import Result
from worker.config import Batch

if TYPE_CHECKING:
    from argparse import Namespace

    from bench.endpoint import Ages
    from bench.harness import Ground
    from bench.measure import Run, Scene

SHARE: Final = 0.1
WARM_SECONDS: Final = 3.0
MARGIN_MS: Final = 50
LATENCIES: Final = (0, 20)
END_SECONDS: Final = 60


def run(given: Namespace) -> Result:
    """Measure; raises `BenchError`, also for lost records."""
    with ground() as found:
        most = [measure(turn := Turn(WORKER, "typed", given.events), found.sink(turn.manner), found.place(turn))]
        rate = round(SHARE * most[0].rate)
        say(f"capacity {most[0].rate:,.0f} records/s; sending {rate:,} a second")
        manners = [Manner(latency_ms=each, timed=True) for each in LATENCIES]
        ages: dict[int, list[Ages]] = {each: [] for each in LATENCIES}
        runs: list[tuple[int, Run]] = []
        for number in range(given.rounds):
            for manner in in_order(manners, number):
                aged, done = _paced(found, Turn(WORKER, "typed", 0, manner), rate, given.seconds)
                ages[manner.latency_ms].append(aged)
                runs.append((number, done))
                say(f"round {number + 1}: {manner.latency_ms} ms: p50 {aged.p50_ms} ms, p99 {aged.p99_ms} ms")
        broker = found.broker
    parameters = {"seconds": given.seconds, "rounds": given.rounds, "capacity": round(most[0].rate), "rate": rate}
    more = {"ages": {str(latency): [asdict(each) for each in each_of] for latency, each_of in ages.items()}}
    verdicts = [verdict for latency, each_of in ages.items() for verdict in judge(latency, each_of)]
    memory = largest(run for _, run in runs)
    return Result("latency", broker, parameters, runs, [*verdicts, memory], more=more)


def judge(latency_ms: int, ages: list[Ages]) -> list[Verdict]:
    """The p99 against linger + latency + a margin; p50 and the greatest are only told."""
    limit = Batch().linger_ms + latency_ms + MARGIN_MS
    p99 = spread([each.p99_ms for each in ages])
    return [
        Verdict(f"p99 from Kafka's timestamp to stored, endpoint of {latency_ms} ms", "at most", limit, p99, "ms"),
        Verdict("p50, the same", "at most", None, spread([each.p50_ms for each in ages]), "ms"),
        Verdict("the oldest, the same", "at most", None, one(max(each.max_ms for each in ages)), "ms"),
    ]


def _paced(found: Ground, turn: Turn, rate: int, seconds: float) -> tuple[Ages, Run]:
    """One worker on events as they come; what came while it started and warmed up is not told of, but must be there."""
    sink = found.sink(turn.manner)
    with found.empty_place() as place, running(turn, sink, place) as scene:
        _ready(scene)
        command = [sys.executable, "-m", pace.__name__, place.bootstrap, place.topic, str(rate)]
        with subprocess.Popen([*command, str(WARM_SECONDS + seconds)], stdout=subprocess.PIPE) as pacer:
            scene.begun()
            time.sleep(WARM_SECONDS)
            sink.forget_ages()
            start = scene.reading()
            sent = _sent(pacer, seconds)
        scene.drained(sent)
        end = scene.reading()
        stored = end.count.distinct - start.count.distinct
        return sink.ages(), run_of(turn, scene, start, end, seconds=end.at - start.at, stored=stored)


def _ready(scene: Scene) -> None:
    """Wait until the worker owns the topic's partitions."""
    scene.until(lambda _: scene.told("partitions.assigned") > 0, START_SECONDS, pause=0.1)


def _sent(pacer: subprocess.Popen[bytes], seconds: float) -> int:
    """How many events were sent, once all are; raises `BenchError`."""
    output, _ = pacer.communicate(timeout=seconds + END_SECONDS)
    if pacer.returncode != 0:
        raise BenchError("events could not be sent at an even pace")
    told: Any = json.loads(output)
    return int(told["sent"])
