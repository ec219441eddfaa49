"""Dead letters counted by what they have in common; bounded, whatever lies there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.dlq.letters import Letter
    from worker.dlq.where import Values

CAP: Final = 1000
"""Groups that are kept apart; what would be one more is counted with the others."""


@dataclass(slots=True)
class Group:
    """Letters that are alike. Times are in milliseconds since 1970, -1: none has one; `example` is a place."""

    key: tuple[str | None, ...]
    count: int = 0
    first: int = -1
    last: int = -1
    example: str = ""

    def add(self, letter: Letter) -> None:
        """Count one more."""
        time = letter.timestamp_ms
        if time >= 0:
            self.first = time if self.first < 0 else min(self.first, time)
            self.last = max(self.last, time)
        self.count += 1
        self.example = self.example or letter.place


class Groups:
    """Groups by the facts that `by` names."""

    def __init__(self, by: Sequence[str], cap: int = CAP) -> None:
        self.by = tuple(by)
        self.total = 0
        self.others = Group(())
        """All that found no place of their own."""
        self._groups: dict[tuple[str | None, ...], Group] = {}
        self._cap = cap

    def add(self, letter: Letter, facts: Values) -> None:
        """Count a letter in its group."""
        key = tuple(facts[name] for name in self.by)
        group = self._groups.get(key)
        if group is None:
            group = Group(key) if len(self._groups) < self._cap else self.others
            if group is not self.others:
                self._groups[key] = group
        group.add(letter)
        self.total += 1

    def largest(self) -> list[Group]:
        """The groups, those with most letters first; without the others."""
        return sorted(self._groups.values(), key=lambda each: (-each.count, each.example))
