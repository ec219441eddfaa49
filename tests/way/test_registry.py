"""A real schema registry beside real Kafka: killed, absent or wrong, it costs no record."""

from __future__ import annotations

import json
import threading
import time
import uuid
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from chaos.proxy import CLEAR, Proxy, Weather
from tests.registry.apicurio import NEEDS, REQUIRED, Apicurio, missing
from tests.rooms.schemas import AHEAD, AHEAD_ONLY, BEHIND, RECURSIVE, written
from tests.way.events import custom
from tests.way.registry import added_headers, codes
from tests.way.stage import Stage, WorkerProcess, until
from worker.edges.schemas import reader_schema
from worker.rooms.framing import VALUE_SCHEMA
from worker.rooms.writer_schema import compile_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

CURRENT = reader_schema()
SUBJECT = "payload-events-value"
REFUSE = Weather(refuse=True)
FLOOD = {"FLOOD_GUARD__RECORDS": "1000000"}
"""A guard that lets all of these tests' refusals pass."""


class Registry:
    """A real registry of this test's own, behind a network that can be cut."""

    def __init__(self, apicurio: Apicurio, proxy: Proxy) -> None:
        self._apicurio = apicurio
        self._proxy = proxy
        self._schemas: list[Any] = []
        self.settings = {
            "SCHEMAS__REGISTRY__URLS": json.dumps([f"http://{proxy.address}{urlsplit(apicurio.url).path}"]),
            "DELIVERY__RETRY_WAIT_MAX_SECONDS": "1",
            **FLOOD,
        }

    def register(self, schema: Any) -> int:
        """Register one more schema; its id."""
        self._schemas.append(schema)
        return self._apicurio.register(SUBJECT, [json.dumps(schema)])[0]

    def kill(self) -> None:
        """End it at once."""
        self._apicurio.kill()

    def restart(self) -> None:
        """Start it again; the worker reaches it only once all is registered anew, for it forgets."""
        self.cut()
        self._apicurio.start()
        self._apicurio.register(SUBJECT, [json.dumps(each) for each in self._schemas])
        self.mend()

    def cut(self) -> None:
        """Nobody reaches it any more."""
        self._proxy.become(REFUSE)

    def mend(self) -> None:
        """It can be reached again."""
        self._proxy.become(CLEAR)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry that its test may kill."""
    lack = missing()
    if lack is not None and not REQUIRED:
        pytest.skip(f"{NEEDS} ({lack})")
    with Apicurio() as apicurio, Proxy(urlsplit(apicurio.url).netloc, seed="registry") as proxy:
        yield Registry(apicurio, proxy)


def _body(schema: Any, name: str) -> bytes:
    return written(schema, custom() | AHEAD_ONLY | {"scoring_id": name})


def _framed(number: int, name: str, schema: Any = CURRENT) -> bytes:
    """An event in Confluent's framing."""
    return b"\x00" + number.to_bytes(4, "big") + _body(schema, name)


def _single_object(schema: Any, name: str) -> bytes:
    mark = compile_reader("w", schema, CURRENT).fingerprint
    return b"\xc3\x01" + mark.to_bytes(8, "little") + _body(schema, name)


def _stored(stage: Stage) -> set[str]:
    return set(stage.sandbox.received(stage.seeded["custom"].subscription_id))


def _ended(stage: Stage, worker: WorkerProcess, count: int) -> None:
    until(lambda: stage.committed() == count, f"{count} events committed")
    code, log = worker.stop()
    assert code == 0, log


def _explained(stage: Stage, count: int) -> dict[tuple[str, str], set[str]]:
    """The sentences in the dead letters, by disposition and code."""
    letters = stage.dead_letters(count)
    found: dict[tuple[str, str], set[str]] = {place: set() for place in codes(letters)}
    for letter in letters:
        (place,) = codes([letter])
        found[place].add(added_headers(letter)["__dlq.errors.message"].decode())
    assert len(letters) == count
    return found


@contextmanager
def _load(stage: Stage, number: int) -> Iterator[list[str]]:
    """Events of the current schema, all the time; the list grows with the names of those that are written."""
    names: list[str] = []
    ended = threading.Event()

    def send() -> None:
        while not ended.wait(0.05):
            new = [f"known {len(names) + n}" for n in range(20)]
            stage.produce([_framed(number, name) for name in new])
            names.extend(new)

    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield names
    finally:
        ended.set()
        sending.join(60)


