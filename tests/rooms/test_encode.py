"""The posted record: its keys, its times, and nothing that the data mart does not know."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.model import Body, Claim, Envelope, Event, Normal, Target
from worker.rooms.encode import encode, timestamp
from worker.rooms.validate import LATEST

TARGET = Target("b", "s", "d", "custom_machine_learning")
NORMAL = Normal({"fields": ["a"], "values": [[1.0]]}, {"fields": ["p"], "values": [["Y"]]}, 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encoded(
    kafka_ms: int = -1, scored_at: int | None = None, response_time_ms: int | None = None, target: Target = TARGET
) -> dict[str, Any]:
    event = Event(None, "a", None, None, scored_at, response_time_ms, Body("", b""), Body("", b""), {"secret": "x"})
    record = encode(Envelope(Claim("t", 0), 0, kafka_ms, b"key", b"", ()), event, target, NORMAL, "id")
    found: dict[str, Any] = json.loads(record)
    return found


def test_a_record_has_the_documented_keys_and_no_others() -> None:
    assert encoded(scored_at=0, response_time_ms=12) == {
        "binding_id": "b",
        "subscription_id": "s",
        "deployment_id": "d",
        "scoring_id": "id",
        "scoring_timestamp": "1970-01-01T00:00:00.000000Z",
        "response_time": 12,
        "request": {"fields": ["a"], "values": [[1.0]]},
        "response": {"fields": ["p"], "values": [["Y"]]},
    }
    assert encoded().keys() == {
        "binding_id",
        "subscription_id",
        "deployment_id",
        "scoring_id",
        "request",
        "response",
    }


def test_a_record_for_a_data_set_has_its_rows_told_in_place_of_the_ids_that_the_data_set_knows() -> None:
    of_v2 = replace(TARGET, data_set_id="ds")
    assert encoded(scored_at=0, response_time_ms=12, target=of_v2) == {
        "multiple_records": True,
        "scoring_id": "id",
        "scoring_timestamp": "1970-01-01T00:00:00.000000Z",
        "response_time": 12,
        "request": {"fields": ["a"], "values": [[1.0]]},
        "response": {"fields": ["p"], "values": [["Y"]]},
    }


@pytest.mark.parametrize("value", [0, 12, 2**63 - 1])
def test_a_response_time_is_an_integer_even_where_it_is_zero(value: int) -> None:
    found = encoded(response_time_ms=value)["response_time"]
    assert (type(found), found) == (int, value)


@given(st.integers(0, LATEST - 1))
@example(0)
@example(LATEST - 1)
@example(951_782_400_000_000)
def test_a_time_is_what_a_calendar_says_with_six_digits_of_fraction(micros: int) -> None:
    expected = (EPOCH + timedelta(microseconds=micros)).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    assert timestamp(micros) == expected == encoded(scored_at=micros)["scoring_timestamp"]


def test_the_events_own_time_wins_over_kafkas_and_zero_is_a_time() -> None:
    assert encoded(1000, 0)["scoring_timestamp"] == "1970-01-01T00:00:00.000000Z"
    assert encoded(1001)["scoring_timestamp"] == "1970-01-01T00:00:01.001000Z"
    assert "scoring_timestamp" not in encoded(-1)


@pytest.mark.parametrize("kafka_ms", [LATEST // 1000, 1_700_000_000_000_000, 2**63 - 1])
def test_a_kafka_timestamp_beyond_the_calendar_costs_no_worker(kafka_ms: int) -> None:
    """A producer that gives microseconds; a broker before Kafka 4 takes them. It raises out of the rooms."""
    assert encoded(kafka_ms)["scoring_id"] == "id"


TEXTS = st.text(max_size=12) | st.sampled_from(['"', "\\", "\n", "\x7f", "\u2028", "\U0001f600", "a\0b"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(
    ids=st.tuples(TEXTS, TEXTS, TEXTS),
    scoring_id=TEXTS,
    scored_at=st.none() | st.integers(0, LATEST - 1),
    kafka_ms=st.integers(-1, LATEST // 1000 - 1),
    response_time_ms=st.none() | st.integers(0, 2**63 - 1),
    request=st.dictionaries(TEXTS, VALUES, max_size=3),
    response=st.dictionaries(TEXTS, VALUES, max_size=3),
)
def test_a_record_is_what_json_makes_of_its_members(
    *,
    ids: tuple[str, str, str],
    scoring_id: str,
    scored_at: int | None,
    kafka_ms: int,
    response_time_ms: int | None,
    request: dict[str, Any],
    response: dict[str, Any],
) -> None:
    target = Target(*ids, "custom_machine_learning")
    event = Event(None, "a", None, None, scored_at, response_time_ms, Body("", b""), Body("", b""), {})
    micros = kafka_ms * 1000 if scored_at is None else scored_at
    expected: dict[str, Any] = dict(zip(("binding_id", "subscription_id", "deployment_id"), ids, strict=True))
    expected["scoring_id"] = scoring_id
    if micros >= 0:
        when = (EPOCH + timedelta(microseconds=micros)).replace(tzinfo=None)
        expected["scoring_timestamp"] = when.isoformat(timespec="microseconds") + "Z"
    if response_time_ms is not None:
        expected["response_time"] = response_time_ms
    expected |= {"request": request, "response": response}
    for _ in range(2):
        envelope = Envelope(Claim("t", 0), 0, kafka_ms, None, b"", ())
        found = json.loads(encode(envelope, event, target, Normal(request, response, 1), scoring_id))
        assert repr(found) == repr(json.loads(json.dumps(expected))), "with the types of numbers, and in this order"


def test_targets_that_differ_in_one_id_are_not_mistaken_for_each_other() -> None:
    """What is kept of a target is kept by its identity, which a target that is gone may leave to another."""
    event = Event(None, "a", None, None, None, None, Body("", b""), Body("", b""), {})
    envelope = Envelope(Claim("t", 0), 0, -1, None, b"", ())
    for at in range(5000):
        target = Target("b", f"s{at}", "d", "custom_machine_learning")
        assert json.loads(encode(envelope, event, target, NORMAL, "id"))["subscription_id"] == f"s{at}"
