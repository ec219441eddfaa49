"""What all measurements stand on: a broker, the topics on it, the sinks, and rounds in which everyone has a turn."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import ceiling, events
from bench.endpoint import BenchError, Sink, build
from bench.measure import measure
from bench.plan import Place, in_order
from bench.topics import again_and_again, empty, filled, real_broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.endpoint import Manner
    from bench.events import Kind
    from bench.measure import Run
    from bench.plan import Turn
    from tests.kafka.broker import Broker

CEILING_SECONDS: Final = 300
CEILING_RECORDS: Final = 100_000
DIFFERENT: Final = 100_000
"""Events that are made at most; a topic of more holds them again and again. A multiple of all numbers of
subscriptions that are measured."""


class Ground:
    """A broker with topics that are filled once, and a sink for each manner of endpoint; kept until the end."""

    def __init__(self, held: ExitStack, binary: Path, broker: Broker) -> None:
        self._held = held
        self._binary = binary
        self._broker = broker
        self._topics: dict[tuple[Kind, int, int], str] = {}
        self._sinks: dict[Manner, Sink] = {}

    @property
    def broker(self) -> str:
        """What the broker is, without its address."""
        return self._broker.name.partition(" at ")[0]

    def place(self, turn: Turn) -> Place:
        """Where a turn's events stand; filled at the first asking."""
        key = (turn.kind, turn.events, turn.manner.subscriptions)
        if key not in self._topics:
            say(f"filling a topic: {turn.events:,} events, {turn.kind}")
            made = list(events.values(turn.kind, min(turn.events, DIFFERENT), turn.manner.subscriptions))
            full = filled(self._broker, turn.kind, again_and_again(made, turn.events))
            self._topics[key] = self._held.enter_context(full)
        return Place(self._broker.bootstrap, self._topics[key])

    @contextmanager
    def empty_place(self) -> Iterator[Place]:
        """A topic that holds nothing yet."""
        with empty(self._broker, "paced") as topic:
            yield Place(self._broker.bootstrap, topic)

    def sink(self, manner: Manner) -> Sink:
        """A sink of this manner; started at the first asking."""
        if manner not in self._sinks:
            self._sinks[manner] = self._held.enter_context(Sink(self._binary, manner))
        return self._sinks[manner]

    def one_more_sink(self, manner: Manner) -> Sink:
        """A sink of this manner that `sink` gives to nobody."""
        return self._held.enter_context(Sink(self._binary, manner))

    def ceiling(self) -> float:
        """Records a second that a sink takes where nothing has to be done but to post; without latency."""
        with Sink(self._binary) as sink:
            command = [sys.executable, "-m", ceiling.__name__, sink.url, str(CEILING_RECORDS)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CEILING_SECONDS)
            if done.returncode != 0:
                raise BenchError(f"the sink's ceiling could not be measured:\n{done.stderr}")
            found = json.loads(done.stdout)
            counted = sink.count().distinct
        if counted != found["records"]:
            raise BenchError(f"the sink counted {counted} of {found['records']} records")
        return float(found["records"] / found["seconds"])


@contextmanager
def ground() -> Iterator[Ground]:
    """The sink built and a real broker started; all is ended and deleted at the end. Raises `BenchError`."""
    with ExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="payload-bench-")))
        binary = build(directory)
        broker = held.enter_context(real_broker())
        yield Ground(held, binary, broker)


def play(
    found: Ground, turns: Sequence[Turn], rounds: int, how: Callable[[Turn, Sink, Place], Run | None] = measure
) -> list[tuple[int, Run]]:
    """Every turn once a round, each run with its round's number; raises `BenchError`, also for lost records.

    `how` makes a run, or none.
    """
    runs: list[tuple[int, Run]] = []
    for number in range(rounds):
        for turn in in_order(turns, number):
            place = found.place(turn)
            run = how(turn, found.sink(turn.manner), place)
            if run is None:
                continue
            runs.append((number, run))
            say(
                f"round {number + 1}: {run.contender} {run.kind} ({run.endpoint}): "
                f"{run.rate:,.0f} records/s, {run.cpu_per_100k:.2f} CPU s, {run.rss / 1e6:.0f} MB"
            )
    return runs


def say(line: str) -> None:
    """Tell the person who waits how far it is."""
    print(line, file=sys.stderr, flush=True)
