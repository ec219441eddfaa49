"""S11: the directory of subscriptions cannot be had, at the start and in mid-run; and a storm of unknown assets.

In full the same of the schema registry, and worse (`chaos.schemas`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from chaos import schemas
from chaos.events import scoring
from chaos.latency import Arrivals, percentile, written
from chaos.load import Load
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring

DOWN = {"match": {"path": "service_bindings"}, "action": {"status": 503}}
UNKNOWN = scoring(asset="nobody-knows-it")
RATE = 300
WANTED = 5.0
"""Seconds between two fetches that unknown assets may cause."""
STALE = 3.0
"""Seconds that nothing may move while the directory is stale."""
HELD_UP = 2 * WANTED
"""Seconds that an event of another asset may take while unknown ones pour in."""


def play(place: Place) -> Iterator[Outcome]:
    """The two are apart, for the second counts fetches."""
    with place.ring() as ring:
        yield _outage(ring, place)
    with place.ring() as ring:
        yield _storm(ring, place)
    if place.full:
        yield from schemas.play(place)


def _outage(ring: Ring, place: Place) -> Outcome:
    """At the start the worker waits; later it goes on with what it has."""
    ring.settings["MART__REFRESH_SECONDS"] = "1"
    ring.mart.fault(DOWN)
    ring.writer.produce(500)
    with ring.worker() as worker:
        ring.until(lambda: bool(worker.lines("directory.stale")), "directory.stale at the start")
        ring.claim(worker.health("/startupz")[0] == 503, "/startupz is not 503 without a directory")  # noqa: PLR2004
        time.sleep(place.pick(1, 60))
        ring.claim(ring.watch.arrived == 0, "something was posted without a directory")
        ring.mart.heal()
        ring.until_done()
        ring.mart.fault(DOWN)
        fetches = worker.metrics()["directory_fetches"]
        with Load(ring.writer, RATE):
            ring.until(lambda: worker.metrics()["directory_fetches"] > fetches + 1, "a fetch in mid-run")
            ring.watch.forgive()
            time.sleep(place.pick(3, 120))
        ring.until_done(30)
        ring.claim(
            ring.watch.standstill < STALE, f"stood still for {ring.watch.standstill:.1f} s with a stale directory"
        )
        ring.claim(bool(worker.lines("directory.stale")), "no directory.stale in the log")
        ring.mart.heal()
        ring.stop(worker)
    return ring.close("directory down", duplicates=0)


def _storm(ring: Ring, place: Place) -> Outcome:
    """Half of the partitions get only unknown ones, as fast as they can be written."""
    storm, calm = (0, 1), (2, 3)
    events = place.pick(2_000, 50_000)
    ring.stage.settings |= {
        "MART__REFRESH_SECONDS": "3600",  # so every fetch but the first is the storm's
        "FLOOD_GUARD__UNKNOWN_ASSET_RECORDS": str(10 * events),
    }
    with ring.worker() as worker, Arrivals(ring.mart, ring.subscription) as arrivals:
        ring.writer.produce(10)
        ring.until_done()
        before, began = worker.metrics()["directory_fetches"], time.monotonic()
        with Load(ring.writer, RATE, partitions=calm):
            unknown = ring.writer.produce(events, UNKNOWN, partitions=storm)
            ring.until(lambda: ring.watch.settled.issuperset(unknown), "all unknown ones dead-lettered", 120)
            time.sleep(1)
        ring.until_done()
        fetches, seconds = worker.metrics()["directory_fetches"] - before, time.monotonic() - began
        ring.claim(fetches <= seconds / WANTED + 1, f"{fetches:.0f} fetches in {seconds:.1f} s")
        ring.note("fetches", f"{fetches:.0f} in {seconds:.1f} s")
        ring.stop(worker)
    _calm(ring, arrivals, calm)
    ring.watch.look()
    found = {event: kinds[0] for event, kinds in ring.letters.dispositions.items()}
    ring.claim(found == dict.fromkeys(unknown, "unknown-asset"), "not the unknown ones were dead-lettered, and as that")
    return ring.close("unknown assets", duplicates=0)


def _calm(ring: Ring, arrivals: Arrivals, partitions: tuple[int, ...]) -> None:
    """Events of other assets were not held up."""
    stamps = written(ring.stage.bootstrap, ring.stage.topic, partitions)
    took = [arrivals.times[event] - at for event, at in stamps.items() if event in arrivals.times]
    ring.claim(len(took) == len(stamps), "an event of another asset has not arrived")
    ring.claim(max(took) < HELD_UP, f"an event of another asset was held up for {max(took):.1f} s")
    ring.note("others, p99", f"{percentile(took, 0.99):.2f} s")


SCENARIOS = (
    Scenario("S11", "directory or registry down: the start waits, later stale is served; unknown assets", play),
)
