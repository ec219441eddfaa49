"""A peer's environment is kept as long as its lock file says the same, and a failure has a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import environments
from bench.endpoint import BenchError

if TYPE_CHECKING:
    from pathlib import Path


def test_an_environment_is_kept_until_its_lock_file_changes_and_one_that_fails_is_no_environment(
    tmp_path: Path,
) -> None:
    lock, home = tmp_path / "requirements-some.txt", tmp_path / "home"
    lock.write_text("# nothing\n", encoding="utf-8")
    environments.make("some", tmp_path, home)
    left = home / "some" / "left-here"
    left.touch()
    environments.make("some", tmp_path, home)
    assert environments.python("some", home).exists()
    assert left.exists()
    lock.write_text("no requirement at all\n", encoding="utf-8")
    with pytest.raises(BenchError, match="Invalid requirement"):
        environments.make("some", tmp_path, home)
    assert not left.exists()
    assert not (home / "some" / "made-for").exists()


def test_the_lock_files_pin_every_package_by_hash_and_name_no_registry() -> None:
    locks = sorted(environments.PEERS.glob("requirements-*.txt"))
    assert len(locks) == len(list(environments.PEERS.glob("requirements-*.in"))) > 0
    for lock in locks:
        lines = lock.read_text(encoding="utf-8").splitlines()
        assert "://" not in "".join(line for line in lines if not line.lstrip().startswith("#"))
        assert all("==" in line for line in lines if line and line[0].isalnum())
        assert sum("--hash=sha256:" in line for line in lines) >= sum("==" in line for line in lines) > 0
