"""The sink as a process: built with Go, started on loopback, asked for what it has counted."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

SOURCE: Final = Path(__file__).with_name("sink")
DATA_MART: Final = "00000000-0000-0000-0000-000000000000"
PAYLOADS: Final = f"/v1/data_marts/{DATA_MART}/scoring_payloads"
BUILD_SECONDS: Final = 300
ANSWER_SECONDS: Final = 10


class BenchError(Exception):
    """The benchmark cannot go on, or its result would say nothing; the message is for people."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the sink behaves as an endpoint.

    `latency_ms`: how long each post waits for its answer. Of one that degrades: with n posts at once above `knee` each
    takes (n / knee)² times that, and those above `limit` are answered 429; 0 for neither. `timed`: it tells ages.
    """

    latency_ms: int = 0
    subscriptions: int = 1
    knee: int = 0
    limit: int = 0
    timed: bool = False

    def flags(self) -> list[str]:
        """As the sink takes it on its command line."""
        numbers = {"subscriptions": self.subscriptions, "knee": self.knee, "limit": self.limit}
        flags = [f"-latency={self.latency_ms}ms", *(f"-{name}={number}" for name, number in numbers.items())]
        return [*flags, "-timed"] if self.timed else flags


@dataclass(frozen=True, slots=True)
class Count:
    """What the sink has seen since it was reset.

    `first_ns`: the arrival of the first post, negative before it; `last_ns`: when the last id was taken in that was
    new. `posts` were taken, `refused` were answered 429; `most` is how many there were at once.
    """

    posts: int
    refused: int
    most: int
    records: int
    distinct: int
    bytes: int
    first_ns: int
    last_ns: int

    @property
    def seconds(self) -> float:
        """From the first post to the last new id."""
        return (self.last_ns - self.first_ns) / 1e9


@dataclass(frozen=True, slots=True)
class Ages:
    """How old records were when they were stored, in whole milliseconds, by their `scoring_timestamp`.

    `p99_ms`: of 99 in 100 none was older. `unread` had no time that could be read.
    """

    records: int
    unread: int
    p50_ms: int
    p90_ms: int
    p99_ms: int
    max_ms: int


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

    def __init__(self, binary: Path, manner: Manner = Manner()) -> None:
        self.manner = manner
        command = [str(binary), *manner.flags()]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self._process.stdout.readline().strip() if self._process.stdout else ""
        if not self.url:
            raise BenchError("the sink did not start")
        self._connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=ANSWER_SECONDS)

    def count(self) -> Count:
        """What it has seen since `reset`."""
        return Count(**self._ask("GET", "/count"))

    def ages(self) -> Ages:
        """How old the records were that it has stored since `forget_ages`; it must be a `timed` one."""
        return Ages(**self._ask("GET", "/ages"))

    def forget_ages(self) -> None:
        """Begin anew with what `ages` tells; nothing else is forgotten."""
        self._ask("DELETE", "/ages")

    def reset(self) -> None:
        """Forget what was seen."""
        self._ask("POST", "/reset")

    def _ask(self, method: str, path: str) -> Any:
        self._connection.request(method, path)
        return json.loads(self._connection.getresponse().read())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.communicate(timeout=ANSWER_SECONDS)
