"""Times as texts: RFC 3339, as JSON events and CloudEvents have them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def micros_of(text: str) -> int | None:
    """Microseconds since 1970 of a time with its zone; what is finer is cut. None where it is none."""
    if _WRITTEN.fullmatch(text) is None:
        return None
    try:
        return (datetime.fromisoformat(text.upper()) - _FIRST) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None
