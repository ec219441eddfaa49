"""The whole benchmark: broker, topics, sink, rounds in which every contender has its turn, and the sink's ceiling."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import ceiling, events
from bench.contenders import CONTENDERS
from bench.endpoint import BenchError, Sink, build
from bench.measure import measure
from bench.report import Result
from bench.topics import filled, real_broker

if TYPE_CHECKING:
    from bench.measure import Run

CEILING_SECONDS: Final = 300
CEILING_RECORDS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: `latency_ms` is how long the sink lets each post wait."""

    events: int
    rounds: int
    latency_ms: int
    subscriptions: int


def bench(plan: Plan) -> Result:
    """Measure; raises `BenchError` for an error and for lost records."""
    with ExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="payload-bench-")))
        binary = build(directory)
        broker = held.enter_context(real_broker())
        limit = sink_ceiling(binary)
        _say(f"sink alone: {limit:,.0f} records/s")
        _say(f"{broker.name}: filling topics with {plan.events:,} events each")
        topics = {
            kind: held.enter_context(filled(broker, kind, events.values(kind, plan.events, plan.subscriptions)))
            for kind in events.KINDS
        }
        sink = held.enter_context(Sink(binary, plan.latency_ms, plan.subscriptions))
        runs = [_round(number, plan, sink, broker.bootstrap, topics) for number in range(plan.rounds)]
        return Result(runs, limit, broker.name, plan.events, plan.latency_ms, plan.subscriptions)


def sink_ceiling(binary: Path) -> float:
    """Records a second that the sink takes where nothing has to be done but to post; without latency."""
    with Sink(binary) as sink:
        command = [sys.executable, "-m", ceiling.__name__, sink.url, str(CEILING_RECORDS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CEILING_SECONDS)
        if done.returncode != 0:
            raise BenchError(f"the sink's ceiling could not be measured:\n{done.stderr}")
        found = json.loads(done.stdout)
        counted = sink.count().distinct
    if counted != found["records"]:
        raise BenchError(f"the sink counted {counted} of {found['records']} records")
    return float(found["records"] / found["seconds"])


def _round(number: int, plan: Plan, sink: Sink, bootstrap: str, topics: dict[events.Kind, str]) -> list[Run]:
    """Every contender on every kind, one after another; each round begins with another of them."""
    turns = [(kind, contender) for kind in events.KINDS for contender in CONTENDERS]
    start = number % len(turns)
    runs: list[Run] = []
    for kind, contender in turns[start:] + turns[:start]:
        run = measure(contender, kind, plan.events, sink, (bootstrap, topics[kind]))
        _say(f"round {number + 1}: {run.contender} {kind}: {run.rate:,.0f} records/s, {run.cpu_per_100k:.2f} CPU s")
        runs.append(run)
    return runs


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
