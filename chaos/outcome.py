"""What came of a scenario: the row of the table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaos.oracle import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The books, what else was found (`notes`, for people), and what is wrong (`faults`): nothing, where it passed.

    `variant` tells apart the outcomes of one scenario; `seconds` is what it took, where others were played meanwhile.
    """

    variant: str = ""
    judgement: Judgement | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    seconds: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the scenario's claim held."""
        return not self.faults

    def wrong(self, *faults: str) -> Outcome:
        """The same with more faults, found after the books were closed."""
        return replace(self, faults=(*self.faults, *faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An outcome, of which scenario it is, and the seconds that it took."""

    scenario: str
    claim: str
    outcome: Outcome
    seconds: float

    @property
    def name(self) -> str:
        """As "S2 range"."""
        return f"{self.scenario} {self.outcome.variant}".rstrip()
