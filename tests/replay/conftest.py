"""The stage of the whole way, its topic filled over three hours, and commands as processes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from tests.way.events import confluent, custom
from tests.way.stage import Stage
from worker.sandbox.seed import seed
from worker.sandbox.serve import running

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

HOUR = 3_600_000
TEN = 1_763_805_600_000
"""Ten o'clock, 2025-11-22T10:00:00Z, in milliseconds: the first record's time."""
TENTH, ELEVENTH, TWELFTH = (f"2025-11-22T{hour}:00:00Z" for hour in (10, 11, 12))


class Command:
    """A `payload-worker` command as a process; what it says on both streams is kept in files."""

    def __init__(self, stage: Stage, *arguments: str, **more: str) -> None:
        self._err = tempfile.TemporaryFile("a+")  # noqa: SIM115 - kill() closes it
        self._out = tempfile.TemporaryFile("a+")  # noqa: SIM115 - kill() closes it
        self.process = subprocess.Popen(
            [sys.executable, "-m", "worker", *arguments],
            env=stage.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
        )

    def ended(self, seconds: float = 60) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    @property
    def out(self) -> str:
        """Standard output."""
        return self._read(self._out)

    @property
    def err(self) -> str:
        """Standard error."""
        return self._read(self._err)

    def found(self) -> dict[str, Any]:
        """Its JSON document."""
        told: dict[str, Any] = json.loads(self.out)
        return told

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._out.close()
        self._err.close()

    @staticmethod
    def _read(file: Any) -> str:
        file.seek(0)
        return str(file.read())


@dataclass(frozen=True, slots=True)
class Past:
    """A stage whose topic holds `count` events in each of three hours from ten o'clock on."""

    stage: Stage
    count: int
    begin: Callable[..., Command]

    def replay(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Replay to the end; what it found."""
        command = self.begin("replay", "--yes", "--json", *arguments)
        assert command.ended() == code, command.err
        return command.found()


def fill(stage: Stage, count: int) -> None:
    """`count` events in each of three hours, over all partitions in turn; the n-th has the age n."""
    producer = Producer({"bootstrap.servers": stage.bootstrap, "linger.ms": 20})
    for number in range(3 * count):
        at = TEN + number * HOUR // count
        producer.produce(stage.topic, confluent(custom(start=number)), partition=number % 4, timestamp=at)
        producer.poll(0)
    assert producer.flush(30) == 0


@pytest.fixture
def stage(broker: Broker, make_topic: TopicFactory) -> Iterator[Stage]:
    """As for the whole way, with a topic that keeps what is old."""
    topic = make_topic(prefix="events", config={"retention.ms": "-1"})
    letters = make_topic(prefix="letters", config={"retention.ms": "-1"})
    with running() as sandbox:
        yield Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, seed(sandbox.url))


@pytest.fixture
def begin(stage: Stage) -> Iterator[Callable[..., Command]]:
    """Begins commands on the stage; those that still run at the end are killed."""
    commands: list[Command] = []

    def begun(*arguments: str, **more: str) -> Command:
        commands.append(Command(stage, *arguments, **more))
        return commands[-1]

    yield begun
    for command in commands:
        command.kill()


@pytest.fixture
def past(stage: Stage, begin: Callable[..., Command]) -> Past:
    """Two hundred events an hour."""
    fill(stage, 200)
    return Past(stage, 200, begin)


def wait_for(command: Command, text: str, seconds: float = 60) -> None:
    """Wait until a command has said this on standard error."""
    deadline = time.monotonic() + seconds
    while text not in command.err:
        assert command.process.poll() is None, command.err
        assert time.monotonic() < deadline, command.err
        time.sleep(0.05)
