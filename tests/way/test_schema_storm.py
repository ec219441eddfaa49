"""A storm of unknown schemas: one question for each, nobody else held up, and every record of it explained."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Producer

from tests.registry.apicurio import NEEDS, REQUIRED, Apicurio, missing
from tests.rooms.schemas import AHEAD, AHEAD_ONLY, written
from tests.way.events import custom
from tests.way.front import Front
from tests.way.registry import added_headers, codes
from tests.way.stage import Stage, WorkerProcess, until
from worker.edges.schemas import reader_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(2400)]

STORM = int(os.environ.get("STORM_RECORDS", "5000"))
"""How many records each storm has; the full number is 50,000."""
IDS = int(os.environ.get("STORM_SCHEMAS", "200"))
"""How many schemas the first storm names; the full number is 5,000."""
STORMY = (1, 2, 3)
"""The partitions that it is on; 0 is free of it."""
PACED, PACED_SECONDS = 400, 4
"""Good events a second, and for how long: far less than a worker can do, so that only being held up slows them."""
PATIENCE = 300 + STORM // 50
"""Seconds for a whole storm."""
FIRST = 1_000_000
"""Of the ids that the registry does not have."""
SUBJECT = "payload-events-value"
PATH = "/apis/ccompat/v7/schemas/ids/"


class Registry:
    """A real registry behind a front that counts, and what a worker is told of it."""

    def __init__(self, apicurio: Apicurio, front: Front) -> None:
        self._apicurio = apicurio
        self._front = front
        self.settings = {
            "SCHEMAS__REGISTRY__URLS": json.dumps([front.url + urlsplit(apicurio.url).path]),
            "SCHEMAS__REGISTRY__UNKNOWN_SECONDS": "3600",  # so that what is asked for twice is asked for too often
            "DELIVERY__RETRY_WAIT_MAX_SECONDS": "1",
            "FLOOD_GUARD__RECORDS": "1000000",
        }

    def register(self, *schemas: object) -> list[int]:
        """Register schemas as versions of a subject, in this order; their ids."""
        return self._apicurio.register(SUBJECT, [json.dumps(each) for each in schemas])

    def cut(self) -> None:
        """Whoever asks is told that it is down."""
        self._front.down.set()

    def mend(self) -> None:
        """It answers again."""
        self._front.down.clear()

    @property
    def asked(self) -> Counter[int]:
        """How often it was asked for each id."""
        found = Counter(dict(self._front.asked))
        return Counter({int(path.removeprefix(PATH)): count for path, count in found.items() if path.startswith(PATH)})


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry of this test's own."""
    lack = missing()
    if lack is not None and not REQUIRED:
        pytest.skip(f"{NEEDS} ({lack})")
    with Apicurio() as apicurio:
        place = urlsplit(apicurio.url)
        with Front(f"{place.scheme}://{place.netloc}") as front:
            yield Registry(apicurio, front)


def _body(schema: object, name: str) -> bytes:
    return written(schema, custom() | AHEAD_ONLY | {"scoring_id": name})


def _framed(number: int, body: bytes) -> bytes:
    return b"\x00" + number.to_bytes(4, "big") + body


def _break_loose(stage: Stage, storm: list[bytes]) -> None:
    """All at once, on its partitions."""
    for at, partition in enumerate(STORMY):
        stage.produce(storm[at :: len(STORMY)], partition=partition)


def _paced(stage: Stage, known: int, wave: str) -> None:
    """Good events at an even pace, on the partition apart."""
    producer = Producer({"bootstrap.servers": stage.bootstrap, "linger.ms": 5})
    begun = time.monotonic()
    for n in range(PACED * PACED_SECONDS):
        time.sleep(max(0.0, begun + n / PACED - time.monotonic()))
        producer.produce(stage.topic, _framed(known, _body(reader_schema(), f"{wave} {n}")), partition=0)
        producer.poll(0)
    assert producer.flush(30) == 0


