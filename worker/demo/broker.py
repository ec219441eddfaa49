"""The embedded broker: librdkafka's mock cluster, alive as long as the producer that it belongs to.

No Java, up in milliseconds, and other processes can connect to it. It keeps 5 MiB a partition, forgets beyond
that, and gives every topic four partitions: enough for a demo, and for nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from confluent_kafka import Producer

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECONDS = 10


class EmbeddedBroker:
    """A cluster of one broker, with these topics: `bootstrap` is its address, `cluster_id` its name.

    Topics have no ids of their own here.
    """

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = tuple(topics)
        self._keeper: Producer | None = None
        self.bootstrap = ""
        self.cluster_id = ""

    def __enter__(self) -> Self:
        keeper = self._keeper = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        found = keeper.list_topics(timeout=_SECONDS)
        (member,) = found.brokers.values()
        self.bootstrap, self.cluster_id = f"{member.host}:{member.port}", str(found.cluster_id)
        for topic in self._topics:
            keeper.list_topics(topic, timeout=_SECONDS)  # to be asked for is how a topic is made
        return self

    def __exit__(self, *_: object) -> None:
        self._keeper = None
