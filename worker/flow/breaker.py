"""When posts may start: closed for everyone after failures or a halt, opened again by one probe."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Passage(Enum):
    """How many posts a breaker lets start now."""

    ALL = "all"
    ONE = "one"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """`failures` in a row open the breaker; `wait(n)` is the time in seconds before the n-th probe, n from 1."""

    failures: int
    wait: Callable[[int], float]


class Breaker:
    """A circuit breaker over posts (closed: they pass; open: none; half-open: one probe at a time).

    It also keeps a hold, the time before which the endpoint asked for no request at all (`Retry-After`).
    """

    __slots__ = ("_failures", "_hold", "_policy", "_probe_at", "_probing", "_trips", "reason")

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._failures = 0
        self._trips = 0
        self._probe_at = 0.0
        self._probing = False
        self._hold = 0.0
        self.reason: str | None = None
        """Why posts do not pass; None while the breaker is closed."""

    @property
    def closed(self) -> bool:
        """Whether posts pass (a hold may still delay them)."""
        return self.reason is None

    def passage(self, now: float) -> Passage:
        """What may start now."""
        if now < self._hold:
            return Passage.NONE
        if self.closed:
            return Passage.ALL
        return Passage.NONE if self._probing or now < self._probe_at else Passage.ONE

    def started(self) -> bool:
        """A post has started; True if it is the probe of an open breaker."""
        self._probing = not self.closed
        return self._probing

    def hold(self, until: float) -> None:
        """Let nothing start before `until`; a shorter hold never shortens a longer one."""
        self._hold = max(self._hold, until)

    def held(self, now: float) -> float:
        """Seconds for which the hold lasts."""
        return max(0.0, self._hold - now)

    def failed(self, reason: str, now: float, *, probe: bool) -> bool:
        """Count a failure; True if the breaker opened by it."""
        self._failures += 1
        if self.closed and self._failures < self._policy.failures:
            return False
        return self.trip(reason, now, probe=probe)

    def trip(self, reason: str, now: float, *, probe: bool) -> bool:
        """Open at once, or stay open and wait longer for the next probe; True if it was closed before.

        Posts that had started before the breaker opened fail after it: they are no probes, and push nothing back.
        """
        opened = self.closed
        if opened or probe:
            self._trips += 1
            self._probe_at = now + self._policy.wait(self._trips)
        self.reason = reason
        self.ended(probe=probe)
        return opened

    def ended(self, *, probe: bool) -> None:
        """A post has ended in a way that says nothing of the endpoint: the next probe may start."""
        if probe:
            self._probing = False

    def passed(self) -> bool:
        """A post got through; True if the breaker closed by it."""
        reopened = not self.closed
        self._failures = self._trips = 0
        self._probing = False
        self.reason = None
        return reopened
