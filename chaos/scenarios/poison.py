"""S4 and S8: records that the endpoint refuses, among many that it takes."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from chaos.events import GOOD, scoring
from chaos.load import Load
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring

BATCH = 500
ONE_IN = 1000
HALVINGS = 2 * math.ceil(math.log2(BATCH))
SETTLE_SECONDS = 20
"""And as long as the events themselves take, at `LEAST_RATE` a second."""
LEAST_RATE = 2000
BAD_REQUEST: dict[str, Any] = {"status": 400}
EDGE: dict[str, Any] = {
    "status": 403,
    "headers": {"content-type": "text/html"},
    "body": "<html><head><title>403 Forbidden</title></head><body>Request blocked.</body></html>",
}


def play_poison(place: Place) -> Iterator[Outcome]:
    """One record in a thousand is refused with 400, whatever post it is in."""
    events = place.pick(20_000, 200_000)
    with place.ring() as ring:
        bad = _refused(ring, events, events // ONE_IN, BAD_REQUEST)
        again = [post for post in ring.mart.posts() if not post.fresh]
        ring.note("extra requests for each bad record", f"{len(again) / len(bad):.1f}, at most {HALVINGS}")
        ring.claim(len(again) <= HALVINGS * len(bad), f"{len(again)} extra requests for {len(bad)} bad records")
        outcome = ring.close(duplicates=0)
        yield _explained(ring, outcome, bad, "rejected")


def play_edge(place: Place) -> Iterator[Outcome]:
    """A firewall dislikes the text of one row; while more events come, and where there are no others."""
    yield from place.each(partial(_play_edge, place), ["busy", "quiet"])


def _play_edge(place: Place, variant: str) -> Outcome:
    with place.ring(variant) as ring:
        bad = _refused(ring, place.pick(5_000, 50_000), 1, EDGE, 200.0 if variant == "busy" else 0.0)
        ring.note("posts", len(ring.mart.posts()))
        outcome = ring.close(variant, duplicates=0)
        return _explained(ring, outcome, bad, "rejected-edge")


def _refused(ring: Ring, events: int, count: int, action: dict[str, Any], rate: float = 0.0) -> set[str]:
    """Play `events`, of which `count` hold a text for which posts go wrong, with a load behind; the ids of those."""
    poison = scoring("poison")
    numbers = set(ring.rng.sample(range(events), count))
    ids = ring.writer.produce(events, lambda number: poison if number in numbers else GOOD)
    bad = {ids[number] for number in numbers}
    ring.settings["BATCH__RECORDS"] = str(BATCH)
    ring.mart.fault({"match": {"path": "scoring_payloads$", "contains": "poison"}, "action": action})
    seconds = SETTLE_SECONDS + events / LEAST_RATE
    with ring.worker() as worker:
        with Load(ring.writer, rate):
            ring.until(lambda: bad <= ring.watch.settled, "the bad records settled", seconds)
        ring.until_done(seconds)
        ring.stop(worker)
    return bad


def _explained(ring: Ring, outcome: Outcome, bad: Collection[str], disposition: str) -> Outcome:
    """That exactly the bad ones have a dead letter, one, and with the reason."""
    wrong = set(bad) ^ ring.letters.dispositions.keys()
    other = [each for each in ring.letters.dispositions.values() if each != [disposition]]
    silent = [each for each in bad if not ring.letters.headers.get(each, {}).get("__dlq.errors.message")]
    found = {"not exactly the bad ones": wrong, f"not once, as {disposition}": other, "without a message": silent}
    return outcome.wrong(*(f"{len(some)} dead letters: {name}" for name, some in found.items() if some))


SCENARIOS = (
    Scenario("S4", "one record in 1,000 is refused: exactly those dead-lettered, few extra requests", play_poison),
    Scenario("S8", "a firewall dislikes one row's text: only that record dead-lettered, as rejected-edge", play_edge),
)
