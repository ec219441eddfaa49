"""S19: two tenants, one with nearly all of the load, which fails; the other must not wait with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from chaos.events import scoring
from chaos.latency import Arrivals, percentile, written
from chaos.load import Load
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring

SICK, HEALTHY = scoring(asset="sick"), scoring(asset="healthy")
OF_SICK, OF_HEALTHY = (0, 1, 2, 3, 4, 5), (6, 7)
RATE = 1_000
SHARE = 0.95
TIMES = 2.0
"""The p99 of the healthy one beside the sick one, in those of it alone."""
STANDING = 5.0
"""Seconds of latency that are no flow any more, however short the play."""


def play(place: Place) -> Iterator[Outcome]:
    """With the lane that all subscriptions share by default; in the full form with a lane for each, too."""
    for group_by in place.pick(("mart",), ("mart", "subscription")):
        with place.ring(partitions=len(OF_SICK) + len(OF_HEALTHY)) as ring:
            # crowded within a second or two: the sick one's events alone would fill all that may be open
            ring.stage.settings |= {"LIMITS__RECORDS": "4000", "DELIVERY__RETRY_WAIT_MAX_SECONDS": "2"}
            ring.settings["BATCH__GROUP_BY"] = group_by
            yield _beside(ring, place, group_by)


def _beside(ring: Ring, place: Place, group_by: str) -> Outcome:
    """The healthy one alone, then beside the sick one, then again after a rest; at last the sick one gets well."""
    sick, healthy = ring.subscribe("sick"), ring.subscribe("healthy")
    with ring.worker() as worker, Arrivals(ring.mart, healthy) as arrivals:
        ring.writer.produce(50, HEALTHY, partitions=OF_HEALTHY)
        ring.until_done()
        rule = {"match": {"path": "scoring_payloads$", "contains": sick}, "action": {"status": 503}}
        marks = _load(ring, rule, place.pick(5, 60))
        time.sleep(STANDING)
        _compare(ring, arrivals, marks, enforce=place.full)
        rested = ring.writer.produce(20, HEALTHY, partitions=OF_HEALTHY)
        ring.until(lambda: arrivals.times.keys() >= set(rested), "the healthy tenant's events after a rest", STANDING)
        ring.mart.heal()
        ring.watch.forgive()
        ring.until_done(120)
        ring.claim(len(worker.lines("partitions.assigned")) == 1, "the worker has left its group meanwhile")
        ring.stop(worker)
    ring.watch.look()
    ring.claim(not ring.letters.dispositions, "something was dead-lettered")
    return ring.close(group_by)


def _load(ring: Ring, rule: dict[str, Any], seconds: float) -> tuple[float, float, float]:
    """When the healthy one began, when the sick one began to fail beside it, and when both ended."""
    first = time.time()
    with Load(ring.writer, RATE * (1 - SHARE), HEALTHY, partitions=OF_HEALTHY):
        time.sleep(seconds)
        ring.mart.fault(rule)
        second = time.time()
        with Load(ring.writer, RATE * SHARE, SICK, partitions=OF_SICK):
            time.sleep(seconds)
    return first, second, time.time()


def _compare(ring: Ring, arrivals: Arrivals, marks: tuple[float, float, float], *, enforce: bool) -> None:
    """Latencies of events written between the first mark and the second, and between the second and the third."""
    first, second, third = marks
    stamps = written(ring.stage.bootstrap, ring.stage.topic, OF_HEALTHY)
    never = time.time()
    took = {event: arrivals.times.get(event, never) - at for event, at in stamps.items()}
    alone = percentile([took[event] for event, at in stamps.items() if first <= at < second], 0.99)
    beside = [took[event] for event, at in stamps.items() if second <= at < third]
    p99 = percentile(beside, 0.99)
    ring.note("p99 of the healthy one", f"{alone:.3f} s alone, {p99:.3f} s beside ({p99 / alone:.1f} times)")
    late = max(beside, default=STANDING)
    ring.claim(late < STANDING, f"an event of the healthy tenant took {late:.1f} s beside the failing one")
    ring.claim(not enforce or p99 <= TIMES * alone, f"the healthy tenant's p99 is {p99 / alone:.1f} times as long")


SCENARIOS = (
    Scenario("S19", "a tenant with 95 % of the load fails: the other's p99 stays within twice its own alone", play),
)
