"""The sink as a process: built with Go, started on loopback, asked for what it has counted."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

SOURCE: Final = Path(__file__).with_name("sink")
DATA_MART: Final = "00000000-0000-0000-0000-000000000000"
PAYLOADS: Final = f"/v1/data_marts/{DATA_MART}/scoring_payloads"
BUILD_SECONDS: Final = 300
ANSWER_SECONDS: Final = 10


class BenchError(Exception):
    """The benchmark cannot go on, or its result would say nothing; the message is for people."""


@dataclass(frozen=True, slots=True)
class Count:
    """What the sink has seen since it was reset.

    `first_ns`: the arrival of the first post; `last_ns`: when the last id was taken in that was new.
    """

    posts: int
    records: int
    distinct: int
    bytes: int
    first_ns: int
    last_ns: int

    @property
    def seconds(self) -> float:
        """From the first post to the last new id."""
        return (self.last_ns - self.first_ns) / 1e9


def build(directory: Path) -> Path:
    """Build the sink into `directory`; raises `BenchError`, also where there is no Go."""
    if shutil.which("go") is None:
        raise BenchError("there is no Go here, and the benchmark's sink is built with it: install Go 1.21 or newer")
    binary = directory / "sink"
    command = ["go", "build", "-buildvcs=false", "-o", str(binary), "."]
    done = subprocess.run(
        command,
        cwd=SOURCE,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise BenchError(f"the sink could not be built:\n{done.stdout}{done.stderr}")
    return binary


class Sink:
    """A running sink. It ends with this process whatever happens: it reads from a pipe that nobody else holds."""

    def __init__(self, binary: Path, latency_ms: int = 0, subscriptions: int = 1) -> None:
        command = [str(binary), "-latency", f"{latency_ms}ms", "-subscriptions", str(subscriptions)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self._process.stdout.readline().strip() if self._process.stdout else ""
        if not self.url:
            raise BenchError("the sink did not start")
        self._connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=ANSWER_SECONDS)

    def count(self) -> Count:
        """What it has seen since `reset`."""
        return self._ask("GET", "/count")

    def reset(self) -> None:
        """Forget what was seen."""
        self._ask("POST", "/reset")

    def _ask(self, method: str, path: str) -> Count:
        self._connection.request(method, path)
        return Count(**json.loads(self._connection.getresponse().read()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.communicate(timeout=ANSWER_SECONDS)
