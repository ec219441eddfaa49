"""Events as producers write them: the payload event's schema, each framing, each engine's native payload."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import fastavro

from worker.edges.schemas import shipped

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = fastavro.parse_schema(json.loads((shipped() / "payload_event.avsc").read_text()))
CONFLUENT = b"\x00" + (1).to_bytes(4, "big")


def body(data: bytes | str | Any, content_type: str = "application/json") -> dict[str, Any]:
    """A native request or response: bytes as they are, text in UTF-8, anything else as JSON."""
    if isinstance(data, str):
        data = data.encode()
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return {"content_type": content_type, "data": data}


def event(asset: str, request: Any, response: Any, **more: Any) -> dict[str, Any]:
    """An event with all fields, those not given at their defaults."""
    blank = dict.fromkeys(("binding", "deployment", "scoring_id", "scored_at", "response_time_ms"))
    return {**blank, "asset": asset, "request": request, "response": response, "attributes": {}, **more}


def avro(record: dict[str, Any]) -> bytes:
    """The bare Avro body."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, SCHEMA, record)
    return stream.getvalue()


def confluent(record: dict[str, Any]) -> bytes:
    """Confluent's wire format, schema id 1."""
    return CONFLUENT + avro(record)


def custom(count: int = 1, asset: str = "action", start: int = 0) -> dict[str, Any]:
    """A custom engine's scoring of `count` rows."""
    request = {
        "fields": ["age", "hours", "income", "sector"],
        "values": [[start + n, 37.5, None, f"sector {start + n}"] for n in range(count)],
    }
    response = {"fields": ["prediction", "probability"], "values": [["yes", [0.25, 0.75]] for _ in range(count)]}
    return event(asset, body(request), body(response))


def many(count: int) -> Iterable[dict[str, Any]]:
    """`count` different scorings of one row by a custom engine."""
    return (custom(start=n) for n in range(count))