def _more(stage: Stage, count: int, what: str) -> None:
    """Wait until so many more are stored."""
    before = len(_stored(stage))
    until(lambda: len(_stored(stage)) >= before + count, what)


def test_a_registry_killed_and_started_again_under_load_costs_no_record(stage: Stage, registry: Registry) -> None:
    """Missing 0, dead-lettered 0: known schemas go on, those of a new one wait until the registry is back."""
    known, new = registry.register(CURRENT), registry.register(AHEAD)
    waiting = {f"new {n}" for n in range(50)}
    with stage.worker(**registry.settings) as worker:
        with _load(stage, known) as names:
            _more(stage, 100, "the load's arrival")
            registry.kill()
            stage.produce([_framed(new, name, AHEAD) for name in waiting])
            until(lambda: worker.metrics().get("records_unread", 0) == 50, "those that wait")
            until(
                lambda: worker.health("/readyz") == (503, {"ready": False, "reason": "schema-registry"}), "the reason"
            )
            _more(stage, 200, "those of the known schema, that go on")
            assert not _stored(stage) & waiting
            registry.restart()
            until(lambda: _stored(stage) >= waiting, "those that waited")
            until(lambda: worker.health("/readyz")[0] == 200, "readiness")
            registry.kill()
            stage.produce([_framed(new, "once more", AHEAD)])
            until(lambda: "once more" in _stored(stage), "a schema that is kept for good")
            _more(stage, 100, "the load")
        every = waiting | {"once more", *names}
        until(lambda: _stored(stage) == every, "all of them")
        assert len(worker.lines("registry.recovered")) == 1
        until(lambda: worker.metrics().get("records_unread") == 0, "none that waits")
        _ended(stage, worker, len(every))
    assert stage.dead_letters(0, seconds=1) == []


def test_a_worker_starts_while_the_registry_is_down_and_reads_what_it_can(stage: Stage, registry: Registry) -> None:
    """Single objects of the schema that ships need no registry; ids do, that of the directory that ships as well."""
    number = registry.register(AHEAD)
    registry.cut()
    with stage.worker(**registry.settings) as worker:
        stage.produce([_framed(number, f"waits {n}", AHEAD) for n in range(20)])
        stage.produce([_single_object(CURRENT, f"known {n}") for n in range(20)])
        until(lambda: _stored(stage) == {f"known {n}" for n in range(20)}, "those of the schema that ships")
        until(lambda: bool(worker.lines("registry.failing")), "word of it")
        registry.mend()
        until(lambda: len(_stored(stage)) == 40, "those that waited")
        until(lambda: worker.metrics().get("records_unread") == 0, "none that waits")
        _ended(stage, worker, 40)
    assert stage.dead_letters(0, seconds=1) == []


def test_what_waits_for_the_registry_when_the_worker_ends_is_read_by_the_next(stage: Stage, registry: Registry) -> None:
    number = registry.register(CURRENT)
    registry.cut()
    names = {f"event {n}" for n in range(30)}
    with stage.worker(**registry.settings, DELIVERY__DRAIN_SECONDS="1") as worker:
        stage.produce([_framed(number, name) for name in names])
        until(lambda: worker.metrics().get("records_unread", 0) == 30, "those that wait")
        code, log = worker.stop()
        assert code == 75, log
    assert stage.committed() == 0
    registry.mend()
    with stage.worker(**registry.settings) as worker:
        until(lambda: _stored(stage) == names, "all of them")
        _ended(stage, worker, 30)
    assert stage.dead_letters(0, seconds=1) == []


