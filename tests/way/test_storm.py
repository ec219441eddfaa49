"""A storm of events of an unknown asset: it costs few fetches, holds nobody up, and every event of it is explained."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from tests.way.registry import DOWN, Fetches, added_headers, codes, scored
from tests.way.stage import Stage, WorkerProcess, until

if TYPE_CHECKING:
    from collections.abc import Iterator

STORM = int(os.environ.get("STORM_RECORDS", "10000"))
"""How many events the storm has; the full number is 50,000."""
STORMY = (1, 2, 3)
"""The partitions that it is on; 0 is free of it."""
PACED = 400
"""Events a second of either good asset: far less than a worker can do, so that only being held up slows them."""
PACED_SECONDS = 6
INTERVAL = 5.0
"""Seconds between two fetches that unknown assets may cause at most."""
SETTINGS = {"FLOOD_GUARD__UNKNOWN_ASSET_RECORDS": "1000000", "MART__REFRESH_SECONDS": "3600"}


class Progress:
    """How the good events of an asset come in: the rate of a wave, and the longest time in which none came."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._begun = self._last = time.monotonic()
        self._count = 0
        self._took: float | None = None
        self.standstill = 0.0

    def see(self, count: int) -> bool:
        """So many are there; whether they are all."""
        now = time.monotonic()
        if self._took is None and count > self._count:
            self.standstill = max(self.standstill, now - self._last)
            self._count, self._last = count, now
            self._took = now - self._begun if count >= self._wanted else None
        return self._took is not None

    @property
    def rate(self) -> float:
        """Records of the wave a second, until the last was there."""
        return PACED * PACED_SECONDS / (self._took or float("inf"))


def _storm() -> list[bytes]:
    return [scored(name, "nobody") for name in _names()]


def _names() -> Iterator[str]:
    return (f"storm {n}" for n in range(STORM))


def _break_loose(stage: Stage, storm: list[bytes]) -> None:
    """All at once, on its partitions."""
    for at, partition in enumerate(STORMY):
        stage.produce(storm[at :: len(STORMY)], partition=partition)


def _paced(stage: Stage, wave: str) -> None:
    """Good events at an even pace: `action` on the partition apart, `among` on one of the storm's."""
    producer = Producer({"bootstrap.servers": stage.bootstrap, "linger.ms": 5})
    begun = time.monotonic()
    for n in range(PACED * PACED_SECONDS):
        time.sleep(max(0.0, begun + n / PACED - time.monotonic()))
        producer.produce(stage.topic, scored(f"{wave} {n}"), partition=0)
        producer.produce(stage.topic, scored(f"{wave} {n}", "among"), partition=STORMY[0])
        producer.poll(0)
    assert producer.flush(30) == 0


def _wave(stage: Stage, wave: str, subscriptions: tuple[str, str], count: int) -> tuple[Progress, Progress]:
    """Send a wave and wait until all of both assets is there, `count` of each with the waves before."""
    with ThreadPoolExecutor(1) as pool:
        progress = Progress(count), Progress(count)
        sending = pool.submit(_paced, stage, wave)

        def all_there() -> bool:
            tables = stage.sandbox.stats()["subscriptions"]
            counts = [tables.get(each, {}).get("distinct", 0) for each in subscriptions]
            seen = [each.see(number) for each, number in zip(progress, counts, strict=True)]
            return all(seen)

        until(all_there, f"the good events of the wave {wave}", seconds=120)
        sending.result()
    return progress


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _drained(stage: Stage, worker: WorkerProcess, count: int) -> None:
    until(lambda: stage.committed() == count, f"{count} events committed", seconds=120)
    code, log = worker.stop()
    assert code == 0, log


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_a_storm_of_an_unknown_asset_is_dead_lettered_with_few_fetches_while_others_flow(stage: Stage) -> None:
    """The good events on the partition apart are held to four fifths of their rate; what it was is printed."""
    subscriptions = (stage.seeded["custom"].subscription_id, stage.subscribe("custom", "among"))
    fetches = Fetches(stage.sandbox)
    good = PACED * PACED_SECONDS
    every = 2 + 4 * good + STORM
    with stage.worker(**SETTINGS) as worker:
        stage.produce([scored("first"), scored("first", "among")])
        until(lambda: stage.sandbox.stats()["distinct"] == 2, "a running worker")
        calm = _wave(stage, "calm", subscriptions, good + 1)
        storm = _storm()
        before, asked, begun = worker.metrics()["directory_fetches"], fetches.count, time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            breaking = pool.submit(_break_loose, stage, storm)
            stormy = _wave(stage, "stormy", subscriptions, 2 * good + 1)
            breaking.result()
        until(lambda: stage.committed() == every, "all committed", seconds=180)
        took = time.monotonic() - begun
        until(lambda: worker.metrics().get("records_deadlettered") == STORM, "all dead letters counted")
        counted, asked = worker.metrics()["directory_fetches"] - before, fetches.count - asked
        _drained(stage, worker, every)
    letters = stage.dead_letters(STORM, seconds=120)
    _tell(f"storm of {STORM}: {asked} fetches in {took:.0f} s; good events' rate with it against that without it:")
    for where, still, rough in zip(("apart", "among"), calm, stormy, strict=True):
        standstills = f"{rough.standstill:.2f} s ({still.standstill:.2f} s)"
        _tell(f"{where} {rough.rate / still.rate:.2f}, longest standstill {standstills}")
    assert codes(letters) == {("unknown-asset", "unknown-asset"): STORM}
    assert len({(each.partition(), added_headers(each)["__dlq.errors.offset"]) for each in letters}) == STORM
    # a fetch arrives some time after it was begun, and the metric is published once a second only
    allowed = (took + 2) // INTERVAL + 1
    assert 1 <= asked <= allowed
    assert 1 <= counted <= allowed
    assert stormy[0].rate >= calm[0].rate * 0.8


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_a_storm_whose_asset_appears_meanwhile_is_delivered_whole(stage: Stage) -> None:
    """Until a directory can be fetched nothing of it is refused, and the partition apart flows on."""
    action = stage.seeded["custom"].subscription_id
    with stage.worker(**SETTINGS) as worker:
        stage.produce([scored("first")], partition=0)
        until(lambda: stage.sandbox.stats()["distinct"] == 1, "a running worker")
        stage.sandbox.fault(DOWN)
        _break_loose(stage, _storm())
        until(lambda: worker.metrics().get("records_consumed", 0) > STORM // 4, "the storm's arrival")
        stage.produce([scored(f"apart {n}") for n in range(500)], partition=0)
        until(lambda: len(stage.sandbox.received(action)) == 501, "the good events apart")
        appeared = stage.subscribe("custom", "nobody")
        stage.sandbox.heal()
        until(lambda: stage.sandbox.stats()["distinct"] == STORM + 501, "the whole storm", seconds=180)
        _drained(stage, worker, STORM + 501)
    assert set(stage.sandbox.received(appeared)) == set(_names())
    assert stage.dead_letters(0, seconds=1) == []
