"""S10: the data mart stores what was posted and resets the connection, so that nobody knows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring

SHARE = 0.05
BATCH = 50


def play(place: Place) -> Iterator[Outcome]:
    """Against a data mart that ignores a record it has already, and against one that refuses it with 409."""
    yield from place.each(partial(_play, place), ["ignore", "error"])


def _play(place: Place, repeated: str) -> Outcome:
    with place.ring(repeated, mart=["--duplicates", repeated]) as ring:
        ring.settings |= {"BATCH__RECORDS": str(BATCH), "DELIVERY__RETRY_WAIT_MAX_SECONDS": "1"}
        ring.writer.produce(place.pick(4_000, 50_000))
        rule = {"match": {"path": "scoring_payloads$"}, "action": {"reset": "after"}}
        some = {"share": SHARE, "seed": ring.rng.getrandbits(32)}
        ring.mart.fault({**rule, "after": 3, "times": 1}, {**rule, **some})  # one at least, whatever the chance
        with ring.worker() as worker:
            ring.until_done()
            ring.stop(worker)
        _look(ring, repeated)
        return ring.close("" if repeated == "ignore" else "409", duplicates=0)


def _look(ring: Ring, repeated: str) -> None:
    evidence = ring.evidence()
    resets = ring.mart.stats()["faults"].get("reset_after", 0)
    ring.note("posts", f"{len(ring.mart.posts())}, reset after they were stored: {resets}")
    ring.claim(resets > 0, "no post was reset")
    ring.claim(not evidence.lettered, f"{len(evidence.lettered)} dead letters")
    if repeated == "ignore":  # each that was stored unseen came again under its id, and was answered
        ring.note("again with the same id", len(evidence.seen))
        ring.claim(evidence.seen.keys() <= evidence.received.keys(), "a record was not sent again with its id")
    else:
        ring.note("found out to be there", len(evidence.seen))


SCENARIOS = (
    Scenario("S10", "stored, then reset, 5 % of posts: sent again with the same ids, nothing dead-lettered", play),
)
