"""The keeper of writer schemas: one question for each, kept for good; no answer refuses nothing; a no ends one day."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tests.edges.peer import Peer, answer, peer
from tests.rooms.schemas import AHEAD, BEHIND, BOMB, ENDLESS, RECURSIVE, changed
from worker.config import Registry
from worker.edges.registry import RegistryClient
from worker.edges.schema_keeper import AT_ONCE, SchemaKeeper
from worker.edges.schemas import load_schemas, reader_schema
from worker.rooms.decode import Asked, SchemaBook
from worker.rooms.framing import Fingerprint, SchemaGuid, SchemaId
from worker.rooms.writer_schema import compile_reader

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

READER = reader_schema()
NONE = answer(404, b'{"error_code": 40403, "message": "Schema not found"}', "Connection: close")
DOWN = answer(503, b"", "Connection: close")
UNKNOWN_SECONDS = 60.0
A, B, C = SchemaId(1), SchemaId(2), SchemaId(3)


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Played:
    """A registry on a socket; `answers` says what each path below /schemas is answered with, else `otherwise`."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.otherwise = NONE
        self.peer: Peer | None = None

    def has(self, number: int, schema: Any, **more: Any) -> None:
        """It has a schema of this id."""
        body = json.dumps({"schema": json.dumps(schema), **more}).encode()
        self.answers[f"ids/{number}"] = answer(200, body, "Connection: close")

    def answer(self, connection: socket.socket) -> None:
        """Called by the peer for each request."""
        connection.sendall(self.answers.get(self.asked[-1], self.otherwise))

    @property
    def asked(self) -> list[str]:
        """What was asked for, in that order."""
        assert self.peer is not None
        return [found[1] for each in self.peer.requests if (found := re.match(r"GET /schemas/(\S+) ", each.decode()))]


class Kept:
    """A keeper of an empty book, or of another, and what a test looks at."""

    def __init__(self, registry: Played, book: SchemaBook, wait: Callable[[int], float]) -> None:
        assert registry.peer is not None
        self.registry = registry
        self.book = book
        self.clock = Clock()
        self.client = RegistryClient(Registry(urls=[f"http://127.0.0.1:{registry.peer.port}"], timeout_seconds=5))
        self.keeper = SchemaKeeper(book, self.client, UNKNOWN_SECONDS, wait, self.clock)

    def poll(self, *wanted: Asked) -> list[Asked]:
        """Until all is answered that is asked now, or there was a failure."""
        before, deadline = self.keeper.outcomes["failed"], time.monotonic() + 20
        found = self.keeper.poll(wanted)
        while self.keeper._asking and time.monotonic() < deadline:  # noqa: SLF001 - nothing else tells that it has ended
            time.sleep(0.005)
            found += self.keeper.poll([each for each in wanted if each not in found])
            if self.keeper.outcomes["failed"] > before:
                break
        assert time.monotonic() < deadline
        return found


@pytest.fixture
def registry() -> Iterator[Played]:
    """One that has nothing yet."""
    played = Played()
    with peer(played.answer) as played.peer:
        yield played


@pytest.fixture
def keep(registry: Played) -> Iterator[Callable[..., Kept]]:
    """Makes keepers of that registry."""
    made: list[Kept] = []

    def make(book: SchemaBook | None = None, wait: Callable[[int], float] = float) -> Kept:
        made.append(Kept(registry, book or SchemaBook({}, asks=True), wait))
        return made[-1]

    yield make
    for each in made:
        each.keeper.close()


Keep = Callable[..., Kept]


def test_what_is_wanted_is_asked_for_once_and_known_for_good(registry: Played, keep: Keep) -> None:
    kept = keep()
    registry.has(1, READER)
    registry.has(2, AHEAD)
    assert sorted(kept.poll(A, B), key=str) == [A, B]
    assert kept.book.readers[A].generated is not None
    assert kept.book.readers[B].name == "schema id 2"
    kept.clock.now += 1_000_000
    assert kept.poll() == []
    assert Counter(registry.asked) == {"ids/1": 1, "ids/2": 1}
    assert kept.keeper.outcomes == {"found": 2}


