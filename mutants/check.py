"""Each defect in a copy of its own: caught, and by which test, or survived."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from mutants.mutant import MutantError
from mutants.tree import FAILED, PASSED, copied, imports_the_copy, run_tests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mutants.mutant import Mutant


class Verdict(StrEnum):
    """What became of a defect."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    BROKEN = "broken"
    """It could not be tried: its text is gone, or pytest could not run."""


@dataclass(frozen=True, slots=True)
class Result:
    """`caught_by` is the node id of the test; `seconds` its time and that of the quicker ones before it."""

    mutant: Mutant
    verdict: Verdict
    caught_by: str | None
    seconds: float
    output: str = ""


class SoundTreeError(Exception):
    """The tests fail without any defect, so that they can show nothing; the message is pytest's output."""


def check_sound(mutants: Iterable[Mutant]) -> None:
    """Run all the tests that are named without a defect.

    Raises:
        SoundTreeError: one fails, or they do not run the copy.
    """
    chosen = list(mutants)
    tests = list(dict.fromkeys(test for each in chosen for test in each.tests))
    with copied() as root:
        if not imports_the_copy(root):
            raise SoundTreeError("what is started in the copy of the tree does not run the copy")
        code, _, output = run_tests(root, tests, real_kafka=any(each.needs_kafka for each in chosen))
    if code != PASSED:
        raise SoundTreeError(output)


def check(mutants: Iterable[Mutant]) -> Iterator[Result]:
    """Try each defect; the results as they come."""
    for each in mutants:
        yield _tried(each)


def _tried(mutant: Mutant) -> Result:
    began = time.monotonic()
    with copied() as root:
        try:
            mutant.apply(root)
        except MutantError as error:
            return Result(mutant, Verdict.BROKEN, None, 0.0, str(error))
        code, failed, output = run_tests(root, mutant.tests, real_kafka=mutant.needs_kafka)
    seconds = time.monotonic() - began
    if code == FAILED and failed:
        return Result(mutant, Verdict.CAUGHT, failed, seconds)
    verdict = Verdict.SURVIVED if code == PASSED else Verdict.BROKEN
    return Result(mutant, verdict, None, seconds, output)
