"""What the flow tells of itself: counts for metrics, notices and refusals for the log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.model import Rejection


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people should read in the log."""

    event: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class Tally:
    """What the flow has counted since it began; metrics are read from here."""

    consumed: int = 0
    delivered: int = 0
    duplicates: int = 0
    posts: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    lettered: Counter[str] = field(default_factory=Counter)
    letter_failures: int = 0
    commits_refused: int = 0


class Account:
    """Kept by all parts of the flow; whoever logs empties `notices` and `refused`."""

    __slots__ = ("notices", "refused", "tally")

    def __init__(self) -> None:
        self.tally = Tally()
        self.notices: list[Notice] = []
        self.refused: list[Rejection] = []
        """What the data mart has refused."""

    def notice(self, event: str, **fields: Any) -> None:
        """Add something that people should read."""
        self.notices.append(Notice(event, fields))
