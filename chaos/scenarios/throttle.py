"""S6: 429 with every kind of Retry-After: no post before the time, from any thread."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, NamedTuple

from chaos.load import Load
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.mart import Request
    from chaos.outcome import Outcome
    from chaos.ring import Ring

THROTTLED = 429
UNDER_WAY = 0.75
"""Seconds after the answer in which posts may still arrive: those that had been started when it was read."""
SOON = 20
"""Seconds in which posts must go on once they may."""
CLOCKS = 0.05
"""Seconds that two clocks may differ by: a date is compared with the worker's clock of the day."""


class Ask(NamedTuple):
    """A value of the header, and the seconds that it asks for, or that are its cap."""

    name: str
    value: str
    seconds: float


def play(place: Place) -> Iterator[Outcome]:
    """One worker under load is throttled in every way, one after another."""
    wait = place.pick(2.0, 7.0)
    with place.ring() as ring:
        ring.settings |= {
            "BATCH__RECORDS": "50",
            "DELIVERY__RETRY_AFTER_MAX_SECONDS": str(wait + 1),
            "DELIVERY__RETRY_WAIT_MAX_SECONDS": "1",
        }
        with Load(ring.writer, 1500) as load, ring.worker() as worker:
            ring.until(lambda: ring.watch.arrived > 0, "the first event")
            for name in ("seconds", "date", "0", "garbage", "a day"):
                _throttle(ring, _ask(name, wait))
            load.end()
            ring.until_done()
            ring.stop(worker)
        ring.claim(not ring.letters.dispositions, "there are dead letters")
        yield ring.close(duplicates=0)


def _ask(name: str, wait: float) -> Ask:
    date = (datetime.now(UTC) + timedelta(seconds=wait + 1)).replace(microsecond=0)  # a date has whole seconds
    return {
        "seconds": Ask(name, f"{wait:.0f}", wait),
        "date": Ask(name, format_datetime(date, usegmt=True), date.timestamp() - time.time() - CLOCKS),
        "0": Ask(name, "0", 0.0),
        "garbage": Ask(name, "in a while", 0.0),
        "a day": Ask(name, "86400", wait + 1),
    }[name]


def _throttle(ring: Ring, ask: Ask) -> None:
    """One post is told to wait; then there must be silence, and then posts again."""
    asked = time.monotonic()
    action = {"status": THROTTLED, "headers": {"Retry-After": ask.value}}
    ring.mart.fault({"match": {"path": "scoring_payloads$"}, "action": action, "times": 1})
    told = _told(ring, asked)
    if told is None or told.answered is None:
        return
    seconds = ask.seconds - (told.answered - asked if ask.name == "date" else 0)
    due = told.answered + seconds
    if not ring.until(
        lambda: _after(ring, max(due, told.arrived)) is not None, f"posts after {ask.name}", seconds + SOON
    ):
        return
    again = _after(ring, told.answered + min(UNDER_WAY, seconds))
    if again is not None:
        ring.claim(again.arrived >= due, f"{ask.name}: a post came {due - again.arrived:.2f} s before the time")
        ring.note(ask.name, f"asked for {seconds:.1f} s, posts after {again.arrived - told.answered:.1f} s")


def _told(ring: Ring, since: float) -> Request | None:
    """The post that was throttled."""

    def found() -> list[Request]:
        return [post for post in ring.mart.posts() if post.status == THROTTLED and post.arrived >= since]

    return found()[0] if ring.until(lambda: bool(found()), "a throttled post") else None


def _after(ring: Ring, moment: float) -> Request | None:
    """The first post that arrived after a moment."""
    return next((post for post in ring.mart.posts() if post.arrived > moment), None)


SCENARIOS = (Scenario("S6", "429 with every kind of Retry-After: no post before the time, the cap is honoured", play),)
