"""What of a store is not to be seen yet: the data mart's rows show up a moment after they were taken (contract §5.1).

A record is in the database before its post is answered, so that nothing that was taken can be lost, and its scoring
id is known at once. It is only not shown before its time; records come to light in the order in which they were
stored.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# greater than any sequence, and within a database's integers
ALL: Final = 2**62


class Curtain:
    """Hides what was stored in the last `seconds`; with 0, nothing."""

    def __init__(self, seconds: float = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._hidden: deque[tuple[float, int]] = deque()

    def hide(self, behind: int) -> None:
        """Records of a greater sequence than `behind` were stored just now."""
        if self._seconds:
            self._hidden.append((self._clock() + self._seconds, behind))

    def upto(self) -> int:
        """The greatest sequence that is to be seen."""
        while self._hidden and self._hidden[0][0] <= self._clock():
            self._hidden.popleft()
        return self._hidden[0][1] if self._hidden else ALL
