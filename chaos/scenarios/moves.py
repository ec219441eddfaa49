"""S2: workers join and leave a group in order, one after another, by each of the three protocols."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from chaos.load import Load
from chaos.protocols import CONSUMER, COOPERATIVE, PROTOCOLS
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

PARTITIONS = 6
WORKERS = 3
DUPLICATES = 0.001
"""The share of duplicates that is allowed where the moves are in order."""
RATE = 1000
"""Events a second that keep coming in the short form: a backlog would be gone before the group has met."""
BETWEEN = 800
"""Events that arrive between two moves."""
SETTLE_SECONDS = 300
SOON = {"KAFKA__CONSUMER__HEARTBEAT_INTERVAL_MS": "500"}
"""How soon the members hear of a rebalance; with the consumer protocol the broker decides."""
SLOW = {"match": {"path": "scoring_payloads$"}, "action": {"delay_ms": 150}}


def play(place: Place) -> Iterator[Outcome]:
    """Work for three workers; the first leaves in the middle."""
    yield from place.each(partial(_play, place), PROTOCOLS)


def _play(place: Place, protocol: str) -> Outcome:
    with place.ring(protocol, partitions=PARTITIONS) as ring:
        ring.settings |= PROTOCOLS[protocol]
        if not place.full:
            ring.settings |= {"BATCH__RECORDS": "50", **(SOON if protocol != CONSUMER else {})}
            ring.mart.fault(SLOW)
        ring.writer.produce(place.pick(1_000, 500_000))
        with Load(ring.writer, place.pick(RATE, 0)) as load:
            _move(ring, load)
        allowed = int(ring.writer.count * DUPLICATES)
        return ring.close(protocol, duplicates=None if protocol == COOPERATIVE else allowed)


def _move(ring: Ring, load: Load) -> None:
    with ExitStack() as stack:
        workers: list[WorkerProcess] = []
        for _ in range(WORKERS):
            workers.append(stack.enter_context(ring.worker()))
            ring.until(lambda: bool(_assignments(workers[-1:])), "partitions for a worker that has joined")
            _more(ring)
        ring.claim(not ring.watch.done, "there was no work left when the first was to leave")
        assignments = _assignments(workers)
        ring.stop(workers.pop(0))
        _more(ring)
        load.end()
        ring.until_done(SETTLE_SECONDS)
        ring.note("assignments", assignments + _assignments(workers))
        ring.stop_all(workers)


def _more(ring: Ring) -> None:
    """So many more events, or all that there are."""
    least = ring.watch.arrived + BETWEEN
    ring.until(lambda: ring.watch.arrived >= least or ring.watch.done, f"{BETWEEN} more events", SETTLE_SECONDS)


def _assignments(workers: list[WorkerProcess]) -> int:
    """How often any of these was given partitions."""
    lines = [line for worker in workers for line in worker.lines("partitions.assigned")]
    return sum(bool(line["partitions"]) for line in lines)


SCENARIOS = (
    Scenario("S2", "workers join and leave in order: nothing missing, at most 0.1 % twice (range, consumer)", play),
)
