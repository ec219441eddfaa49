"""Bytewax: Kafka source, a step that makes bodies of batches, a sink that posts.

It keeps offsets in its own recovery store rather than in a group, once an epoch: that is its at-least-once, with an
epoch of a second; here the store is a new one for each run, as the others' groups are. The sink is of the kind that
takes part in snapshots: posts go out in threads, and a snapshot waits for them. The source's batches are passed on
whole (`flat_map_batch`), for each item of a stream costs.
"""

# mypy: disable-error-code="import-not-found,misc"
from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bytewax import operators
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from bench.peers.posts import Poster, Posts
from bench.peers.work import BATCH, COMMIT_SECONDS, CONSUMER, Work, encode

if TYPE_CHECKING:
    from collections.abc import Callable

ALL: Final = "all"
"""The key of every item: one process posts them all."""


class Partition(StatefulSinkPartition):
    """Posts in threads; whatever was written is stored when `snapshot` returns."""

    def __init__(self, work: Work) -> None:
        self._posts: Posts[None] = Posts(Poster(work))

    def write_batch(self, values: list[bytes]) -> None:
        """Begin to post bodies."""
        for body in values:
            self._posts.send(body, None)

    def snapshot(self) -> None:
        """Wait until all was accepted."""
        self._posts.done(leave=0)


class Payloads(FixedPartitionedSink):
    """One partition."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def list_parts(self) -> list[str]:
        """The one."""
        return [ALL]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> Partition:
        """Make it."""
        del step_id, for_part, resume_state
        return Partition(self._work)


def _encoding(work: Work) -> Callable[[list[Any]], list[tuple[str, bytes]]]:
    def encoded(messages: list[Any]) -> list[tuple[str, bytes]]:
        records = [work.record(m.value, m.topic, m.partition, m.offset, m.timestamp[1]) for m in messages]
        return [(ALL, encode(records[start : start + BATCH])) for start in range(0, len(records), BATCH)]

    return encoded


def main(bootstrap: str, topic: str, group: str, url: str, schema: str) -> None:
    """Post the topic's events until the process is ended."""
    work = Work(url, schema)
    flow = Dataflow("peer")
    settings = {"group.id": group, **{name: str(value) for name, value in CONSUMER.items()}}
    source = KafkaSource([bootstrap], [topic], add_config=settings, batch_size=BATCH)
    bodies = operators.flat_map_batch("encode", operators.input("read", flow, source), _encoding(work))
    operators.output("post", bodies, Payloads(work))
    with tempfile.TemporaryDirectory(prefix="payload-bench-") as directory:
        init_db_dir(Path(directory), 1)
        cli_main(flow, epoch_interval=timedelta(seconds=COMMIT_SECONDS), recovery_config=RecoveryConfig(directory))


if __name__ == "__main__":
    main(*sys.argv[1:])