def test_an_id_that_the_registry_does_not_have_is_explained_and_read_once_it_is_registered(
    stage: Stage, registry: Registry
) -> None:
    """A storm of it costs one question, for as long as the answer is believed."""
    number = registry.register(CURRENT) + 1
    storm, names = 2000, list[str]()
    believed = 10.0
    with stage.worker(**registry.settings, SCHEMAS__REGISTRY__UNKNOWN_SECONDS=str(believed)) as worker:
        stage.produce([_framed(number, f"storm {n}", AHEAD) for n in range(storm)])
        begun = time.monotonic()
        until(lambda: worker.metrics().get("records_deadlettered", 0) == storm, "the storm's dead letters")
        asked, took = worker.metrics()["schema_fetches"], time.monotonic() - begun
        assert 1 <= asked <= took // believed + 1
        assert registry.register(AHEAD) == number

        def read() -> bool:
            names.append(f"later {len(names)}")
            stage.produce([_framed(number, names[-1], AHEAD)])
            return bool(_stored(stage))

        until(read, "one that is read")
        before = len(names)
        stage.produce([_framed(number, f"then {n}", AHEAD) for n in range(20)])
        until(lambda: len(_stored(stage) & {f"then {n}" for n in range(20)}) == 20, "all from then on")
        until(lambda: stage.committed() == storm + before + 20, "all committed")
        stored = _stored(stage)
        _ended(stage, worker, storm + before + 20)
    refused = storm + len(set(names) - stored)
    detail = f"schema id {number} is not in the schema directory, nor in the registry: add it to index.json, or correct"
    assert _explained(stage, refused) == {("schema", "unknown-schema"): {f"{detail} the producer"}}


def test_a_schema_that_cannot_be_used_is_explained_and_not_asked_for_again(stage: Stage, registry: Registry) -> None:
    good, bad, other = registry.register(CURRENT), registry.register(RECURSIVE), registry.register({"type": "string"})
    tree = b"\x00" + bad.to_bytes(4, "big") + _body(CURRENT, "deep") + b"\x00"
    with stage.worker(**registry.settings) as worker:
        for _ in range(3):
            stage.produce([tree, b"\x00" + other.to_bytes(4, "big") + b"\x02a"] * 10)
        stage.produce([_framed(good, "good")])
        until(lambda: _stored(stage) == {"good"}, "the good one")
        until(lambda: worker.metrics().get("records_deadlettered", 0) == 60, "the dead letters")
        assert worker.metrics()["schema_fetches"] == 3
        _ended(stage, worker, 61)
    (told,) = _explained(stage, 60).items()
    assert told[0] == ("schema", "unusable-schema")
    assert len(told[1]) == 2
    assert any("recursive" in each for each in told[1])
    assert any("cannot be read as events" in each for each in told[1])


def test_producers_a_version_ahead_and_one_behind_in_every_framing_share_a_topic(
    stage: Stage, registry: Registry, tmp_path: Path
) -> None:
    """Row by row: what both have in common is stored, whoever wrote it, however it was framed."""
    glue, guid = uuid.uuid4(), uuid.uuid4()
    ids = {name: registry.register(schema) for name, schema in _VERSIONS.items()}
    (tmp_path / "ahead.avsc").write_text(json.dumps(AHEAD))
    entry = {"version": 1, "id": 1 << 20, "file": "ahead.avsc", "uuid": str(glue), "guid": str(guid)}
    (tmp_path / "index.json").write_text(json.dumps({"subjects": {"ahead": [entry]}}))
    with stage.worker(**registry.settings, SCHEMAS__DIRECTORY=str(tmp_path)) as worker:
        names = set()
        for n in range(10):
            for version, schema in _VERSIONS.items():
                stage.produce([_framed(ids[version], f"{version} {n}", schema)])
                header = {VALUE_SCHEMA: b"\x00" + ids[version].to_bytes(4, "big")}
                stage.produce([_body(schema, f"{version} {n} header")], headers=header)
                names |= {f"{version} {n}", f"{version} {n} header"}
            stage.produce([_body(AHEAD, f"guid {n}")], headers={VALUE_SCHEMA: b"\x01" + guid.bytes})
            stage.produce([_single_object(AHEAD, f"single {n}")])
            stage.produce([b"\x03\x00" + glue.bytes + _body(AHEAD, f"glue {n}")])
            stage.produce([b"\x03\x05" + glue.bytes + zlib.compress(_body(AHEAD, f"zlib {n}"))])
            names |= {f"{framing} {n}" for framing in ("guid", "single", "glue", "zlib")}
        until(lambda: _stored(stage) == names, "all of them")
        found = stage.sandbox.records(stage.seeded["custom"].subscription_id)
        expected = {part: json.loads(custom()[part]["data"]) for part in ("request", "response")}
        assert all({part: each[part] for part in expected} == expected for each in found)
        _ended(stage, worker, 100)
    assert stage.dead_letters(0, seconds=1) == []


_VERSIONS = {"ahead": AHEAD, "current": CURRENT, "behind": BEHIND}
