"""What an event must be in itself, at the edges of what it may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from worker.model import Body, Event
from worker.rooms.validate import LATEST, refusal

GOOD = Event(None, "a", None, None, None, None, Body("", b""), Body("", b""), {})


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"scored_at": 0},
        {"scored_at": LATEST - 1},
        {"response_time_ms": 0},
        {"response_time_ms": 2**63 - 1},
        {"scoring_id": "any text"},
        {"asset": " "},
    ],
)
def test_an_event_within_its_bounds_passes(change: dict[str, Any]) -> None:
    assert refusal(replace(GOOD, **change)) is None


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"asset": ""}, "asset-missing", "asset"),
        ({"scoring_id": ""}, "scoring-id-empty", "scoring_id"),
        ({"scored_at": -1}, "scored-at-range", "scored_at"),
        ({"scored_at": LATEST}, "scored-at-range", "scored_at"),
        ({"scored_at": -(2**63)}, "scored-at-range", "scored_at"),
        ({"response_time_ms": -1}, "response-time-negative", "response_time_ms"),
    ],
)
def test_an_event_beyond_its_bounds_is_refused_by_field(change: dict[str, Any], code: str, field: str) -> None:
    found = refusal(replace(GOOD, **change))
    assert found is not None
    assert (found.disposition, found.code) == ("validation", code)
    assert found.detail.startswith(field)


def test_the_latest_time_is_the_last_that_a_calendar_has() -> None:
    last = datetime.max.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    assert last // timedelta(microseconds=1) + 1 == LATEST
