"""S21: the release before and this one in one group, and the one taking over from the other, both ways.

The release before is taken from git: `CHAOS_PREVIOUS`, a tag or a commit; else `PREVIOUS`.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.load import Load
from chaos.outcome import Outcome
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

PREVIOUS = "c339209"
ROOT = Path(__file__).parents[2]
PARTS = ("worker", "schemas", "pyproject.toml")
PARTITIONS = 6
RATE = 800


def play(place: Place) -> Iterator[Outcome]:
    """Two of the old, then two of this, then two of the old again: each joins while the other's are there."""
    previous = os.environ.get("CHAOS_PREVIOUS", PREVIOUS)
    if not place.full and not _known(previous):
        yield Outcome(notes={"not played": f"this clone has no {previous}, the release before"})
        return
    with release(previous) as old, place.ring(partitions=PARTITIONS) as ring:
        ring.note("versions", f"{previous}, this, {previous}")
        with ExitStack() as stack:
            with Load(ring.writer, RATE):
                last = _relay(ring, stack, (old, place.code, old), place.pick(1.0, 15.0))
            ring.until_done()
            for worker in last:
                ring.stop(worker)
        ring.watch.look()
        ring.claim(not ring.letters.dispositions, "something was dead-lettered")
        yield ring.close()


def _relay(ring: Ring, stack: ExitStack, codes: tuple[Path | None, ...], pause: float) -> list[WorkerProcess]:
    """The workers that are left at the end."""
    present: list[WorkerProcess] = []
    for code in codes:
        ring.stage.code = code
        coming = [_join(ring, stack), _join(ring, stack)]
        time.sleep(pause)
        for worker in present:
            ring.stop(worker)
            time.sleep(pause)
        present = coming
        _go_on(ring)
    return present


def _go_on(ring: Ring) -> None:
    arrived = ring.watch.arrived
    ring.until(lambda: ring.watch.arrived > arrived + RATE, "another second's events")


def _join(ring: Ring, stack: ExitStack) -> WorkerProcess:
    worker = stack.enter_context(ring.worker())
    ring.until(lambda: bool(worker.lines("partitions.assigned")), "an assignment for the one that came")
    return worker


def _known(name: str) -> bool:
    """Whether git has it: a shallow clone may not."""
    command = ["git", "cat-file", "-e", f"{name}^{{commit}}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


@contextmanager
def release(name: str) -> Iterator[Path]:
    """A directory with the worker of a tag or commit, as git has it."""
    with tempfile.TemporaryDirectory(prefix="payload-release-") as home:
        command = ["git", "archive", name, *PARTS]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"git has no {name}, the release before: {done.stderr.decode()}; set CHAOS_PREVIOUS")
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(home, filter="data")
        yield Path(home)


SCENARIOS = (Scenario("S21", "the release before and this in one group, taking over both ways: none missing", play),)
