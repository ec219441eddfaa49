"""The brokers of the tests: `ApacheKafka` started here, `ExternalKafka` by address, or `EmbeddedKafka`.

Each is a context manager with `.bootstrap`, `.name`, whether it is `.real`, and `.create_topic`. An
`ApacheKafka` can be stopped, killed or frozen in the middle of a test and started again: same address, same
data. Three of them as one cluster are in `cluster`.
"""

from __future__ import annotations

import base64
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka import install

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOST: Final = "127.0.0.1"
# below the range from which systems take the ports of outgoing connections: a client that keeps trying to
# reach a stopped broker could otherwise be given the broker's own port, and hold it
PORTS: Final = range(20_000, 32_000)
READY_SECONDS: Final = 60
STOP_SECONDS: Final = 20
TOPIC_SECONDS: Final = 20
LOG_TAIL: Final = 4000
LOGGING: Final = Path(__file__).with_name("log4j2.properties")

# for one broker that is started for tests: no waiting, no replicas, few internal partitions, and access control
PROPERTIES: Final[Mapping[str, object]] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 5000,  # a killed broker is not let in again before this has passed
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",  # a test may forbid something, such as writing to a topic
    "auto.create.topics.enable": "false",
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.num.partitions": 4,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.coordinator.rebalance.protocols": "classic,consumer",
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "group.consumer.min.heartbeat.interval.ms": 500,
    "group.consumer.heartbeat.interval.ms": 1000,
    "group.consumer.min.session.timeout.ms": 3000,
}


class BrokerError(RuntimeError):
    """A broker did not do what a test needs; the message holds the end of its log where it has one."""


