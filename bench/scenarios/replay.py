"""The live worker alone, and beside a replay on the same machine: what the replay leaves to it.

The replay reads the same topic and posts to a sink of its own, so that each is counted alone. It is under way before
the live worker starts, and after it has ended.
"""

from __future__ import annotations

import subprocess
import uuid
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.contenders import WORKER, Task
from bench.endpoint import BenchError, Count, Manner
from bench.figures import Verdict, grouped, rates, ratio, spread
from bench.harness import ground, play, say
from bench.measure import STOP_SECONDS, measure
from bench.plan import Turn
from bench.report import Result
from tests.way.stage import until

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from bench.endpoint import Sink
    from bench.measure import Run
    from bench.plan import Place

GOAL: Final = 0.9
COMMAND: Final = ("replay", "--yes", "--from", "2000-01-01T00:00:00Z")


def run(given: Namespace) -> Result:
    """Measure; raises `BenchError`, also for lost records."""
    alone = Turn(replace(WORKER, name="worker alone"), "typed", given.events)
    both = Turn(replace(WORKER, name="worker beside a replay"), "typed", given.events)
    replayed: list[float] = []
    with ground() as found:
        other = found.one_more_sink(Manner())
        runs = play(found, [alone, both], given.rounds, partial(beside, both, other, replayed))
        broker = found.broker
    groups = grouped(runs)
    without, with_it = (groups[turn.name, turn.kind, turn.endpoint] for turn in (alone, both))
    verdicts = [
        Verdict(
            "records/s of the live worker beside a replay / alone",
            "at least",
            GOAL,
            ratio(rates(with_it), rates(without)),
            "times",
        ),
        Verdict("records/s of the replay meanwhile", "at least", None, spread(replayed)),
    ]
    return Result("replay", broker, {"events": given.events, "rounds": given.rounds}, runs, verdicts)


def beside(  # noqa: PLR0917 - three of its own, and what `play` gives
    both: Turn, other: Sink, replayed: list[float], turn: Turn, sink: Sink, place: Place
) -> Run:
    """One run of the live worker, `both`: while a replay goes on, whose rate is noted."""
    if turn is not both:
        return measure(turn, sink, place)
    with replaying(other, place):
        before = other.count()
        done = measure(turn, sink, place)
        after = other.count()
    if after.distinct >= turn.events:
        raise BenchError("the replay had ended before the live worker: give it fewer events a second, or more of them")
    replayed.append((after.distinct - before.distinct) / ((after.last_ns - before.last_ns) / 1e9))
    say(f"the replay: {replayed[-1]:,.0f} records/s meanwhile")
    return done


@contextmanager
def replaying(sink: Sink, place: Place) -> Iterator[None]:
    """A replay under way; told to stop at the end."""
    sink.reset()
    task = Task(place.bootstrap, place.topic, f"bench-{uuid.uuid4().hex[:12]}", sink.url)
    command = [WORKER.command(task)[0], "-m", "worker", *COMMAND]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=WORKER.environment(task), stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        until(lambda: begun(process, sink.count()), "the replay's first post")
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def begun(process: subprocess.Popen[bytes], count: Count) -> bool:
    """Whether a replay posts; raises `BenchError` where it has ended."""
    if process.poll() is not None:
        raise BenchError(f"the replay ended with {process.returncode}")
    return count.first_ns >= 0
