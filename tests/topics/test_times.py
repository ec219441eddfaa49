"""Times on the command line: with a zone, to the millisecond, or refused with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.topics.times import instant, shown

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEN_IN_MICROSECONDS = 1_763_805_600_000_000
"""What a producer writes that takes Kafka's milliseconds for microseconds."""
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=ZONES))  # noqa: DTZ001 - the zone is drawn
def test_a_time_in_any_zone_is_the_same_instant(moment: datetime) -> None:
    assert instant(moment.isoformat(), NOON) == round(moment.timestamp() * 1000)


@given(st.integers(0, 7_258_118_400_000))
def test_what_is_shown_is_read_back(milliseconds: int) -> None:
    assert instant(shown(milliseconds), NOON) == milliseconds


def test_now_is_the_clock_s_now() -> None:
    assert instant("now", NOON) == NOON.timestamp() * 1000


@pytest.mark.parametrize(
    ("text", "why"),
    [("2026-11-22T10:00:00", "no zone"), ("yesterday", "not an ISO 8601"), ("", "not an ISO 8601")],
)
def test_a_time_without_a_zone_or_sense_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        instant(text, NOON)
    assert repr(text) in str(caught.value)


def test_a_record_without_a_timestamp_is_shown_as_a_dash() -> None:
    assert shown(-1) == "-"


@pytest.mark.parametrize("milliseconds", [TEN_IN_MICROSECONDS, 10**15, 2**63 - 1])
def test_a_timestamp_that_no_calendar_has_is_shown_as_it_is(milliseconds: int) -> None:
    assert shown(milliseconds) == f"{milliseconds} ms"
