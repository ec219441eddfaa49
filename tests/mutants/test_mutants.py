"""The list of deliberate defects: it fits the tree as it is today, so that it cannot rot; `make mutants` tries them."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mutants.check import Verdict, check
from mutants.defects import MUTANTS
from mutants.mutant import Mutant, MutantError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
AT_LEAST: Final = 12

each_mutant = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)


def functions(path: Path) -> Iterator[str]:
    """The tests in a file, and the classes of tests."""
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


@each_mutant
def test_a_defect_is_still_to_be_put_into_the_tree(mutant: Mutant, tmp_path: Path) -> None:
    path = tmp_path / mutant.file
    path.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / mutant.file, path)
    mutant.apply(tmp_path)
    spoilt = path.read_bytes()
    assert ast.dump(ast.parse(spoilt)) != ast.dump(ast.parse((ROOT / mutant.file).read_bytes()))


@each_mutant
def test_the_tests_that_are_to_catch_it_are_there(mutant: Mutant) -> None:
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        found = list(functions(ROOT / file))
        assert not name or name.partition("[")[0] in found, test


def test_every_defect_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [each.name for each in MUTANTS]
    assert len(set(names)) == len(names) >= AT_LEAST
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    assert all(each.harm for each in MUTANTS)
    assert all(each.file.startswith("worker/") for each in MUTANTS)


@pytest.mark.parametrize("text", ["    neither\n", "    "])
def test_a_text_that_is_not_there_exactly_once_is_an_error_that_names_the_defect(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text("    one\n    two\n", "utf-8")
    with pytest.raises(MutantError, match="some-defect"):
        Mutant("some-defect", "", "a.py", text, "", ()).apply(tmp_path)


OFFSETS: Final = "tests/flow/test_offsets.py"


def tried(mutant: Mutant) -> tuple[Verdict, str | None]:
    (result,) = check([mutant])
    return result.verdict, result.caught_by


def test_a_defect_is_caught_by_a_test_that_fails_in_a_copy_and_the_tree_stays_as_it_is() -> None:
    (mutant,) = (each for each in MUTANTS if each.name == "commit-the-maximum")
    before = (ROOT / mutant.file).read_bytes()
    assert tried(mutant) == (Verdict.CAUGHT, mutant.tests[0])
    assert (ROOT / mutant.file).read_bytes() == before


def test_what_is_no_defect_survives_and_what_is_no_python_is_not_caught() -> None:
    text = '"""Which offsets of a claim are open'
    file = "worker/flow/offsets.py"
    assert tried(Mutant("harmless", "", file, text, f"{text} now", (OFFSETS,))) == (Verdict.SURVIVED, None)
    assert tried(Mutant("no-python", "", file, text, f"({text}", (OFFSETS,))) == (Verdict.BROKEN, None)
    assert tried(Mutant("no-test", "", file, text, f"{text} now", (f"{OFFSETS}::test_no_such",)))[0] is Verdict.BROKEN
