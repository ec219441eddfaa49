"""One run of one contender: from the first post that reaches the sink to the last id of all the events.

The same start and the same end for everyone, seen from the sink: starting the interpreter, imports, joining the group
and fetching the directory are before it, and are told apart as the contender's start.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from bench.contenders import Task
from bench.endpoint import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.contenders import Contender
    from bench.endpoint import Count, Sink

START_SECONDS: Final = 60
SLOWEST: Final = 1000
"""Records a second below which a run is given up."""

STOP_SECONDS: Final = 30
LOG_TAIL: Final = 3000


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured: `seconds` and `cpu` from the first post to the last id, the start before it apart.

    `rss` is the most resident bytes, `repeated` counts records that the sink had already.
    """

    contender: str
    kind: str
    events: int
    seconds: float
    cpu: float
    start_seconds: float
    start_cpu: float
    rss: int
    posts: int
    posted_bytes: int
    repeated: int

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.events / self.seconds

    @property
    def cpu_per_100k(self) -> float:
        """CPU seconds, user and system, for 100,000 records."""
        return self.cpu * 100_000 / self.events


class _Watch:
    """A process under observation, and the sink that it posts to."""

    def __init__(self, process: subprocess.Popen[bytes], sink: Sink) -> None:
        self._process = process
        self._sink = sink
        self._figures = psutil.Process(process.pid)
        self._began = time.perf_counter()
        self.rss = 0
        """The most resident bytes that it was seen with."""

    def cpu(self) -> float:
        """CPU seconds since it began."""
        times = self._figures.cpu_times()
        return float(times.user + times.system)

    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self._began

    def until(self, wanted: int, patience: float, pause: float) -> Count:
        """Wait until the sink has the wanted number of ids; raises `BenchError` where that takes too long."""
        deadline = time.monotonic() + patience
        while (count := self._sink.count()).distinct < wanted:
            if self._process.poll() is not None:
                raise BenchError(f"ended with {self._process.returncode} after {count.distinct} events of {wanted}")
            if time.monotonic() > deadline:
                raise BenchError(f"lost records: after {patience:.0f} s the sink has {count.distinct} ids of {wanted}")
            self.rss = max(self.rss, self._figures.memory_info().rss)
            time.sleep(pause)
        self.rss = max(self.rss, self._figures.memory_info().rss)
        return count


def measure(contender: Contender, kind: str, events: int, sink: Sink, place: tuple[str, str]) -> Run:
    """Run a contender in a new group on `place`, a broker's address and a topic; raises `BenchError`."""
    bootstrap, topic = place
    sink.reset()
    with _running(contender, Task(bootstrap, topic, f"bench-{uuid.uuid4().hex[:12]}", sink.url)) as (process, log):
        try:
            return _observe(contender.name, kind, events, _Watch(process, sink))
        except (BenchError, psutil.NoSuchProcess) as error:
            raise BenchError(f"{contender.name} {kind}: {error}\n{_tail(log)}") from None


def _observe(name: str, kind: str, events: int, watch: _Watch) -> Run:
    watch.until(1, START_SECONDS, pause=0.005)
    start_cpu, start_seconds = watch.cpu(), watch.elapsed()
    count = watch.until(events, START_SECONDS + events / SLOWEST, pause=0.02)
    cpu = watch.cpu() - start_cpu
    if count.distinct != events:
        raise BenchError(f"the sink has {count.distinct} ids of {events} events")
    return Run(
        contender=name,
        kind=kind,
        events=events,
        seconds=count.seconds,
        cpu=cpu,
        start_seconds=start_seconds,
        start_cpu=start_cpu,
        rss=watch.rss,
        posts=count.posts,
        posted_bytes=count.bytes,
        repeated=count.records - count.distinct,
    )


@contextmanager
def _running(contender: Contender, task: Task) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The contender as a process with its output in a file; ended in order, by force where that takes too long."""
    with tempfile.TemporaryDirectory(prefix="payload-bench-") as directory:
        log = Path(directory) / "log"
        environment: Any = contender.environment(task)
        with log.open("wb") as output:
            process = subprocess.Popen(
                contender.command(task), env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            yield process, log
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:] if log.exists() else ""
