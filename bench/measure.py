"""One run of one contender: from the first post that reaches the sink to the last id of all the events.

The same start and the same end for everyone, seen from the sink: starting the interpreter, imports, joining the group
and fetching the directory are before it, and are told apart as the contender's start.
"""

from __future__ import annotations

import json
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
from bench.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.endpoint import Count, Sink
    from bench.plan import Place, Turn

START_SECONDS: Final = 60
SLOWEST: Final = 1000
"""Records a second below which a run is given up."""

STOP_SECONDS: Final = 30
TICK: Final = 0.01
"""What CPU seconds are counted in, so the least that a run can have taken."""

LOG_TAIL: Final = 3000


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured: `seconds` and `cpu` from the first post to the last id, the start before it apart.

    `events` is what was stored in that time. `rss` is the most resident bytes of one process, `rss_total` of all
    together; `repeated` counts records that the sink had already, `refused` posts that it answered 429.
    """

    contender: str
    kind: str
    endpoint: str
    events: int
    seconds: float
    cpu: float
    start_seconds: float
    start_cpu: float
    rss: int
    rss_total: int
    processes: int
    posts: int
    posted_bytes: int
    refused: int
    repeated: int

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.events / self.seconds

    @property
    def cpu_per_100k(self) -> float:
        """CPU seconds, user and system, for 100,000 records."""
        return self.cpu * 100_000 / self.events


@dataclass(frozen=True, slots=True)
class Reading:
    """What was known at one moment."""

    count: Count
    cpu: float
    at: float


class Scene:
    """A contender that runs, its output, and the sink that it posts to."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, sink: Sink) -> None:
        self._process = process
        self._log = log
        self.sink = sink
        self.watch = Watch(process.pid)
        self._began = time.perf_counter()

    def reading(self) -> Reading:
        """What is known now."""
        return Reading(self.sink.count(), self.watch.cpu(), time.perf_counter() - self._began)

    def begun(self) -> Reading:
        """What is known when the first post has reached the sink."""
        self.until(lambda count: count.first_ns >= 0, START_SECONDS, pause=0.005)
        return self.reading()

    def until(self, reached: Callable[[Count], bool], patience: float, pause: float) -> Count:
        """Wait until the sink's count is so; raises `BenchError` where the process ends or that takes too long."""
        deadline = time.monotonic() + patience
        while not reached(count := self.sink.count()):
            if self._process.poll() is not None:
                raise BenchError(f"ended with {self._process.returncode} after {count.distinct} events")
            if time.monotonic() > deadline:
                raise BenchError(f"lost records: after {patience:.0f} s the sink has {count.distinct} ids")
            self.watch.look()
            time.sleep(pause)
        self.watch.look()
        return count

    def drained(self, events: int, pause: float = 0.02) -> Count:
        """Wait until the sink has all ids; raises `BenchError` where it has not, or others."""
        count = self.until(lambda found: found.distinct >= events, START_SECONDS + events / SLOWEST, pause)
        if count.distinct != events:
            raise BenchError(f"the sink has {count.distinct} ids of {events} events")
        return count

    def told(self, event: str) -> int:
        """How often the log, lines of JSON, has an event."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return sum(_event(line) == event for line in lines)


def _event(line: str) -> Any:
    try:
        return json.loads(line).get("event")
    except (ValueError, AttributeError):
        return None


def measure(turn: Turn, sink: Sink, place: Place) -> Run:
    """Run a contender in a new group until all is stored; raises `BenchError`."""
    with running(turn, sink, place) as scene:
        start = scene.begun()
        scene.drained(turn.events)
        end = scene.reading()
        return run_of(turn, scene, start, end, seconds=end.count.seconds, stored=end.count.distinct)


def measure_window(turn: Turn, sink: Sink, place: Place, seconds: float) -> Run:
    """Run a contender for some seconds after its first post, and end it wherever it is; raises `BenchError`."""
    with running(turn, sink, place, abrupt=True) as scene:
        start = scene.begun()
        deadline = time.perf_counter() + seconds
        scene.until(lambda _: time.perf_counter() >= deadline, seconds + START_SECONDS, pause=0.02)
        end = scene.reading()
        if end.count.distinct >= turn.events:
            raise BenchError(f"{turn.events} events were too few for {seconds} s")
        stored = end.count.distinct - start.count.distinct
        return run_of(turn, scene, start, end, seconds=end.at - start.at, stored=stored)


def run_of(turn: Turn, scene: Scene, start: Reading, end: Reading, *, seconds: float, stored: int) -> Run:
    """What a scene has shown from `start` to `end`, in which so many ids were stored."""
    count = end.count
    return Run(
        contender=turn.name,
        kind=turn.kind,
        endpoint=turn.endpoint,
        events=stored,
        seconds=seconds,
        cpu=max(TICK, end.cpu - start.cpu),
        start_seconds=start.at,
        start_cpu=start.cpu,
        rss=scene.watch.rss,
        rss_total=scene.watch.total,
        processes=scene.watch.processes,
        posts=count.posts,
        posted_bytes=count.bytes,
        refused=count.refused,
        repeated=count.records - count.distinct,
    )


@contextmanager
def running(turn: Turn, sink: Sink, place: Place, *, abrupt: bool = False) -> Iterator[Scene]:
    """The contender as a process; ended in order, by force where that takes too long, or where `abrupt`."""
    sink.reset()
    task = Task(place.bootstrap, place.topic, f"bench-{uuid.uuid4().hex[:12]}", sink.url)
    with tempfile.TemporaryDirectory(prefix="payload-bench-") as directory:
        log = Path(directory) / "log"
        process = _started(turn, task, log)
        scene = Scene(process, log, sink)
        try:
            yield scene
        except (BenchError, psutil.NoSuchProcess) as error:
            raise BenchError(f"{turn.name} {turn.kind} ({turn.endpoint}): {error}\n{_tail(log)}") from None
        finally:
            _end(process, scene.watch, abrupt=abrupt)


def _started(turn: Turn, task: Task, log: Path) -> subprocess.Popen[bytes]:
    environment: Any = turn.contender.environment(task)
    command = turn.contender.command(task)
    with log.open("wb") as output:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _end(process: subprocess.Popen[bytes], watch: Watch, *, abrupt: bool) -> None:
    if not abrupt:
        process.terminate()
    try:
        process.wait(0 if abrupt else STOP_SECONDS)
    except subprocess.TimeoutExpired:
        watch.kill()
        process.wait()
    watch.kill()  # children that outlived their parent


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:] if log.exists() else ""
