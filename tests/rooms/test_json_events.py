"""JSON events of the event's schema: the same event as from Avro, every fault named by its field, no value told."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.model import Body, Claim, Disposition, Envelope, Event, Refusal, Table
from worker.rooms.json_events import JsonEvents

PRIVATE = "4929123456789"
LIMIT = 4096
EVENT: dict[str, Any] = {
    "asset": "action",
    "request": {"fields": ["a", "b"], "values": [[2**53 + 1, None], [0.1, "x"]]},
    "response": {"content_type": "application/json", "data": '{"fields":["p"],"values":[[1],[2]]}'},
}


def decode(value: bytes | None) -> Event | Refusal:
    return JsonEvents(LIMIT).event(Envelope(Claim("t", 0), 0, 0, None, value, ()))


def passed(**more: Any) -> Event:
    found = decode(json.dumps({**EVENT, **more}).encode())
    assert isinstance(found, Event), found
    return found


def refused(**more: Any) -> str:
    found = decode(json.dumps({**EVENT, **more}).encode())
    assert isinstance(found, Refusal)
    assert (found.disposition, found.code) == (Disposition.DECODE, "not-an-event")
    assert PRIVATE not in found.detail
    return found.detail


def test_an_event_has_all_that_the_schema_has_and_its_defaults() -> None:
    table = Table(["a", "b"], [[2**53 + 1, None], [0.1, "x"]])
    body = Body("application/json", b'{"fields":["p"],"values":[[1],[2]]}')
    assert passed() == Event(None, "action", None, None, None, None, table, body, {})
    more = {"binding": "b", "deployment": "d", "scoring_id": "s", "scored_at": 1_560_247_200_123_456}
    found = passed(**more, response_time_ms=12, attributes={"trace": "t"})
    assert found == Event("b", "action", "d", "s", 1_560_247_200_123_456, 12, table, body, {"trace": "t"})


@given(st.integers(-(2**63), 2**64 - 1))
def test_integers_of_64_bits_are_exact(number: int) -> None:
    request = passed(request={"fields": ["a"], "values": [[number]]}).request
    assert isinstance(request, Table)
    assert request.values == [[number]]


def test_a_body_may_be_bytes_in_base64_and_a_time_a_text() -> None:
    data = base64.b64encode(b"1,2\n\xff").decode()
    assert passed(request={"content_type": "text/csv", "data_base64": data}).request == Body("text/csv", b"1,2\n\xff")
    assert passed(scored_at="2019-06-11T10:00:00.1234567+02:00").scored_at == 1_560_240_000_123_456
    meta = {"fields": ["m"], "values": [[1], [2]]}
    assert passed(request={"fields": None, "values": ["x"], "meta": meta}).request == Table(None, ["x"], meta)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"asset": None}, "asset"),
        ({"asset": 4929123456789}, "asset"),
        ({"binding": [PRIVATE]}, "binding"),
        ({"scored_at": 1.5}, "scored_at"),
        ({"scored_at": True}, "scored_at"),
        ({"scored_at": 2**63}, "scored_at"),
        ({"scored_at": PRIVATE}, "scored_at"),
        ({"scored_at": "2019-13-11T10:00:00Z"}, "scored_at"),
        ({"scored_at": "2019-06-11T10:00:00"}, "scored_at"),
        ({"response_time_ms": "12"}, "response_time_ms"),
        ({"request": None}, "request"),
        ({"request": PRIVATE}, "request"),
        ({"request": {"fields": ["a"]}}, "request"),
        ({"request": {"values": {}}}, "request.values"),
        ({"request": {"values": [], "fields": [PRIVATE, 1]}}, "request.fields"),
        ({"request": {"values": [], "meta": [PRIVATE]}}, "request.meta"),
        ({"request": {"values": [], "meta": {"fields": PRIVATE}}}, "request.meta.fields"),
        ({"response": {"content_type": "text/csv"}}, "response"),
        ({"response": {"content_type": 1, "data": PRIVATE}}, "content_type"),
        ({"response": {"content_type": "x", "data": 4929123456789}}, "data"),
        ({"response": {"content_type": "x", "data": None}}, "response.data"),
        ({"response": {"content_type": "x", "data": "", "data_base64": ""}}, "data_base64"),
        ({"response": {"content_type": "x", "data_base64": f"{PRIVATE}!"}}, "response.data_base64"),
        ({"response": {"content_type": "x", "data_base64": "é"}}, "response.data_base64"),
        ({"response": {"content_type": "x", "data": "", "more": PRIVATE}}, "'more'"),
        ({"attributes": {"a": 1}}, "attributes"),
        ({"surplus": PRIVATE}, "'surplus'"),
    ],
)
def test_a_fault_is_named_by_its_field_and_no_value_told(more: dict[str, Any], named: str) -> None:
    assert named in refused(**more)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "tombstone"),
        (b"", "empty-value"),
        (b"x" * (LIMIT + 1), "event-too-large"),
        (b"\x00\x00\x00\x00\x01", "not-json-event"),
        (b'{"asset":"\xff"}', "not-json-event"),
        (b'{"asset":"a","request":{"values":[[NaN]]}}', "not-json-event"),
        (b'{"asset":"a","request":{"values":[[-Infinity]]}}', "not-json-event"),
        (b"[" * 4000, "not-json-event"),
        (b"[1]", "not-an-event"),
        (b"1", "not-an-event"),
    ],
)
def test_what_is_no_json_object_is_refused(value: bytes | None, code: str) -> None:
    found = decode(value)
    assert isinstance(found, Refusal)
    assert found.code == code
