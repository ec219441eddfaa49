"""S5: the data mart answers 503 to everybody for a while."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from chaos.proc import usage
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

PATH = {"path": "scoring_payloads$"}
OUTAGE = {"match": PATH, "action": {"status": 503}}
SLOW = {"match": PATH, "action": {"delay_ms": 250}}
"""Each post takes its time, before and after: so the endpoint bounds the rate, and not what else the machine does."""
MIB = 1024 * 1024
RSS_SHARE = 0.1
RATE_SHARE = 0.9
SAMPLE_SECONDS = 0.5


class Sizes(NamedTuple):
    """`events` must last until the end, else seconds. Rates are over `window`, one of them `healing` after the end."""

    events: int
    warm_up: float
    window: float
    outage: float
    healing: float


SHORT = Sizes(events=28_000, warm_up=2, window=2, outage=8, healing=2)
FULL = Sizes(events=250_000, warm_up=20, window=15, outage=300, healing=30)


def play(place: Place) -> Iterator[Outcome]:
    """There is a backlog all the time, so the rate before and the rate after are of the same work."""
    sizes = place.pick(SHORT, FULL)
    with place.ring() as ring:
        # so few posts at once that the endpoint bounds the rate for as long as this takes
        ring.settings |= {"BATCH__RECORDS": "100", "LIMITS__RECORDS": "10000", "DELIVERY__IN_FLIGHT": "6"}
        ring.settings |= place.pick({"DELIVERY__RETRY_WAIT_MAX_SECONDS": "1"}, {})
        ring.mart.fault(SLOW)
        ring.writer.produce(sizes.events)
        with ring.worker() as worker:
            ring.until(lambda: ring.watch.arrived > 0, "the first event")
            before, level = _normal(sizes, ring, worker)
            _outage(sizes, ring, worker, level)
            _healed(sizes, ring, before, enforced=place.full)
            ring.mart.heal()  # the rest may come as fast as it can
            ring.until_done()
            ring.claim(worker.metrics()["rebalances"] == 1, "there were rebalances")
            ring.claim(not worker.lines("partitions.revoked"), "partitions were revoked")
            ring.stop(worker)
        outcome = ring.close(duplicates=0)
        dead = outcome.judgement.dead_lettered if outcome.judgement else 0
        yield outcome.wrong(*([f"{dead} dead letters in an outage"] if dead else []))


def _normal(sizes: Sizes, ring: Ring, worker: WorkerProcess) -> tuple[float, float]:
    """The rate and the RSS while all is well."""
    time.sleep(sizes.warm_up)
    began = time.monotonic()
    level = median(_rss(worker, sizes.window))
    return ring.watch.rate(began, time.monotonic()), level


def _outage(sizes: Sizes, ring: Ring, worker: WorkerProcess, level: float) -> None:
    ring.mart.heal()
    ring.mart.fault(OUTAGE)
    found = _rss(worker, sizes.outage)
    least, most = min(found) / level - 1, max(found) / level - 1
    # less is no fault: partitions that are paused give back what was fetched of them
    ring.claim(most <= RSS_SHARE, f"RSS grew by {most:+.1%}")
    ring.note("RSS before", f"{level / MIB:.0f} MiB, in the outage {least:+.1%} to {most:+.1%}")
    code, health = worker.health("/readyz")
    ring.claim((code, health["reason"]) == (503, "server-error"), f"/readyz said {code} {health} in the outage")
    ring.claim(worker.health("/livez")[0] == 200, "/livez failed in the outage")  # noqa: PLR2004 - a status
    ring.mart.heal()
    ring.mart.fault(SLOW)


def _healed(sizes: Sizes, ring: Ring, before: float, *, enforced: bool) -> None:
    time.sleep(sizes.healing)
    began = time.monotonic()
    time.sleep(sizes.window)
    after = ring.watch.rate(began, time.monotonic())
    ring.claim(ring.watch.arrived < sizes.events, "the backlog did not last: the rates say nothing")
    ring.note(
        "rate after", f"{after:,.0f}/s, {after / max(before, 1):.0%} of before, {sizes.healing:.0f} s after the end"
    )
    ring.claim(not enforced or after >= RATE_SHARE * before, f"{after:,.0f} events/s after, {before:,.0f} before")
    ring.watch.forgive()


def _rss(worker: WorkerProcess, seconds: float) -> list[float]:
    """Bytes, sampled for so long."""
    found: list[float] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found.append(usage(worker.process.pid).rss)
        time.sleep(SAMPLE_SECONDS)
    return found


SCENARIOS = (
    Scenario("S5", "503 for everybody: no dead letter, no rebalance, no more memory, then the former rate", play),
)
