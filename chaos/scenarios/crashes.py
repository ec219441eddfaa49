"""S3: workers are killed and started again, all the time, under a load."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Self

from chaos.load import Load
from chaos.protocols import PROTOCOLS, RANGE
from chaos.scenario import Place, Scenario
from worker.run import COMMIT_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

RATE = 1500
"""Events a second that keep coming, so that there is work at every kill."""
RECORDS = 1000
"""`limits.records`: what one worker has open at most."""
SESSION_MS = "6000"
KILLS_APART = (0.5, 3.0)
STANDSTILL = 60.0
SETTLE_SECONDS = 120


class Sizes(NamedTuple):
    """Workers, partitions, and for how many seconds workers are killed."""

    workers: int
    partitions: int
    seconds: float


SHORT = Sizes(3, 6, 15)
FULL = Sizes(4, 12, 300)


def play(place: Place) -> Iterator[Outcome]:
    """Static membership: a worker that comes back gets what it had. In full, the other protocols stand beside it.

    With KIP-848 it has none: there the broker refuses a name that a killed member still has until its session ends.
    """
    sizes = place.pick(SHORT, FULL)
    for protocol in PROTOCOLS if place.full else [RANGE]:
        with place.ring(partitions=sizes.partitions) as ring:
            ring.settings |= {**PROTOCOLS[protocol], "LIMITS__RECORDS": str(RECORDS), "BATCH__RECORDS": "100"}
            if protocol in {RANGE, "cooperative-sticky"}:  # with the other the broker decides
                ring.settings |= {"KAFKA__CONSUMER__SESSION_TIMEOUT_MS": SESSION_MS}
            with Crew(ring, sizes.workers, static=protocol != "consumer") as crew:
                kills = _kill(ring, crew, sizes)
                ring.until_done(SETTLE_SECONDS)
                crew.stop()
            allowed = _allowed(ring, kills)
            ring.note("kills", kills)
            ring.note("duplicates allowed", f"{allowed}, {allowed // max(kills, 1)} for each kill")
            still = ring.watch.standstill
            ring.claim(protocol != RANGE or still < STANDSTILL, f"nothing was settled for {still:.0f} s")
            yield ring.close(protocol, duplicates=allowed if protocol == RANGE else None)


class Crew:
    """Workers by number; a context manager, which ends them by force. `static`: each has a group instance id."""

    def __init__(self, ring: Ring, count: int, *, static: bool) -> None:
        self._ring = ring
        self._static = static
        self._workers = [self._start(number) for number in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()

    def crash(self, number: int) -> None:
        """Kill -9, and started again at once, as a supervisor would; a claim that it had not ended by itself."""
        worker = self._workers[number]
        code = worker.process.poll()
        self._ring.claim(code is None, f"worker {number} ended by itself with {code}: {worker.log()[-500:]}")
        worker.kill()
        self._workers[number] = self._start(number)

    def stop(self) -> None:
        """All in order."""
        self._ring.stop_all(self._workers)

    def _start(self, number: int) -> WorkerProcess:
        name = {"KAFKA__CONSUMER__GROUP_INSTANCE_ID": f"worker-{number}"}
        return self._ring.start(**name if self._static else {})


def _kill(ring: Ring, crew: Crew, sizes: Sizes) -> int:
    """The number of kills in the time, under load; the clock starts with the first event that arrives."""
    kills = 0
    with Load(ring.writer, RATE):
        ring.until(lambda: ring.watch.arrived > 0, "the first event")
        ends = time.monotonic() + sizes.seconds
        while time.monotonic() < ends:
            time.sleep(ring.rng.uniform(*KILLS_APART))
            crew.crash(ring.rng.randrange(sizes.workers))
            kills += 1
    return kills


def _allowed(ring: Ring, kills: int) -> int:
    """How many events may have been received twice.

    What a kill makes a successor send again is what the dead one had sent and not committed. That is at most what it
    had open, `limits.records`: in flight, or settled behind an offset that was not; and what it had settled since its
    last commit, which goes out once in a commit interval. Nobody settles faster than everybody together, so the
    greatest rate that was seen over a second bounds that.
    """
    return int(kills * (RECORDS + ring.watch.peak() * COMMIT_INTERVAL))


SCENARIOS = (
    Scenario("S3", "kill -9 again and again: nothing missing, bounded duplicates, never 60 s without progress", play),
)
