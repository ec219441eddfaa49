"""S23: `run --processes N` under load: its processes are killed again and again, and at last the supervisor itself."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
"""`limits.records`: what one process has open at most."""
SESSION_MS = "6000"
SETTLE_SECONDS = 120
ENDED_SECONDS = 60
"""In which processes end whose supervisor is gone: they settle what is open first."""


class Sizes(NamedTuple):
    """Processes, partitions, how often something is killed, and the seconds before each time, at least and at most."""

    processes: int
    partitions: int
    kills: int
    apart: tuple[float, float]


SHORT = Sizes(2, 4, 1, (0.5, 1.5))
FULL = Sizes(4, 12, 12, (3.0, 20.0))


def play(place: Place) -> Iterator[Outcome]:
    """Processes with static names, so that each gets back what it had; the supervisor without, in full alone."""
    sizes = place.pick(SHORT, FULL)
    plays = {"a process": partial(_processes, sizes=sizes), "the supervisor": partial(_supervisor, sizes=sizes)}

    def played(variant: str) -> Outcome:
        with place.ring(variant, partitions=sizes.partitions) as ring:
            ring.settings |= {
                **PROTOCOLS[RANGE],
                "PROCESSES": str(sizes.processes),
                "KAFKA__CONSUMER__SESSION_TIMEOUT_MS": SESSION_MS,
                "LIMITS__RECORDS": str(RECORDS),
                "BATCH__RECORDS": "100",
            }
            return plays[variant](ring)

    yield from place.each(played, plays if place.full else ["a process"])


def _processes(ring: Ring, *, sizes: Sizes) -> Outcome:
    """One of the processes is killed at a time; what was open there alone may be received twice."""
    with ring.worker(KAFKA__CONSUMER__GROUP_INSTANCE_ID="one") as supervisor:
        with Load(ring.writer, RATE):
            _begun(ring, supervisor, sizes)
            for _ in range(sizes.kills):
                time.sleep(ring.rng.uniform(*sizes.apart))
                _kill_one(ring, supervisor, ring.rng.randrange(sizes.processes) + 1)
        ring.until_done(SETTLE_SECONDS)
        ring.stop(supervisor)
        starts = len(supervisor.lines("process.started"))
        ring.claim(
            starts == sizes.processes + sizes.kills, f"{starts} starts: processes that nobody killed have ended as well"
        )
    allowed = int(sizes.kills * (RECORDS + ring.watch.peak() * COMMIT_INTERVAL))
    ring.note("kills", sizes.kills)
    ring.note("duplicates allowed", allowed)
    return ring.close("a process", duplicates=allowed)


def _supervisor(ring: Ring, *, sizes: Sizes) -> Outcome:
    """The supervisor is killed, and another one started at once, while the processes of the first still end."""
    orphans: list[int] = []
    with ExitStack() as stack, Load(ring.writer, RATE) as load:
        for _ in range(max(1, sizes.kills // 4)):
            supervisor = stack.enter_context(ring.worker())
            _begun(ring, supervisor, sizes)
            time.sleep(ring.rng.uniform(*sizes.apart))
            supervisor.signal(signal.SIGKILL)
            orphans += _pids(supervisor).values()
        last = stack.enter_context(ring.worker())
        _begun(ring, last, sizes)
        load.end()
        ring.until(lambda: not any(map(_runs, orphans)), "the end of processes without a supervisor", ENDED_SECONDS)
        ring.until_done(SETTLE_SECONDS)
        ring.stop(last)
    ring.note("processes that lost their supervisor", len(orphans))
    return ring.close("the supervisor")


def _begun(ring: Ring, supervisor: WorkerProcess, sizes: Sizes) -> None:
    """Wait until each process has partitions, and events arrive."""
    owning = partial(supervisor.lines, "partitions.assigned")
    ring.until(
        lambda: len({line.get("process") for line in owning()}) == sizes.processes, "partitions for each process"
    )
    before = ring.watch.arrived
    ring.until(lambda: ring.watch.arrived > before, "events that arrive")


def _kill_one(ring: Ring, supervisor: WorkerProcess, number: int) -> None:
    """Kill a process with -9, and wait until the supervisor has started it again."""
    before = _pids(supervisor)[number]
    os.kill(before, signal.SIGKILL)
    ring.until(lambda: _pids(supervisor)[number] != before, f"another start of process {number}")


def _pids(supervisor: WorkerProcess) -> dict[int, int]:
    """The processes' ids, of the last start of each."""
    return {line["process"]: line["pid"] for line in supervisor.lines("process.started")}


def _runs(pid: int) -> bool:
    """Whether it runs; one that waits to be reaped does not."""
    try:
        return not re.search(r"^State:\s+Z", Path(f"/proc/{pid}/status").read_text("utf-8"), re.MULTILINE)
    except OSError:
        return False


SCENARIOS = (Scenario("S23", "a process of several killed, then their supervisor: started again, none missing", play),)
