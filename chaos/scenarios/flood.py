"""S15: the data mart refuses everything: the flood guard stops the group before the topic is drained."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

REFUSED = {"match": {"path": "scoring_payloads$"}, "action": {"status": 400}}
SHARE = 0.5
COMMAND_SECONDS = 60


def play(place: Place) -> Iterator[Outcome]:
    """Stopped, still stopped after a restart and with a data mart that is well again, and then resumed."""
    events, window = place.pick(4_000, 20_000), place.pick(400, 2_000)
    limit = int(window * SHARE)
    with place.ring() as ring:
        ring.stage.settings |= {"FLOOD_GUARD__RECORDS": str(window), "FLOOD_GUARD__SHARE": str(SHARE)}
        ring.mart.fault(REFUSED)
        ring.writer.produce(events)
        with ring.worker() as worker:
            _until_stopped(ring, worker)
            ring.claim(bool(worker.lines("flood.stopped")), "no flood.stopped in the log")
            ring.claim(bool(ring.letters.dispositions), "the guard stopped before anything was dead-lettered")
            _end(ring, worker)
        _still(ring, limit, events)
        with ring.worker() as worker:
            _until_stopped(ring, worker)
            ring.mart.heal()
            time.sleep(place.pick(3, 30))
            _still(ring, limit, events)
            ring.note("dead-lettered in the flood", f"{len(ring.letters.dispositions)} of at most {limit}")
            _resume(ring)
            ring.watch.forgive()
            ring.until_done(60)
            ring.until(lambda: worker.health("/readyz")[0] == 200, "200 at /readyz")  # noqa: PLR2004 - a status
            ring.stop(worker)
        ring.claim(len(ring.letters.dispositions) <= limit, "the resumed group dead-lettered more")
        # dead letters behind the settled prefix are read again after the restart, and delivered now
        yield ring.close(duplicates=0, both=True)


def _until_stopped(ring: Ring, worker: WorkerProcess) -> None:
    def stopped() -> bool:
        status, told = worker.health("/readyz")
        return status == 503 and str(told["reason"]).startswith("flood-guard")  # noqa: PLR2004 - a status

    ring.until(stopped, "503 flood-guard at /readyz")
    ring.claim(worker.health("/livez")[0] == 200, "/livez does not answer 200")  # noqa: PLR2004 - a status


def _still(ring: Ring, limit: int, events: int) -> None:
    """Nothing but so many dead letters happened; what they were is committed at most, and the rest waits."""
    ring.watch.look()
    letters, committed = len(ring.letters.dispositions), sum(ring.watch.committed.values())
    ring.claim(letters <= limit, f"{letters} dead letters, more than {limit}")
    ring.claim(committed <= letters, f"{committed} offsets are committed for {letters} dead letters")
    ring.claim(ring.watch.arrived == 0, f"{ring.watch.arrived} events arrived while the group was stopped")
    ring.claim(committed < events // 2, "the topic was drained")


def _end(ring: Ring, worker: WorkerProcess) -> None:
    """It ends soon, though not with 0: what it holds is not settled."""
    code, log = worker.stop()
    ring.claim(code == 75, f"stopped with a flood, the worker exited with {code}: {log[-500:]}")  # noqa: PLR2004


def _resume(ring: Ring) -> None:
    """As an operator does, with the worker's settings."""
    command = [sys.executable, "-m", "worker", "resume"]
    done = subprocess.run(
        command,
        env=ring.stage.environment(),
        cwd=ring.stage.code,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    ring.claim(done.returncode == 0, f"resume exited with {done.returncode}: {done.stderr[-500:]}")


SCENARIOS = (
    Scenario("S15", "400 to everything: stops after the guard, over restarts, until it is resumed; none missing", play),
)