def test_nothing_is_asked_where_nothing_is_wanted_or_there_is_no_registry(registry: Played, keep: Keep) -> None:
    assert keep().poll() == []
    alone = SchemaKeeper(SchemaBook({}), None, 1, float, Clock())
    assert alone.poll([A]) == []
    alone.close()
    assert registry.asked == []


def test_what_is_asked_for_already_is_not_asked_for_again_meanwhile(registry: Played, keep: Keep) -> None:
    kept = keep()
    registry.has(1, READER)
    found: list[Asked] = []
    deadline = time.monotonic() + 20
    while not found and time.monotonic() < deadline:
        found = kept.keeper.poll([A])
    assert found == [A]
    assert registry.asked == ["ids/1"]


def test_that_the_registry_has_none_is_believed_for_a_while_and_asked_again(registry: Played, keep: Keep) -> None:
    kept = keep()
    assert kept.poll(A) == [A]
    refusal = kept.book.missing(A)
    assert "nor in the registry" in str(refusal)
    kept.clock.now += UNKNOWN_SECONDS - 0.1
    assert kept.poll() == []
    assert kept.book.missing(A) is refusal
    kept.clock.now += 0.2
    kept.poll()
    assert kept.book.missing(A) == A, "to be asked for"
    registry.has(1, READER)
    assert kept.poll(A) == [A]
    assert A in kept.book.readers
    assert len(registry.asked) == 2


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (DOWN, "503"),
        (answer(401, b"{}", "Connection: close"), "credentials"),
        (answer(404, b"<html>", "Connection: close"), "Confluent API"),
        (answer(200, b"{}", "Connection: close"), "no schema that is JSON"),
        (answer(200, b'{"schema": "5", "references": [5]}', "Connection: close"), "TypeError"),
        (b"", "no answer"),
    ],
)
def test_no_answer_or_nonsense_refuses_nothing_and_is_asked_again_after_a_growing_wait(
    said: bytes, word: str, registry: Played, keep: Keep
) -> None:
    kept = keep()
    registry.otherwise = said
    for failures in range(1, 4):
        assert kept.poll(A, B) == []
        assert word in str(kept.keeper.error)
        assert kept.book.readers == {}
        assert kept.book.refused == {}
        asked = len(registry.asked)
        kept.clock.now += failures - 0.1
        _settle(kept)
        assert kept.poll(A, B) == []
        assert len(registry.asked) == asked, "not before its time"
        kept.clock.now += 0.2
    registry.has(1, READER)
    registry.has(2, READER)
    assert sorted(kept.poll(A, B), key=str) == [A, B]
    assert kept.keeper.error is None
    assert kept.keeper.outcomes == {"failed": 3, "found": 2}


def _settle(kept: Kept) -> None:
    """Until the thread that asked has ended, with its failure taken in."""
    deadline = time.monotonic() + 20
    while kept.keeper._asking and time.monotonic() < deadline:  # noqa: SLF001 - nothing else tells
        kept.keeper.poll([])


def test_one_schema_that_always_fails_does_not_hold_up_the_others(registry: Played, keep: Keep) -> None:
    kept = keep(wait=lambda _: 0.0)
    registry.answers["ids/1"] = DOWN
    registry.has(2, READER)
    registry.has(3, AHEAD)
    found: set[Asked] = set()
    deadline = time.monotonic() + 20
    while found != {B, C} and time.monotonic() < deadline:
        found |= set(kept.poll(*({A, B, C} - found)))
    assert found == {B, C}
    assert A not in kept.book.refused