class Broker:
    """What a test may ask of any broker.

    `bootstrap` is its address for clients, `name` what it is, for people; `real`: whether it is Apache Kafka;
    `replicas`: how many each partition of a topic made here has.
    """

    real: ClassVar[bool]
    replicas: ClassVar[int] = 1
    bootstrap: str
    name: str

    def start(self) -> None:
        """Makes it ready; a broker that runs elsewhere already is."""

    def stop(self) -> None:
        """Ends it, if it was started here."""

    def check(self) -> None:
        """Raises where it was started here and has ended by itself."""

    def admin(self) -> AdminClient:
        """A new admin client that finds a restarted broker quickly and logs nothing."""
        return AdminClient({"bootstrap.servers": self.bootstrap, "reconnect.backoff.max.ms": 200, "log_level": 0})

    def create_topic(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        """Creates a topic and returns when every partition of it has a leader."""
        admin = self.admin()
        order = NewTopic(topic, num_partitions=partitions, replication_factor=self.replicas, config=dict(config))
        admin.create_topics([order])[topic].result(TOPIC_SECONDS)
        deadline = time.monotonic() + TOPIC_SECONDS
        while _led(admin, topic) < partitions:
            if time.monotonic() > deadline:
                raise BrokerError(f"topic {topic} has no leaders after {TOPIC_SECONDS} s")
            time.sleep(0.02)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class ExternalKafka(Broker):
    """A real broker that somebody else runs."""

    real = True

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.name = f"Apache Kafka at {bootstrap}"


class EmbeddedKafka(Broker):
    """librdkafka's mock cluster, kept alive by a producer; other processes can connect to it.

    It keeps 5 MiB a partition, gives each topic 4 partitions whatever was asked, and knows no topic settings.
    """

    real = False
    name = "the embedded broker"

    def __init__(self, brokers: int = 1) -> None:
        self._brokers = brokers
        self._keeper: Producer | None = None
        self.bootstrap = ""

    def start(self) -> None:
        """Makes the cluster, in milliseconds."""
        self._keeper = Producer({"test.mock.num.brokers": self._brokers, "log_level": 0})
        members = self._keeper.list_topics(timeout=10).brokers.values()
        self.bootstrap = ",".join(f"{member.host}:{member.port}" for member in members)

    def stop(self) -> None:
        """Ends it, and forgets what it held."""
        self._keeper = None

    def create_topic(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        """Makes a topic by asking for it, the only way there is."""
        del partitions, config
        if self._keeper is None:
            raise BrokerError("the embedded broker is not running")
        self._keeper.list_topics(topic, timeout=10)


class ApacheKafka(Broker):
    """Apache Kafka in KRaft mode, one broker on loopback, with its data in a temporary directory.

    `properties` are added to `PROPERTIES`, or replace them; `heap` bounds the JVM, `jvm` are more of its options.
    `ports` (for clients, for controllers) and `cluster_id` are for a member of a cluster. Leaving the context
    removes the data.
    """

    real = True

    def __init__(
        self,
        properties: Mapping[str, object] | None = None,
        *,
        heap: str = "768m",
        jvm: Sequence[str] = (),
        ports: tuple[int, int] | None = None,
        cluster_id: str | None = None,
    ) -> None:
        self._extra = dict(properties or {})
        self._jvm = [f"-Xmx{heap}", *jvm]
        port, controller_port = ports or free_ports(2)
        self.bootstrap = f"{HOST}:{port}"
        self.name = f"Apache Kafka {install.version()}"
        self._controller = f"{HOST}:{controller_port}"
        self._cluster_id = cluster_id or new_cluster_id()
        self._home: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def cluster_id(self) -> str:
        """The id that the cluster was formatted with."""
        return self._cluster_id

    @property
    def pid(self) -> int | None:
        """The process id of the running broker."""
        return self._process.pid if self._process else None

    @property
    def log(self) -> Path:
        """What the broker wrote, over all its starts."""
        return self._directory() / "broker.log"

    def start(self) -> None:
        """Starts it and waits until it answers; after `stop` or `kill`, with the data it had."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Starts it without waiting: the members of a cluster answer only once most of them run."""
        if self._process is not None:
            raise BrokerError("this broker is running")
        install.fetch()
        if self._home is None:
            self._format()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", "server.properties"),
                cwd=self._directory(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop their broker
            )

    def await_ready(self) -> None:
        """Waits until it answers; where it does not, it is ended and the error has the end of its log."""
        if self._process is None:
            raise BrokerError("this broker was not launched")
        with ExitStack() as undo:
            undo.callback(self.kill)
            self._await_ready(self._process)
            undo.pop_all()

    def stop(self) -> None:
        """Ends it in order (SIGTERM), or by force when that takes too long."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once, as a crash would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stops it from running (SIGSTOP): its sockets stay open, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen one run on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def check(self) -> None:
        """Raises, with the end of the log, where it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise BrokerError(self._ended(f"ended by itself with {self._process.returncode}"))

    def wait(self) -> None:
        """Returns never, but raises when the broker has ended by itself."""
        if self._process is not None:
            self._process.wait()
        self.check()

    def tail(self) -> str:
        """The end of the broker's log."""
        return self.log.read_text("utf-8", errors="replace")[-LOG_TAIL:] if self.log.exists() else ""

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def _directory(self) -> Path:
        if self._home is None:
            self._home = Path(tempfile.mkdtemp(prefix="payload-kafka-"))
        return self._home

    def _java(self, *arguments: str) -> list[str]:
        logging = "-Dlog4j2.configurationFile=" + LOGGING.as_uri()
        return ["java", *self._jvm, logging, "-cp", str(install.LIBS / "*"), *arguments]

    def _format(self) -> None:
        home = self._directory()
        properties = {**PROPERTIES, **self._addresses(), "log.dirs": home / "data", **self._extra}
        lines = (f"{key}={value}\n" for key, value in properties.items())
        (home / "server.properties").write_text("".join(lines), "utf-8")
        command = self._java("kafka.tools.StorageTool", "format", "-t", self._cluster_id, "-c", "server.properties")
        done = subprocess.run(command, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(home, ignore_errors=True)
            self._home = None
            raise BrokerError(f"Kafka's storage was not formatted:\n{(done.stdout + done.stderr).decode()[-LOG_TAIL:]}")

    def _addresses(self) -> dict[str, object]:
        return {
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": f"{PROPERTIES['node.id']}@{self._controller}",
        }

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        admin = self.admin()
        deadline = time.monotonic() + READY_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                time.sleep(0.05)
        ended = process.poll()
        what = f"was not ready in {READY_SECONDS} s" if ended is None else f"ended with {ended}"
        raise BrokerError(self._ended(what))

    def _ended(self, what: str) -> str:
        return f"{self.name} {what}; the end of its log:\n{self.tail()}"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise BrokerError("this broker is not running")
        self._process.send_signal(number)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)  # a frozen one hears nothing else
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def choose(environment: Mapping[str, str] = os.environ) -> Broker:
    """The most real broker to be had here: by address, else Apache Kafka on Java, else the embedded one."""
    bootstrap = environment.get("KAFKA_BOOTSTRAP_SERVERS")
    if bootstrap:
        return ExternalKafka(bootstrap)
    return ApacheKafka() if install.missing() is None else EmbeddedKafka()


def _led(admin: AdminClient, topic: str) -> int:
    partitions: Mapping[int, Any] = admin.list_topics(topic, timeout=5).topics[topic].partitions
    return sum(partition.leader >= 0 for partition in partitions.values())


def new_cluster_id() -> str:
    """A Kafka UUID: 128 random bits in URL-safe base64, and no dash in front that would read as an option."""
    return "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on; held together, so that they differ."""
    with ExitStack() as held:
        found: list[int] = []
        for port in random.SystemRandom().sample(PORTS, 200):
            probe = held.enter_context(socket.socket())
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise BrokerError("no free ports on the loopback address")
