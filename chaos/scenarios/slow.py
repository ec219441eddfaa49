"""S12: a data mart that takes its time, or never answers: requests time out, and the group stays as it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring

PAYLOADS = {"path": "scoring_payloads$"}
HOUR_MS = 3_600_000


def play(place: Place) -> Iterator[Outcome]:
    """An answer that comes long after the timeout, for a request that was processed by then; and none at all."""
    late = {"match": PAYLOADS, "action": {"delay_ms": place.pick(5_000, 90_000)}}
    never = {"match": PAYLOADS, "action": {"hang_ms": HOUR_MS}}
    both = {"late or never": [{**late, "share": 0.5, "seed": 1}, never]}
    for variant, rules in place.pick(both, {"late": [late], "never": [never]}).items():
        with place.ring() as ring:
            yield _time_out(ring, place, variant, rules)


def _time_out(ring: Ring, place: Place, variant: str, rules: list[dict[str, Any]]) -> Outcome:
    """For longer than the group waits for a member that does not poll."""
    timeout, patience = place.pick(2, 30), place.pick(4, 45)
    ring.stage.settings |= {
        "MART__TIMEOUT_SECONDS": str(timeout),
        "DELIVERY__RETRY_WAIT_MAX_SECONDS": "1",
        "LIMITS__RECORDS": "2000",  # soon full: the worker must poll without reading
        "KAFKA__CONSUMER__SESSION_TIMEOUT_MS": str(patience * 1000),
        "KAFKA__CONSUMER__MAX_POLL_INTERVAL_MS": str(patience * 1000),
    }
    with ring.worker() as worker:
        ring.writer.produce(1_000)
        ring.until_done()
        ring.mart.fault(*rules)
        ring.writer.produce(place.pick(4_000, 50_000))
        began = time.monotonic()
        ring.until(lambda: worker.metrics().get("http_retries", 0) > 0, "a timeout", timeout * 4)
        ring.note("first timeout after", f"{time.monotonic() - began:.1f} s of {timeout} s")
        time.sleep(patience * 1.5)
        ring.claim(worker.health("/livez")[0] == 200, "/livez does not answer 200")  # noqa: PLR2004 - a status
        ring.mart.heal()
        ring.watch.forgive()
        ring.until_done(timeout * 4 + 60)
        ring.claim(len(worker.lines("partitions.assigned")) == 1, "partitions were assigned anew")
        ring.claim(not worker.lines("partitions.revoked"), "partitions were revoked")
        ring.claim(not worker.lines("partitions.lost"), "partitions were lost")
        ring.stop(worker)
    ring.watch.look()
    ring.claim(not ring.letters.dispositions, "something was dead-lettered")
    return ring.close(variant)


SCENARIOS = (Scenario("S12", "answers far too late, or none: requests time out, the group stays, none missing", play),)
