"""How many records may be read now, so that no more than a given number go out in any second."""

from __future__ import annotations

BURST = 0.1
"""Seconds of the rate that may come at once."""


class Pace:
    """A bucket that fills with `rate` records a second, and holds a tenth of a second's, one record at least.

    Nothing is given out below half of that: a record at a time would cost many times as much as some together.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * BURST)
        self._least = max(1.0, self._most / 2)
        self._filled = self._most
        self._at = now

    def allowance(self, now: float) -> int:
        """Records that may be read now."""
        self._filled = min(self._most, self._filled + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
        return int(self._filled) if self._filled >= self._least else 0

    def took(self, records: int) -> None:
        """So many were read."""
        self._filled -= records

    @property
    def wait(self) -> float:
        """Seconds until there may be more."""
        return max(0.0, self._least - self._filled) / self._rate
