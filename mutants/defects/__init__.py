"""All defects, in the order of the data's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mutants.defects import around, flow, judging, loop, operators, pairs, reading, schemas, v2

if TYPE_CHECKING:
    from mutants.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *reading.MUTANTS,
    *judging.MUTANTS,
    *flow.MUTANTS,
    *pairs.MUTANTS,
    *loop.MUTANTS,
    *v2.MUTANTS,
    *schemas.MUTANTS,
    *operators.MUTANTS,
    *around.MUTANTS,
)
