"""Why a record is refused by the size of its value alone, in whatever format its topic is."""

from __future__ import annotations

from worker.model import Disposition, Refusal


def size_refusal(value: bytes | None, limit: int) -> Refusal:
    """The refusal of a value that is missing, has no bytes, or has more than `limit`."""
    if value is None:
        return Refusal(Disposition.DECODE, "tombstone", "the record has no value (a tombstone)")
    if not value:
        return Refusal(Disposition.DECODE, "empty-value", "the record's value has no bytes")
    detail = f"the value has {len(value)} bytes; limits.event_bytes allows {limit}"
    return Refusal(Disposition.TOO_LARGE, "event-too-large", detail)
