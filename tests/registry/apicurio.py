"""A real schema registry for tests: Apicurio, fetched with Maven into `.registry/` once, run on loopback in memory.

It can be killed and started again on the same address; what was registered is then gone, as `register` says how to
bring it back: the same schemas in the same order get the same ids.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import httpx

from tests.kafka import install
from tests.kafka.broker import HOST, free_ports
from tests.quietly import FailedError, quietly

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION: Final = "2.6.13.Final"
HOME: Final = Path(__file__).parents[2] / ".registry"
JAR: Final = HOME / VERSION / f"apicurio-registry-app-{VERSION}-runner.jar"
FETCH_SECONDS: Final = 900
READY_SECONDS: Final = 90
NEEDS: Final = "needs a real schema registry: install Java 17 and Maven"
REQUIRED: Final = os.environ.get("REQUIRE_REAL_KAFKA") == "1"


class ApicurioError(RuntimeError):
    """The registry cannot be had, or did not start; the message says why."""


def missing() -> str | None:
    """What this machine lacks to run the registry, or None where it has all."""
    java = install.java_version()
    if java is None or java < install.JAVA_AT_LEAST:
        return f"no Java {install.JAVA_AT_LEAST} on the PATH"
    return None if JAR.is_file() or shutil.which("mvn") else "no Maven on the PATH"


def fetch() -> Path:
    """Fetch the registry unless it is there; it appears whole or not at all. Raises `ApicurioError`."""
    if not JAR.is_file():
        HOME.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=HOME) as scratch:
            _copy(Path(scratch))
            fresh = Path(scratch) / "fresh"
            with tarfile.open(next(Path(scratch).glob("*.tar.gz"))) as archive:
                archive.extractall(fresh, filter="data")
            with contextlib.suppress(OSError):  # another process of this run was quicker
                fresh.rename(JAR.parent)
    return JAR


def _copy(target: Path) -> None:
    artifact = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
    command = ["mvn", "-q", "-B", "-Dstyle.color=never", plugin, f"-Dartifact={artifact}"]
    try:
        quietly([*command, f"-DoutputDirectory={target}"], seconds=FETCH_SECONDS, place=target)
    except FailedError as failed:
        raise ApicurioError(f"Maven could not fetch the registry: {failed}") from failed


class Apicurio:
    """One registry; a context manager. `url` is its Confluent API's address."""

    def __init__(self) -> None:
        self._port = free_ports(1)[0]
        self.url = f"http://{HOST}:{self._port}/apis/ccompat/v7"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this does

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        command = ["java", "-Xmx384m", f"-Dquarkus.http.host={HOST}", f"-Dquarkus.http.port={self._port}"]
        self._process = subprocess.Popen(
            [*command, "-jar", str(fetch())],
            cwd=JAR.parent,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ApicurioError(f"the registry did not start; the end of its log:\n{self._tail()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def register(self, subject: str, schemas: Sequence[str]) -> list[int]:
        """Register schemas as versions of a subject, in this order; their ids."""
        answers = [
            httpx.post(f"{self.url}/subjects/{subject}/versions", json={"schema": schema}, timeout=30)
            for schema in schemas
        ]
        return [int(answer.raise_for_status().json()["id"]) for answer in answers]

    def configure(self, subject: str, compatibility: str) -> None:
        """Set which schemas a subject takes, such as `BACKWARD_TRANSITIVE`."""
        url = f"{self.url}/config/{subject}"
        httpx.put(url, json={"compatibility": compatibility}, timeout=30).raise_for_status()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/subjects", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def _tail(self) -> str:
        self._log.seek(0)
        return self._log.read()[-4000:].decode(errors="replace")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._log.close()
