"""S7: the token is revoked in mid-stream, the token service is down, the key is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from chaos.load import Load
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

RATE = 1000
TOKEN_PATH = {"path": "/identity/token$|/preauth/validateAuth$"}
SLOW: dict[str, Any] = {"match": {"path": "scoring_payloads$"}, "action": {"delay_ms": 250}}
"""Posts take so long that several are under way when the token goes."""
DOWN: dict[str, Any] = {"action": {"status": 503}}
WRONG_KEY: dict[str, Any] = {
    "action": {
        "status": 400,
        "body": {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found.", "context": {}},
    }
}
OK, UNAVAILABLE = 200, 503


def play(place: Place) -> Iterator[Outcome]:
    """One worker under load, three troubles one after another; each ends by itself once its cause has."""
    with place.ring() as ring:
        ring.settings |= {"BATCH__RECORDS": "50", **place.pick({"DELIVERY__RETRY_WAIT_MAX_SECONDS": "1"}, {})}
        with Load(ring.writer, RATE) as load, ring.worker() as worker:
            ring.until(lambda: ring.watch.arrived > RATE, "a worker at work")
            ring.mart.fault(SLOW)
            _revoked(ring)
            _without_token(ring, worker, DOWN, "no-token", place.pick(3, 120))
            _without_token(ring, worker, WRONG_KEY, "credentials-refused", place.pick(3, 30))
            load.end()
            ring.mart.heal()
            ring.until_done()
            ring.claim(len(worker.lines("partitions.revoked")) == 0, "the group was left")
            ring.stop(worker)
        ring.claim(not ring.letters.dispositions, f"{len(ring.letters.dispositions)} dead letters")
        yield ring.close(duplicates=0)


def _revoked(ring: Ring) -> None:
    """All posts that are under way are answered 401 at once: one fetch is enough for them all."""
    before, arrived = _fetches(ring), ring.watch.arrived
    ring.mart.revoke_tokens()
    ring.until(lambda: ring.watch.arrived > arrived + 2 * RATE, "events with a new token")
    refused = sum(post.status == 401 for post in ring.mart.posts())  # noqa: PLR2004 - a status
    fetched = _fetches(ring) - before
    ring.note("posts answered 401", refused)
    ring.claim(refused > 1, f"{refused} posts were answered 401: too few to fetch more than one token")
    ring.claim(fetched == 1, f"{fetched} tokens were fetched after the revocation, not one")


def _without_token(ring: Ring, worker: WorkerProcess, fault: dict[str, Any], reason: str, seconds: float) -> None:
    """The old token is gone and there is no new one for so many seconds: it waits, says why, and goes on."""
    ring.mart.fault({**fault, "match": TOKEN_PATH})
    ring.mart.revoke_tokens()
    told = (UNAVAILABLE, {"ready": False, "reason": reason})
    ring.until(lambda: worker.health("/readyz") == told, f"{reason} at /readyz")
    arrived = ring.watch.arrived
    time.sleep(seconds)
    ring.claim(worker.health("/readyz") == told, f"/readyz said {worker.health('/readyz')} without a token")
    ring.claim(worker.health("/livez")[0] == OK, "/livez failed without a token")
    ring.claim(ring.watch.arrived <= arrived + RATE, "events arrived without a token")
    ring.mart.heal()
    ring.mart.fault(SLOW)
    ring.until(lambda: worker.health("/readyz")[0] == OK, f"readiness after {reason}")
    ring.watch.forgive()


def _fetches(ring: Ring) -> int:
    return sum(each.is_token for each in ring.mart.requests())


SCENARIOS = (Scenario("S7", "token revoked, IAM down, wrong key: one refresh, nothing lost, it says why", play),)
