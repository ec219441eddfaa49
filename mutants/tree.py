"""A copy of the tree in a temporary directory, and pytest in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).parents[1]
COPIED: Final = ("mutants", "worker", "tests", "schemas", "examples", "pyproject.toml")
LINKED: Final = (".kafka",)
"""Read only, and large."""

PATIENCE: Final = 150
"""Seconds that one test may take: a defect may be one that stands still."""

SECONDS: Final = 2 * PATIENCE
"""Seconds that pytest may take for each test: its own limit cannot end a call that never comes back."""

PASSED, FAILED, STUCK = 0, 1, -1


@contextmanager
def copied() -> Iterator[Path]:
    """The tree, to be spoilt; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        root = Path(scratch)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(ROOT / name, root / name)
        for name in LINKED:
            if (ROOT / name).exists():
                (root / name).symlink_to(ROOT / name)
        yield root


def run_tests(root: Path, tests: Sequence[str], *, real_kafka: bool) -> tuple[int, str | None, str]:
    """Run tests in a copy, in their order, until one fails: pytest's exit code, the test that failed, the output."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=line", f"--timeout={PATIENCE}"]
    command += ["-p", "no:randomly", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "400"}
    environment["REQUIRE_REAL_KAFKA"] = "1" if real_kafka else "0"
    try:
        done = subprocess.run(  # noqa: S603 - our own tests
            command,
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS * len(tests),
        )
    except subprocess.TimeoutExpired as error:
        return STUCK, None, f"pytest itself stood still, and was killed: {error}"
    failed = re.search(r"^FAILED (.+?)(?: - |$)", done.stdout, re.MULTILINE)
    return done.returncode, failed[1] if failed else None, done.stdout + done.stderr


def imports_the_copy(root: Path) -> bool:
    """Whether a program that is started in the copy runs the copy's code, and not what is installed."""
    command = [sys.executable, "-c", "import worker; print(worker.__file__)"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    found = subprocess.run(  # noqa: S603 - our own code
        command, cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    return Path(found.stdout.strip()).is_relative_to(root)