def _wave(stage: Stage, known: int, wave: str) -> float:
    """Send a wave; how many of it a second came, until the last was there."""
    wanted = stage.sandbox.stats()["distinct"] + PACED * PACED_SECONDS
    begun = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(_paced, stage, known, wave)
        until(lambda: stage.sandbox.stats()["distinct"] >= wanted, f"the good events of the wave {wave}", seconds=120)
        took = time.monotonic() - begun
        sending.result()
    return PACED * PACED_SECONDS / took


def _running(stage: Stage, known: int) -> None:
    """Until the worker reads what is known."""
    stage.produce([_framed(known, _body(reader_schema(), "first"))], partition=0)
    until(lambda: stage.sandbox.stats()["distinct"] == 1, "a running worker")


def _ended(stage: Stage, worker: WorkerProcess, count: int) -> None:
    until(lambda: stage.committed() == count, f"{count} records committed", seconds=PATIENCE)
    code, log = worker.stop()
    assert code == 0, log


def test_a_storm_of_unknown_schemas_costs_one_question_each_and_holds_up_nobody(
    stage: Stage, registry: Registry
) -> None:
    """Good events keep half of their rate at the very least, on any machine; what it was is printed."""
    [known] = registry.register(reader_schema())
    body = _body(reader_schema(), "unknown")
    good = 1 + 2 * PACED * PACED_SECONDS
    with stage.worker(**registry.settings) as worker:
        _running(stage, known)
        calm = _wave(stage, known, "calm")
        many = [_framed(FIRST + n % IDS, body) for n in range(STORM)]
        begun = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            breaking = pool.submit(_break_loose, stage, many)
            stormy = _wave(stage, known, "stormy")
            breaking.result()
        until(
            lambda: worker.metrics().get("records_deadlettered") == STORM, "the dead letters of many", seconds=PATIENCE
        )
        took = time.monotonic() - begun
        _break_loose(stage, [_framed(FIRST + IDS, body)] * STORM)
        until(
            lambda: worker.metrics().get("records_deadlettered") == 2 * STORM,
            "the dead letters of one",
            seconds=PATIENCE,
        )
        _ended(stage, worker, good + 2 * STORM)
    sys.stdout.write(
        f"storm of {STORM} records of {IDS} schemas: {took:.0f} s; good events' rate with it against that without it:"
        f" {stormy / calm:.2f}\n"
    )
    assert registry.asked == Counter([known, *range(FIRST, FIRST + IDS + 1)])
    letters = stage.dead_letters(2 * STORM, seconds=PATIENCE)
    assert codes(letters) == {("schema", "unknown-schema"): 2 * STORM}
    places = Counter((each.partition(), added_headers(each)["__dlq.errors.offset"]) for each in letters)
    assert max(places.values()) == 1
    assert stormy >= calm * 0.5


def test_a_storm_of_a_schema_that_appears_meanwhile_is_delivered_whole(stage: Stage, registry: Registry) -> None:
    """It comes while the registry is down: nothing of it is refused, and the partition apart flows on."""
    [known] = registry.register(reader_schema())
    names = [f"storm {n}" for n in range(STORM)]
    with stage.worker(**registry.settings) as worker:
        _running(stage, known)
        registry.cut()
        [new] = registry.register(AHEAD)
        _break_loose(stage, [_framed(new, _body(AHEAD, name)) for name in names])
        until(lambda: worker.metrics().get("records_unread", 0) > STORM // 10, "the storm's arrival")
        stage.produce([_framed(known, _body(reader_schema(), f"apart {n}")) for n in range(500)], partition=0)
        until(lambda: stage.sandbox.stats()["distinct"] == 501, "the good events apart", seconds=120)
        registry.mend()
        until(lambda: stage.sandbox.stats()["distinct"] == STORM + 501, "the whole storm", seconds=PATIENCE)
        until(lambda: worker.metrics().get("records_unread") == 0, "none that waits")
        _ended(stage, worker, STORM + 501)
    assert registry.asked == Counter([known, new])
    stored = set(stage.sandbox.received(stage.seeded["custom"].subscription_id))
    assert stored == {"first", *names, *(f"apart {n}" for n in range(500))}
    assert stage.dead_letters(0, seconds=1) == []
