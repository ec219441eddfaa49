"""Points in time as people give them on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

NOW = "now"


def instant(text: str, now: datetime) -> int:
    """Milliseconds since 1970 of an ISO 8601 time with its zone (`2026-11-22T10:00:00Z`), or of `now`.

    Raises:
        ValueError: it is no such time, or says no zone: then it would mean another time on another machine.
    """
    if text == NOW:
        return _milliseconds(now)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not an ISO 8601 time, as 2026-11-22T10:00:00Z"
        raise ValueError(message) from None
    if found.tzinfo is None:
        message = f"{text!r} has no zone: append Z for UTC, or an offset as +01:00"
        raise ValueError(message)
    return _milliseconds(found)


def shown(milliseconds: int) -> str:
    """The same in UTC, to the millisecond; a dash where a record has no timestamp (-1).

    A producer may write any number, as microseconds: what no calendar has is shown as the number that it is.
    """
    if milliseconds < 0:
        return "-"
    try:
        found = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{milliseconds} ms"
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(found: datetime) -> int:
    return round(found.timestamp() * 1000)
