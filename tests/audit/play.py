"""A run with all that can happen to an event: on real Kafka, through a worker, into a sandbox; and the two commands."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, Producer, TopicPartition
from typer.testing import CliRunner

from tests.way.events import confluent, custom
from tests.way.stage import until
from worker.cli import app
from worker.config import Kafka
from worker.edges.cluster import describe
from worker.model import Claim, Envelope
from worker.rooms.identity import Identity

if TYPE_CHECKING:
    from pathlib import Path

    from tests.way.stage import Stage

GOOD = 40
BAD = (12, 27)
"""Offsets in partition 0 of what cannot be read."""

DELETED = (3, 10, 11)
"""Offsets in partition 0 of what is deleted from the data mart by hand."""


@dataclass
class Run:
    """`store` is the sandbox's SQLite file; `ids` has the scoring id of each offset of partition 0.

    The last of them is of the event that is in flight.
    """

    stage: Stage
    store: Path
    ids: list[str] = field(default_factory=list)

    @property
    def in_flight(self) -> int:
        """The offset of the event that no worker has read."""
        return len(self.ids) - 1

    def command(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a command of the worker."""
        environment = self.stage.environment()
        gone: dict[str, str | None] = {name: None for name in os.environ if name not in environment}
        done = CliRunner().invoke(app, words, env=gone | environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr

    def document(self, *words: str) -> tuple[int, Any]:
        """Exit code and JSON."""
        code, out, err = self.command(*words, "--json")
        assert out, err
        return code, json.loads(out)


def played(stage: Stage, store: Path) -> Run:
    """Events through a worker, which is stopped then, and one more behind it. Even offsets give an id of their own."""
    values, run = [], Run(stage, store)
    cluster = describe(Kafka(bootstrap_servers=stage.bootstrap), [stage.topic])
    identity, claim = Identity(cluster.id, cluster.topic_ids), Claim(stage.topic, 0)
    for offset in range(GOOD + len(BAD) + 1):
        given = f"given-{offset}" if offset % 2 == 0 and offset not in BAD else None
        run.ids.append(given or identity.scoring_id(Envelope(claim, offset, 0, None, None, ())))
        event = custom(1 + offset % 3, start=offset) | {"scoring_id": given}
        values.append(b"\xff not an event" if offset in BAD else confluent(event))
    stage.produce(values[:-1], partition=0)
    with stage.worker() as worker:
        until(lambda: stage.committed() == GOOD + len(BAD), "the commit of all")
        until(lambda: len(stored(stage)) == GOOD, "all stored")
        code, log = worker.stop()
        assert code == 0, log
    stage.produce(values[-1:], partition=0)
    return run


def stored(stage: Stage) -> set[str]:
    """The scoring ids of records that are stored."""
    return {each["scoring_id"] for each in stage.sandbox.records(stage.seeded["custom"].subscription_id)}


def commit(stage: Stage, offset: int) -> None:
    """Commit an offset of partition 0 for the group, as if a worker had."""
    consumer = Consumer({"bootstrap.servers": stage.bootstrap, "group.id": stage.group})
    consumer.commit(offsets=[TopicPartition(stage.topic, 0, offset)], asynchronous=False)
    consumer.close()


def redrive(stage: Stage, place: tuple[str, int, int], value: bytes) -> None:
    """Send a record back as `dlq redrive` does: with the headers of its first place."""
    names = zip(("topic", "partition", "offset"), place, strict=True)
    headers = [(f"__dlq.errors.{name}", str(each).encode()) for name, each in names]
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    producer.produce(stage.topic, value, partition=1, headers=[*headers, ("payload-worker.redrive.count", b"1")])
    assert producer.flush(30) == 0
