"""S1: stopped in mid-stream by SIGTERM and started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome

EXIT_SECONDS = 25


def play(place: Place) -> Iterator[Outcome]:
    """The first worker is stopped when a tenth has arrived: by then it is at full speed."""
    events = place.pick(40_000, 125_000)
    with place.ring() as ring:
        ring.writer.produce(events)
        with ring.worker() as worker:
            ring.until(lambda: ring.watch.arrived > events // 10, "a tenth of the events")
            took = ring.stop(worker, EXIT_SECONDS)
        ring.watch.look()
        ring.claim(0 < ring.watch.arrived < events, "the worker was stopped before or after the stream, not in it")
        ring.note("stopped after", f"{ring.watch.arrived} events, in {took:.1f} s")
        with ring.worker() as worker:
            ring.until_done()
            ring.stop(worker, EXIT_SECONDS)
        yield ring.close(duplicates=0)


SCENARIOS = (Scenario("S1", "SIGTERM in mid-stream, restart: nothing missing, nothing twice, exit 0 in 25 s", play),)
