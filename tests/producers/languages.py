"""The example producers: what each language needs here, how it is built, and how it is run.

A build goes into directories that git ignores, and is made once for a state of the language's sources.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.quietly import FailedError, quietly

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
HOME: Final = ROOT / "examples" / "producers"
BUILD_SECONDS: Final = 1200
MADE: Final = frozenset({"build", "dist", "target", "node_modules", "__pycache__", "Cargo.lock"})
# nothing is fetched but what the lock files name: Go would otherwise fetch a newer Go, npm tell of a newer npm
ENVIRONMENT: Final = {"GOTOOLCHAIN": "local", "NPM_CONFIG_UPDATE_NOTIFIER": "false", "NPM_CONFIG_FUND": "false"}


class BuildError(RuntimeError):
    """A language's example cannot be built; the message says why."""


@dataclass(frozen=True, slots=True)
class Language:
    """One folder of `examples/producers`: `tools` are commands, `packages` what pkg-config must know."""

    name: str
    tools: tuple[str, ...]
    run: tuple[str, ...]
    build: tuple[tuple[str, ...], ...] = ()
    packages: tuple[str, ...] = ()
    at_least: tuple[str, str] | None = None

    @property
    def home(self) -> Path:
        """Where its sources are."""
        return HOME / self.name

    def lacks(self) -> str | None:
        """What this machine lacks to build it, or None where it has all."""
        absent = [tool for tool in self.tools if shutil.which(tool) is None]
        if absent:
            return f"{self.name}: no {' and no '.join(absent)} on the PATH"
        unknown = [name for name in self.packages if subprocess.call(["pkg-config", "--exists", name]) != 0]
        return f"{self.name}: pkg-config knows no {' and no '.join(unknown)}" if unknown else self._too_old()

    def _too_old(self) -> str | None:
        if self.at_least is None:
            return None
        command, version = self.at_least
        answer = subprocess.run(command.split(), capture_output=True, check=False, text=True, env=environment()).stdout
        found = answer.strip().lstrip("v").removeprefix("go").removeprefix("cargo ").split()[:1]
        return None if found and _numbers(found[0]) >= _numbers(version) else f"{self.name}: needs {version}"

    def made(self) -> bool:
        """Whether its build is that of today's sources."""
        stamp = self.home / "build" / "made-for"
        return not self.build or (stamp.is_file() and stamp.read_text("utf-8") == self._state())

    def make(self) -> None:
        """Builds it unless that is done; one process at a time. Raises `BuildError`."""
        if not self.build:
            return
        (self.home / "build").mkdir(exist_ok=True)
        with self._alone():
            if not self.made():
                for command in self.build:
                    self._step(command)
                (self.home / "build" / "made-for").write_text(self._state(), "utf-8")

    def start(self, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs it in the repository's directory, as its README says; its exit code and what it said."""
        command = [sys.executable if word == "python" else word for word in self.run]
        return subprocess.run(
            [*command, *arguments],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=seconds,
            text=True,
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.home / "build" / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _step(self, command: tuple[str, ...]) -> None:
        try:
            quietly(command, seconds=BUILD_SECONDS, place=self.home, environment=environment())
        except FailedError as failed:
            raise BuildError(f"{self.name}: {' '.join(command)}: {failed}") from failed

    def _state(self) -> str:
        """A digest of the sources."""
        digest = hashlib.sha256()
        for folder, below, names in os.walk(self.home):
            below[:] = sorted(name for name in below if name not in MADE)
            for name in sorted(name for name in names if name not in MADE and not name.endswith(".md")):
                path = Path(folder) / name
                digest.update(f"{path.relative_to(self.home)}\0".encode() + path.read_bytes() + b"\0")
        return digest.hexdigest()


def environment() -> dict[str, str]:
    """What the builds and the programs are run with."""
    return {**os.environ, **ENVIRONMENT}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


_HERE: Final = "examples/producers"
LANGUAGES: Final = {
    language.name: language
    for language in (
        Language("python", (), ("python", f"{_HERE}/python/main.py")),
        Language(
            "java",
            ("java", "javac", "mvn"),
            ("java", "-XX:TieredStopAtLevel=1", "-jar", f"{_HERE}/java/target/payload-producer.jar"),
            (("mvn", "-q", "-B", "-Dstyle.color=never", "package"),),
        ),
        Language(
            "go",
            ("go",),
            (f"{_HERE}/go/build/payload-producer",),
            (("go", "build", "-mod=readonly", "-o", "build/payload-producer", "."),),
            at_least=("go env GOVERSION", "1.26"),
        ),
        Language(
            "nodejs",
            ("node", "npm"),
            ("node", f"{_HERE}/nodejs/dist/main.js"),
            (("npm", "ci", "--no-audit", "--ignore-scripts", "--omit=optional"), ("node_modules/.bin/tsc",)),
            at_least=("node --version", "20.19.4"),
        ),
        Language(
            "rust",
            ("cargo", "gcc", "make"),
            (f"{_HERE}/rust/target/debug/payload-producer",),
            (("cargo", "build", "--quiet"),),
            at_least=("cargo --version", "1.89"),
        ),
        Language(
            "c",
            ("gcc", "make", "pkg-config"),
            (f"{_HERE}/c/build/payload-producer",),
            (("make", "--silent"),),
            packages=("rdkafka", "avro-c", "jansson"),
        ),
    )
}
