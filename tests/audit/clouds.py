"""A run of CloudEvents through a worker, some of which are alone, and what is written by hand beside it."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from confluent_kafka import Producer

from tests.audit.play import Run
from tests.way.clouds import scorings, stream
from tests.way.stage import until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.way.clouds import Event
    from tests.way.stage import Stage

COUNT = 30


def settings(topic: str) -> dict[str, str]:
    """Of a worker that gives halves up soon."""
    return {"EVENTS__FORMATS": json.dumps({topic: "cloudevents"}), "EVENTS__PAIRING_SECONDS": "2"}


def produce(stage: Stage, events: Iterable[Event], *, place: tuple[str, int, int] | None = None) -> None:
    """Write events into partition 0; `place`: sent back, they were there first."""
    names = zip(("topic", "partition", "offset"), place or (), strict=False)
    told = [(f"__dlq.errors.{name}", str(each).encode()) for name, each in names]
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    for event in events:
        headers: Any = [*event.headers, *told, *([("payload-worker.redrive.count", b"1")] if place else [])]
        producer.produce(stage.topic, event.value, event.id.encode(), partition=0, headers=headers)
    assert producer.flush(30) == 0


def give_up(stage: Stage, event: Event, place: tuple[str, int, int]) -> None:
    """Write the letter of a half whose other half came too late."""
    names = zip(("topic", "partition", "offset"), place, strict=True)
    told = [(f"__dlq.errors.{name}", str(each).encode()) for name, each in names]
    code = ("payload-worker.error.code", f"unpaired-{event.side}".encode())
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    headers: Any = [*event.headers, *told, ("__dlq.errors.disposition", b"validation"), code]
    producer.produce(stage.letters, event.value, event.id.encode(), headers=headers)
    assert producer.flush(30) == 0


class Played:
    """A run of scorings, some of one half; `offsets` of each id, the request's and the response's, None: none."""

    def __init__(self, stage: Stage, store: Path) -> None:
        self.run = Run(stage, store)
        self.stage = stage
        chance = random.Random(11)  # noqa: S311 - a seed, not a secret
        self.made = list(scorings(COUNT, chance))
        self.events, self.unpaired = stream(self.made, chance, alone=0.15)
        self.whole = [each for each in self.made if each.id not in self.unpaired]
        self.offsets: dict[str, list[int]] = {}
        for offset, event in enumerate(self.events):
            self.offsets.setdefault(event.id, []).append(offset)

    def play(self) -> None:
        """Through a worker, which is stopped then; behind it a scoring and a half in flight."""
        stage = self.stage
        assert len(self.unpaired) > 1
        produce(stage, self.events)
        with stage.worker() as worker:
            until(lambda: stage.committed() == len(self.events), "the unpaired, and the commit of all")
            until(lambda: len(self.stored()) == len(self.whole), "all stored")
            code, log = worker.stop()
            assert code == 0, log
        open_ = list(scorings(COUNT + 2, random.Random(1)))[COUNT:]  # noqa: S311 - a seed
        produce(stage, [*open_[0].events(), open_[1].events()[0]])

    def stored(self) -> set[str]:
        """The scoring ids in the data mart."""
        return {each["scoring_id"] for each in self.stage.sandbox.records(self.stage.seeded["custom"].subscription_id)}
