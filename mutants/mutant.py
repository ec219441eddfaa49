"""One deliberate defect: a text of one file, and what stands there instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path


NEED_KAFKA: Final = (
    "tests/way/",
    "tests/mutants/",
    "tests/edges/test_source_",
    "tests/replay/test_source",
    "tests/audit/test_held.py::test_a_row_that",
)
"""Where the tests are that need the real one."""


class MutantError(Exception):
    """A defect that cannot be put into the tree: its text is not there exactly once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`before` stands in `file` exactly once and becomes `after`; `tests` are pytest's node ids, the quickest first.

    `harm` says in a few words what the worker would do to people's records.
    """

    name: str
    harm: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    @property
    def needs_kafka(self) -> bool:
        """Whether a real broker is needed to see it."""
        return any(test.startswith(NEED_KAFKA) for test in self.tests)

    def apply(self, root: Path) -> None:
        """Put the defect into the tree at `root`.

        Raises:
            MutantError: the text is not there, or more than once: the code has changed, and this list with it.
        """
        path = root / self.file
        text = path.read_text("utf-8")
        found = text.count(self.before)
        if found != 1:
            raise MutantError(f"{self.name}: its text stands {found} times in {self.file}, it must stand there once")
        path.write_text(text.replace(self.before, self.after), "utf-8")
