"""What the peers run in: an environment of its own for each from PyPI, and the binary of both programs in Go.

Both are made at the first need, in `.bench/` in the repository, and kept; anew where what they are made from changed.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import venv
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.endpoint import BenchError
from tests.quietly import FailedError, quietly

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
HOME: Final = ROOT / ".bench"
PEERS: Final = Path(__file__).with_name("peers")
REFERENCE: Final = Path(__file__).with_name("reference")
BUILD_SECONDS: Final = 600
TAIL: Final = 1500


def python(name: str, home: Path = HOME) -> Path:
    """The Python of a peer's environment, made or not."""
    return home / name / "bin" / "python"


def binary() -> Path:
    """The binary of both programs in Go, made or not."""
    return HOME / "reference"


def make(name: str, peers: Path = PEERS, home: Path = HOME) -> None:
    """Make a peer's environment, with exactly what its lock file says, unless it is there; raises `BenchError`."""
    lock = peers / f"requirements-{name}.txt"
    wanted = f"{sys.version}\n{lock.read_text(encoding='utf-8')}"
    stamp = home / name / "made-for"
    with _alone(name, home):
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(home / name, ignore_errors=True)
            _install(name, lock, home)
            stamp.write_text(wanted, encoding="utf-8")


@contextmanager
def _alone(name: str, home: Path) -> Iterator[None]:
    """While no other process makes the same."""
    home.mkdir(exist_ok=True)
    with (home / f"{name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _install(name: str, lock: Path, home: Path) -> None:
    """Wheels only: what must be compiled needs more than a Python."""
    try:
        venv.create(home / name, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as failed:
        raise BenchError(f"no environment could be made: {type(failed).__name__}") from failed
    pip = [str(python(name, home)), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    _run([*pip, "--only-binary", ":all:", "--require-hashes", "--requirement", str(lock)], home)


def build() -> None:
    """Build what is in Go, which Go does in no time where nothing changed; raises `BenchError`."""
    if shutil.which("go") is None:
        raise BenchError("there is no Go here")
    with _alone("reference", HOME):
        _run(["go", "build", "-buildvcs=false", "-o", str(binary()), "."], REFERENCE)


def _run(command: list[str], place: Path) -> None:
    try:
        quietly(command, seconds=BUILD_SECONDS, place=place)
    except FailedError as failed:
        raise BenchError(f"{Path(command[0]).name}: {failed}") from failed
