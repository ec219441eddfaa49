"""Finds Java and Maven, and fetches Apache Kafka's jars into `.kafka/libs`, once."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from tests.quietly import FailedError, quietly

POM: Final = Path(__file__).with_name("pom.xml")
LIBS: Final = Path(__file__).parents[2] / ".kafka" / "libs"
JAVA_AT_LEAST: Final = 17
FETCH_SECONDS: Final = 900


class InstallError(RuntimeError):
    """Apache Kafka cannot be had here; the message says why."""


def version() -> str:
    """The version of Apache Kafka that the pom names."""
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", POM.read_text("utf-8"))
    if found is None:
        raise InstallError(f"{POM.name} names no kafka.version")
    return found[1]


@cache
def java_version() -> int | None:
    """The major version of the Java on the PATH, or None where none runs."""
    if shutil.which("java") is None:
        return None
    answer = subprocess.run(["java", "-version"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    found = re.search(rb'version "(\d+)', answer.stderr + answer.stdout)
    return int(found[1]) if answer.returncode == 0 and found else None


@cache
def missing() -> str | None:
    """What this machine lacks to run Apache Kafka, or None where it has all."""
    java = java_version()
    if java is None:
        return "no Java on the PATH"
    if java < JAVA_AT_LEAST:
        return f"Java {java} is on the PATH, Kafka needs {JAVA_AT_LEAST}"
    if not fetched() and shutil.which("mvn") is None:
        return "no Maven on the PATH"
    return None


def fetched() -> bool:
    """Whether `.kafka/libs` holds what the pom of today asks for."""
    copy = LIBS / POM.name
    return copy.is_file() and copy.read_bytes() == POM.read_bytes()


def fetch() -> Path:
    """Fetches the jars unless they are there; they appear whole or not at all."""
    if fetched():
        return LIBS
    LIBS.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=LIBS.parent) as scratch:
        fresh = Path(scratch) / "libs"
        _copy_dependencies(fresh)
        shutil.copyfile(POM, fresh / POM.name)
        shutil.rmtree(LIBS, ignore_errors=True)
        fresh.rename(LIBS)
    return LIBS


def _copy_dependencies(target: Path) -> None:
    command = ["mvn", "-q", "-B", "-Dstyle.color=never", "-f", str(POM)]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={target}"]
    try:
        quietly(command, seconds=FETCH_SECONDS)
    except FailedError as failed:
        raise InstallError(f"Maven could not fetch Apache Kafka: {failed}") from failed
