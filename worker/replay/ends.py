"""How far each span of a bounded read is, and which are still open."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.model import Claim
    from worker.topics.spans import Span

ENDLESS: Final = sys.maxsize
"""The end of a span that has none."""


class Ends:
    """Of the claims that are read; offsets that hold no record (compaction, transactions) are read like others."""

    def __init__(self) -> None:
        self.open: dict[Claim, int] = {}
        """The ends of spans that are not through, exclusive."""
        self._begins = 0
        self._at: dict[Claim, int] = {}

    def begin(self, spans: Iterable[tuple[Claim, Span]]) -> None:
        """Read these."""
        for claim, span in spans:
            self._at[claim] = span.begin
            self._begins += span.begin
            self.open[claim] = span.end

    @property
    def endless(self) -> bool:
        """Whether there is a span without an end."""
        return ENDLESS in self.open.values()

    @property
    def read(self) -> int:
        """Offsets that are read."""
        return sum(self._at.values()) - self._begins

    def left(self, claim: Claim, high: int) -> int:
        """Offsets of an open span that are to be read; `high` is the end of the log, for a span without one."""
        end = self.open[claim]
        return max(0, (high if end == ENDLESS else end) - self._at[claim])

    def reached(self, claim: Claim, offset: int) -> bool:
        """All of an open span before `offset` is read; whether that was the last of it."""
        end = self.open[claim]
        self._at[claim] = max(self._at[claim], min(offset, end))
        if offset >= end:
            del self.open[claim]
        return offset >= end