@pytest.mark.parametrize(
    ("schema", "more", "word"),
    [
        (RECURSIVE, {}, "recursive"),
        (ENDLESS, {}, "items of no bytes"),
        (BOMB, {}, "written out"),
        ({"type": "record", "name": "Other", "fields": []}, {}, "cannot be read as events"),
        ({"type": "nothing"}, {}, "not an Avro schema"),
        ({"type": "object"}, {"schemaType": "JSON"}, "not an Avro schema (JSON)"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_for_good_with_the_reason(
    schema: Any, more: dict[str, Any], word: str, registry: Played, keep: Keep
) -> None:
    kept = keep()
    registry.has(1, schema, **more)
    assert kept.poll(A) == [A]
    refusal = kept.book.refused[A]
    assert (refusal.disposition, refusal.code) == ("schema", "unusable-schema")
    assert "schema id 1" in refusal.detail
    assert word in refusal.detail
    kept.clock.now += 1_000_000
    assert kept.poll() == []
    assert kept.book.missing(A) is refusal
    assert kept.keeper.outcomes == {"unusable": 1}


def test_a_schema_too_deep_for_the_stack_is_refused_and_not_asked_for_for_ever(registry: Played, keep: Keep) -> None:
    kept = keep()
    text = '{"type":"array","items":' * 400 + '"int"' + "}" * 400
    registry.has(1, json.loads(text))
    assert kept.poll(A) == [A]
    assert kept.book.refused[A].code == "unusable-schema"


def test_more_schemas_than_one_thread_asks_for_are_all_asked_for(registry: Played, keep: Keep) -> None:
    kept = keep()
    left: list[Asked] = [SchemaId(number) for number in range(AT_ONCE * 2 + 7)]
    every = len(left)
    while left:
        found = kept.poll(*left)
        assert found
        left = [each for each in left if each not in found]
    assert len(registry.asked) == len(set(registry.asked)) == every


def test_a_guid_is_asked_for_as_one(registry: Played, keep: Keep) -> None:
    kept, guid = keep(), SchemaGuid(UUID(int=5))
    registry.has(1, READER)
    registry.answers[f"guids/{guid.guid}"] = registry.answers["ids/1"]
    assert kept.poll(guid) == [guid]
    assert guid in kept.book.readers


# --- fingerprints -----------------------------------------------------------------------------------------------------

MILLIS = changed("scored_at", type=["null", {"type": "long", "logicalType": "timestamp-millis"}])
MARK = Fingerprint(compile_reader("w", READER, READER).fingerprint)


def test_what_was_fetched_is_known_by_its_fingerprint_too(registry: Played, keep: Keep) -> None:
    kept = keep()
    registry.has(1, BEHIND)
    kept.poll(A)
    assert kept.book.readers[Fingerprint(compile_reader("w", BEHIND, READER).fingerprint)].name == "schema id 1"


def test_of_one_fingerprint_that_two_schemas_have_the_directorys_is_read(registry: Played, keep: Keep) -> None:
    """A fingerprint leaves out whether `scored_at` is in micros or in millis."""
    kept = keep(load_schemas(None, {}, asks=True))
    registry.has(1, MILLIS)
    kept.poll(A)
    assert kept.book.readers[MARK].name == "payload_event/1"
    assert kept.book.readers[A].name == "schema id 1"


def test_one_fingerprint_that_two_schemas_of_the_registry_have_is_neither(registry: Played, keep: Keep) -> None:
    kept = keep()
    for number, schema in enumerate((READER, MILLIS, READER), 1):
        registry.has(number, schema)
        kept.poll(SchemaId(number))
    assert MARK not in kept.book.readers
    assert "which are not read alike" in kept.book.refused[MARK].detail
    assert {A, B, C} <= kept.book.readers.keys()


def test_the_ids_of_the_directory_that_ships_are_not_the_registrys(registry: Played, keep: Keep) -> None:
    """Id 1 of a registry is whatever was registered there first."""
    kept = keep(load_schemas(None, {}, asks=True))
    assert kept.book.missing(A) == A
    registry.has(1, AHEAD)
    kept.poll(A)
    assert kept.book.readers[A].fingerprint == compile_reader("w", AHEAD, READER).fingerprint
