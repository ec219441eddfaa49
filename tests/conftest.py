"""What all tests share: a broker, topics, and the count of tests that ran against real Apache Kafka.

The broker is the first of: the one at `KAFKA_BOOTSTRAP_SERVERS`; Apache Kafka, started here with Java and
Maven; the embedded one, with the tests marked `kafka` skipped. It starts with the first test that asks for
it, for the session; where tests run in several processes, each has one of its own. With `REQUIRE_REAL_KAFKA=1` a
session that does not use a real broker fails.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import hypothesis
import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.kafka.broker import Broker, choose

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NEEDS_REAL: Final = "needs a real Apache Kafka: set KAFKA_BOOTSTRAP_SERVERS or install Java 17 and Maven"
REQUIRED: Final = os.environ.get("REQUIRE_REAL_KAFKA") == "1"


class TopicFactory(Protocol):
    """What the fixture `make_topic` is."""

    def __call__(self, partitions: int = 4, config: Mapping[str, str] | None = None, prefix: str = "topic") -> str:
        """Creates a topic with a name of its own and returns the name; it is never deleted.

        The embedded broker gives 4 partitions and ignores `config`: who needs others is marked `kafka`.
        """


@dataclass(eq=False)
class Tally:
    """The session's broker, and how many tests ran against one, in this process or in those that it started."""

    broker: Broker = field(default_factory=choose)
    ran: int = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts a test that ran against the broker; called where the session is led from."""
        used = any(name == USED_BROKER for name, _ in report.user_properties)
        self.ran += used and report.when == "call" and not report.skipped


COORDINATOR_SECONDS: Final = 60
GROUPS: Final = 12
"""Groups that are asked about: enough that each partition of the offsets' topic has one."""

TALLY: Final = pytest.StashKey[Tally]()
USED_BROKER: Final = "broker"


def pytest_configure(config: pytest.Config) -> None:
    """Chooses the broker, and lets SIGTERM end the session as Ctrl-C does: with the broker stopped."""
    # How long a test takes is not its claim; and what CI says shall be of the change, not of chance: the same examples
    # every time there, new ones wherever else the tests are run.
    hypothesis.settings.register_profile("here", deadline=None, derandomize="CI" in os.environ)
    hypothesis.settings.load_profile("here")
    config.stash[TALLY] = Tally()
    config.pluginmanager.register(config.stash[TALLY])
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks who uses the broker, and skips who needs a real one where there is none."""
    real = config.stash[TALLY].broker.real
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker("broker")
        if item.get_closest_marker("kafka") or item.get_closest_marker("broker"):
            item.user_properties.append((USED_BROKER, True))
        if not real and item.get_closest_marker("kafka"):
            item.add_marker(pytest.mark.skip(reason=NEEDS_REAL))
    if REQUIRED and not real:
        raise pytest.UsageError(f"REQUIRE_REAL_KAFKA=1: this run {NEEDS_REAL}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a session that had to use a real broker and did not; a part of one is not asked."""
    if hasattr(session.config, "workerinput"):
        return
    if REQUIRED and not session.config.stash[TALLY].ran and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what the broker's tests ran against."""
    tally = config.stash[TALLY]
    kind = "real " if tally.broker.real else ""
    terminalreporter.write_line(f"{tally.ran} tests ran against {kind}{tally.broker.name}")
    if REQUIRED and not tally.ran:
        terminalreporter.write_line("REQUIRE_REAL_KAFKA=1: a run with no test on a real broker fails", red=True)


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """The session's broker; not for tests that stop it (they start an `ApacheKafka` of their own)."""
    with pytestconfig.stash[TALLY].broker as running:
        _await_coordinators(running)
        yield running
        running.check()


def _await_coordinators(broker: Broker) -> None:
    """Ask for offsets of some groups until all are answered: a broker's first answers are NOT_COORDINATOR."""
    topic = f"begin-{uuid.uuid4().hex[:12]}"
    broker.create_topic(topic, 1, {})
    deadline = time.monotonic() + COORDINATOR_SECONDS
    for number in range(GROUPS):
        consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": f"begin-{number}", "log_level": 0})
        while not _answers(consumer, topic):
            assert time.monotonic() < deadline, "the broker's group coordinators do not begin"
            time.sleep(0.05)
        consumer.close()


def _answers(consumer: Consumer, topic: str) -> bool:
    try:
        consumer.committed([TopicPartition(topic, 0)], timeout=5)
    except KafkaException:
        return False
    return True


@pytest.fixture(scope="session")
def make_topic(broker: Broker) -> TopicFactory:
    """Creates topics on the session's broker; see `TopicFactory`."""

    def make(partitions: int = 4, config: Mapping[str, str] | None = None, prefix: str = "topic") -> str:
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        # records carry timestamps of years ago here, and a broker deletes by a record's own time
        broker.create_topic(name, partitions, {"retention.ms": "-1", **(config or {})})
        return name

    return make
