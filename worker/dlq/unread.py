"""Letters that a filter leaves out only because their events cannot be read: how many they are, and why. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from worker.dlq.where import Where

MOST: Final = 20
"""Reasons that are told apart; a reason may name a schema, and anybody's bytes may name any."""

OTHERS: Final = "other reasons"


class Unread:
    """Counts them by reason; true where there are any."""

    def __init__(self) -> None:
        self.why: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self.why)

    def add(self, reason: str) -> None:
        """Count one; reasons name fields and places, never values."""
        self.why[reason if reason in self.why or len(self.why) < MOST else OTHERS] += 1

    def line(self, where: Where) -> str:
        """One line for people."""
        reasons = ", ".join(f"{count:,}: {reason}" for reason, count in self.why.most_common())
        count = self.why.total()
        what = "letter is left out: its event" if count == 1 else "letters are left out: their events"
        return f"{count:,} {what} cannot be read, which --where {where} asks for ({reasons})"
