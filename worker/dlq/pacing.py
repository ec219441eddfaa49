"""How fast records go, and when they stop: a rate, and the operator's signals."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

SLICES: Final = 5
"""How often a second a paced run writes."""

_NAP: Final = 0.1


class Pace:
    """Lets at most `rate` records a second go (None: as many as there are), until a signal comes.

    In `with`, SIGINT and SIGTERM stop it: what is being written is finished, and its position kept.
    """

    def __init__(
        self,
        rate: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.slice = None if rate is None else max(1, int(rate / SLICES))
        self.stopped = False
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._due = clock()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self, count: int) -> bool:
        """Wait until so many may go; False once it was stopped."""
        while not self.stopped and self._rate is not None and (left := self._due - self._clock()) > 0:
            self._sleep(min(left, _NAP))
        if self._rate is not None:
            self._due = max(self._due, self._clock() - 1 / SLICES) + count / self._rate
        return not self.stopped

    def _stop(self, *_: object) -> None:
        self.stopped = True
