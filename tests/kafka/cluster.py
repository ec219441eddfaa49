"""Three Apache Kafka brokers on loopback that are one KRaft cluster, each broker and controller in one.

What one broker cannot show: a partition whose leader goes away, a group whose coordinator does. Topics have three
replicas, of which two must have a record before it counts as written.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException

from tests.kafka import install
from tests.kafka.broker import HOST, TOPIC_SECONDS, ApacheKafka, Broker, BrokerError, free_ports, new_cluster_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from confluent_kafka.admin import AdminClient

MEMBERS: Final = 3
HEAP: Final = "384m"
IN_SYNC_SECONDS: Final = 60
COORDINATOR_SECONDS: Final = 60

# three JVMs on a small machine: what makes them start soon counts for more than what makes them quick later
JVM: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

PROPERTIES: Final[Mapping[str, object]] = {
    "authorizer.class.name": "",  # controllers of several have to be allowed to meet before there is a rule to ask
    "default.replication.factor": MEMBERS,
    "min.insync.replicas": MEMBERS - 1,
    "offsets.topic.replication.factor": MEMBERS,
    "transaction.state.log.replication.factor": MEMBERS,
    "transaction.state.log.min.isr": MEMBERS - 1,
    "share.coordinator.state.topic.replication.factor": MEMBERS,
    "share.coordinator.state.topic.min.isr": MEMBERS - 1,
}


class KafkaCluster(Broker):
    """Three brokers as one `Broker`; `members` are theirs to stop, kill, freeze, thaw and start, one by one.

    A member's place in `members` is its node id less one. `properties` are added to those of every member.
    """

    real = True
    replicas = MEMBERS

    def __init__(self, properties: Mapping[str, object] | None = None, *, heap: str = HEAP) -> None:
        numbers = free_ports(2 * MEMBERS)
        ports = list(zip(numbers[::2], numbers[1::2], strict=True))
        voters = ",".join(f"{node}@{HOST}:{controller}" for node, (_, controller) in enumerate(ports, 1))
        shared = {**PROPERTIES, **(properties or {}), "controller.quorum.voters": voters}
        cluster_id = new_cluster_id()
        self.members = [
            ApacheKafka({**shared, "node.id": node}, heap=heap, jvm=JVM, ports=each, cluster_id=cluster_id)
            for node, each in enumerate(ports, 1)
        ]
        self.bootstrap = ",".join(member.bootstrap for member in self.members)
        self.name = f"a cluster of {MEMBERS} Apache Kafka {install.version()}"

    def start(self) -> None:
        """Starts all three at once, and waits until all are in the cluster."""
        with ExitStack() as undo:
            for member in self.members:
                undo.callback(member.kill)
                member.launch()
            for member in self.members:
                member.await_ready()
            self.await_in_sync()
            undo.pop_all()

    def stop(self) -> None:
        """Ends all: by force, for the last of them would find no quorum to take leave of."""
        for member in self.members:
            member.kill()

    def check(self) -> None:
        """Raises where a member has ended by itself."""
        for member in self.members:
            member.check()

    def __exit__(self, *_: object) -> None:
        """Ends all and removes their data."""
        self.stop()
        for member in self.members:
            member.__exit__()

    def coordinator(self, group: str) -> ApacheKafka:
        """The member that coordinates a consumer group now; waits for one where the last has just gone."""
        admin = self.admin()  # kept: a client that is forgotten answers no more
        deadline = time.monotonic() + COORDINATOR_SECONDS
        while True:
            try:
                asked = admin.describe_consumer_groups([group], request_timeout=5)[group]
                return self._member(asked.result(10).coordinator.id)
            except (KafkaException, TimeoutError):
                if time.monotonic() > deadline:
                    raise

    def leader(self, topic: str, partition: int) -> ApacheKafka:
        """The member that leads a partition now."""
        found: Any = self.admin().list_topics(topic, timeout=TOPIC_SECONDS).topics[topic].partitions[partition]
        return self._member(found.leader)

    def _member(self, node: int) -> ApacheKafka:
        return self.members[node - 1]

    def create_topic(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        """Creates a topic and returns when every replica of it is in sync."""
        super().create_topic(topic, partitions, config)
        self.await_in_sync()

    def bounce(self, member: ApacheKafka) -> None:
        """Stops a member in order and starts it again, and waits until it has caught up: as an operator would."""
        member.stop()
        member.start()
        self.await_in_sync()

    def await_in_sync(self, seconds: float = IN_SYNC_SECONDS) -> None:
        """Waits until every member is there and every replica of every partition is in sync."""
        admin = self.admin()
        deadline = time.monotonic() + seconds
        while not _in_sync(admin):
            if time.monotonic() > deadline:
                raise BrokerError(f"replicas out of sync after {seconds} s: {_out_of_sync(admin)}")
            time.sleep(0.1)


def _in_sync(admin: AdminClient) -> bool:
    try:
        return len(admin.list_topics(timeout=5).brokers) == MEMBERS and not _out_of_sync(admin)
    except KafkaException:
        return False


def _out_of_sync(admin: AdminClient) -> list[str]:
    """The partitions that lack a leader or a replica, by name."""
    return [f"{topic}[{number}]" for topic, number, found in _partitions(admin) if _lacks(found)]


def _lacks(partition: Any) -> bool:
    return partition.leader < 0 or len(partition.isrs) < len(partition.replicas)


def _partitions(admin: AdminClient) -> Iterator[tuple[str, int, Any]]:
    for name, topic in admin.list_topics(timeout=5).topics.items():
        for number, partition in topic.partitions.items():
            yield name, number, partition
