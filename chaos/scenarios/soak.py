"""S20: a steady load for long: memory, open files and threads stay what they are."""

from __future__ import annotations

import time
from statistics import linear_regression
from typing import TYPE_CHECKING

from chaos.load import Load
from chaos.proc import Usage, usage
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

RATE = 2_000
HOUR = 3600.0
MIB = 2.0**20
SLOPE = 1.0
"""MiB an hour by which the resident memory may grow after the warm-up."""
FLAT = 2
"""Open files and threads that may come and go: a connection made anew, a fetch of the directory."""


def play(place: Place) -> Iterator[Outcome]:
    """A third of the time in the short form, and five minutes in the full one, are for warming up."""
    seconds, warm_up = place.pick((12, 4), (30 * 60, 5 * 60))
    with place.ring() as ring, ring.worker() as worker:
        ring.writer.produce(1)
        ring.until_done()
        with Load(ring.writer, RATE) as load:
            time.sleep(warm_up)
            samples = list(_samples(worker, seconds - warm_up, place.pick(0.5, 5.0)))
            rate = load.end() / seconds
        ring.until_done(30)
        ring.note("rate", f"{rate:.0f} a second")
        ring.claim(rate > RATE / 2, f"the load was only {rate:.0f} a second")
        _judge(ring, samples, enforce_slope=place.full)
        ring.stop(worker)
        yield ring.close(duplicates=0)


def _samples(worker: WorkerProcess, seconds: float, interval: float) -> Iterator[tuple[float, Usage]]:
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        yield now, usage(worker.process.pid)
        time.sleep(interval)


def _judge(ring: Ring, samples: list[tuple[float, Usage]], *, enforce_slope: bool) -> None:
    found = [each for _, each in samples]
    slope = linear_regression([at for at, _ in samples], [each.rss / MIB for each in found]).slope * HOUR
    ring.note(
        "RSS", f"{found[0].rss / MIB:.1f} MiB, {slope:+.2f} MiB an hour over {samples[-1][0] - samples[0][0]:.0f} s"
    )
    ring.claim(not enforce_slope or slope < SLOPE, f"RSS grows by {slope:.2f} MiB an hour")
    for name, values in {"open files": [e.files for e in found], "threads": [e.threads for e in found]}.items():
        ring.note(name, f"{min(values)} to {max(values)}")
        half = len(values) // 2
        grown = max(values[half:]) - max(values[:half])
        ring.claim(grown <= FLAT, f"{name} grow: by {grown} in the second half")


SCENARIOS = (Scenario("S20", "2,000 a second for long: memory, open files and threads flat, none missing", play),)
