"""Payload events as a service writes them: a scoring, in Avro, in Confluent's framing."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import fastavro

from worker.edges.schemas import READER, shipped

if TYPE_CHECKING:
    from worker.model import Body

SCHEMA_ID = 1
"""The payload event's schema, in the index of the schema directory."""


def record(asset: str, request: Body, response: Body, milliseconds: int, scoring_id: str | None) -> dict[str, Any]:
    """A scoring that has just ended; most services leave the rest of the fields to the worker."""
    return {
        "asset": asset,
        "scoring_id": scoring_id,
        "scored_at": datetime.now(UTC),
        "response_time_ms": milliseconds,
        "request": body(request),
        "response": body(response),
        "attributes": {"service": "loans-web"},
    }


def body(native: Body) -> dict[str, Any]:
    """A native request or response as the event has it."""
    return {"content_type": native.content_type, "data": native.data}


def confluent(event: dict[str, Any], schema_id: int = SCHEMA_ID) -> bytes:
    """Magic byte, schema id, Avro."""
    stream = io.BytesIO(b"\x00" + schema_id.to_bytes(4, "big"))
    stream.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(stream, _schema(), event)
    return stream.getvalue()


@lru_cache(maxsize=1)
def _schema() -> Any:
    return fastavro.parse_schema(json.loads((shipped() / READER).read_text(encoding="utf-8")))
