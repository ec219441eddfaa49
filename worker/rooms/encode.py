"""From a normal form to the JSON record that is posted (contract §5.1, §8)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from worker.rooms.kept import Kept
from worker.rooms.validate import LATEST

if TYPE_CHECKING:
    from worker.model import Envelope, Event, Normal, Target

_THREE = tuple(f"{number:03d}" for number in range(1000))

_heads: Kept[int, tuple[Target, bytes]] = Kept()
"""The record's first members by the identity of its target, which is kept with them."""


def encode(envelope: Envelope, event: Event, target: Target, normal: Normal, scoring_id: str) -> bytes:
    """The record as one JSON object.

    The time is the event's own, else the Kafka record's; without either, or beyond the calendar, it is left out, and
    the data mart's clock decides.
    """
    record: dict[str, Any] = {"scoring_id": scoring_id}
    scored_at = event.scored_at
    if scored_at is None:
        scored_at = envelope.timestamp_ms * 1000
    if 0 <= scored_at < LATEST:
        record["scoring_timestamp"] = timestamp(scored_at)
    if event.response_time_ms is not None:
        record["response_time"] = event.response_time_ms
    record["request"] = normal.request
    record["response"] = normal.response
    kept = _heads.get(id(target))
    head = kept[1] if kept is not None and kept[0] is target else _head(target)
    return head + orjson.dumps(record)[1:]


def _head(target: Target) -> bytes:
    """The ids of a target, up to the comma before the next member; a data set knows them, and is told of many rows."""
    ids: dict[str, Any] = {
        "binding_id": target.binding_id,
        "subscription_id": target.subscription_id,
        "deployment_id": target.deployment_id,
    }
    if target.data_set_id is not None:
        ids = {"multiple_records": True}
    head = orjson.dumps(ids)[:-1] + b","
    _heads.keep(id(target), (target, head), 100 + len(head))
    return head


def timestamp(micros: int) -> str:
    """Microseconds since 1970 as ISO 8601 in UTC, always with six digits of fraction: `2019-06-11T10:00:00.123456Z`."""
    millis = micros // 1000
    return f"{_to_the_second(millis // 1000)}{_THREE[millis % 1000]}{_THREE[micros % 1000]}Z"


@lru_cache(maxsize=4096)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
