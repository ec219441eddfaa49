"""What the demo's engines are asked, and the model that they all have: whether a loan is approved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping

_SECTORS = ("private", "public", "self-employed", "café & more")
_SECTOR_BONUS = {"public": 0.08, "self-employed": -0.05}


@dataclass(frozen=True, slots=True)
class Applicant:
    """One row of a scoring; each engine's model looks at some of its columns."""

    age: int
    hours: float
    income: int
    debt: int
    sector: str

    def cells(self, columns: Iterable[str]) -> list[Any]:
        """The values of these columns."""
        return [getattr(self, column) for column in columns]

    def features(self, columns: Iterable[str]) -> dict[str, Any]:
        """The values of these columns, by name."""
        return {column: getattr(self, column) for column in columns}


def applicant(chance: random.Random) -> Applicant:
    """Anyone who asks for a loan."""
    return Applicant(
        age=chance.randint(18, 80),
        hours=chance.randint(20, 120) / 2,
        income=chance.randint(12, 180) * 1000,
        debt=chance.randint(0, 60) * 500,
        sector=chance.choice(_SECTORS),
    )


def probability(features: Mapping[str, Any]) -> float:
    """The probability of approval, by the features that there are: the same for the same applicant, always."""
    found: float = (
        0.1
        + features["age"] / 400
        + features["hours"] / 300
        + features["income"] / 400_000
        - features.get("debt", 0) / 200_000
        + _SECTOR_BONUS.get(features.get("sector", ""), 0.0)
    )
    return round(min(max(found, 0.01), 0.99), 4)


def classes(approved: float) -> list[float]:
    """The probabilities of refusal and of approval."""
    return [round(1 - approved, 4), approved]


def label(approved: float) -> str:
    """The prediction."""
    return "yes" if approved >= 0.5 else "no"  # noqa: PLR2004 - more likely than not
