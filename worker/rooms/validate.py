"""What an event must be in itself, whatever it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.model import Disposition, Refusal

if TYPE_CHECKING:
    from worker.model import Event

LATEST = 253_402_300_800_000_000
"""Microseconds from 1970 to the year 10000, which no ISO 8601 date of four digits can say."""


def refusal(event: Event) -> Refusal | None:
    """Why an event is refused; None if nothing is wrong with it in itself."""
    if not event.asset:
        return _invalid("asset-missing", "asset is empty: it names the subscription")
    if event.scoring_id is not None and not event.scoring_id:
        return _invalid("scoring-id-empty", "scoring_id is empty: leave it out (null) to have one derived")
    if event.scored_at is not None and not 0 <= event.scored_at < LATEST:
        return _invalid("scored-at-range", "scored_at is not between 1970 and 9999: it is in microseconds, in UTC")
    if event.response_time_ms is not None and event.response_time_ms < 0:
        return _invalid("response-time-negative", "response_time_ms is negative")
    return None


def _invalid(code: str, detail: str) -> Refusal:
    return Refusal(Disposition.VALIDATION, code, detail)
