"""The registry's client against a real registry, and against sockets that are none."""

from __future__ import annotations

import copy
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.edges.peer import answer, peer
from tests.kafka.broker import free_ports
from worker.config import Registry
from worker.edges.registry import RegistryClient, RegistryError
from worker.edges.schemas import reader_schema
from worker.rooms.framing import SchemaGuid, SchemaId
from worker.rooms.writer_schema import compile_reader

if TYPE_CHECKING:
    import socket

    from tests.registry.apicurio import Apicurio

POINT = {"type": "record", "name": "Point", "namespace": "geo", "fields": [{"name": "x", "type": "int"}]}


def _subject() -> str:
    return f"subject-{uuid.uuid4().hex[:8]}-value"


Clients = Callable[..., RegistryClient]


@pytest.fixture
def connect() -> Iterator[Clients]:
    """Makes clients of the registries at some addresses, closed in the end."""
    with ExitStack() as held:

        def make(*urls: str, **settings: Any) -> RegistryClient:
            client = RegistryClient(Registry(urls=list(urls), **settings))
            held.callback(client.close)
            return client

        yield make


def _grown(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    """The event's schema with one more field."""
    schema: dict[str, Any] = copy.deepcopy(reader_schema())
    schema["fields"].append({"name": name, "type": kind, **more})
    return schema


def _nowhere() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


def test_a_schema_is_found_by_its_id_and_can_be_read_with(apicurio: Apicurio, connect: Clients) -> None:
    [number] = apicurio.register(_subject(), [json.dumps(reader_schema())])
    found = connect(apicurio.url).schema(SchemaId(number))
    assert found == reader_schema()
    assert compile_reader("found", found, reader_schema()).generated is not None


def test_what_a_registry_does_not_have_is_none_and_no_error(apicurio: Apicurio, connect: Clients) -> None:
    client = connect(apicurio.url)
    assert [client.schema(SchemaId(number)) for number in (0, 2_000_000_000, (1 << 31) - 1)] == [None] * 3
    assert client.version(_subject()) is None
    assert client.versions(_subject()) == []


def test_subjects_and_their_versions_are_listed_and_shown(apicurio: Apicurio, connect: Clients) -> None:
    client, subject = connect(apicurio.url), _subject()
    first = client.register(subject, POINT)
    second = client.register(subject, POINT | {"doc": "a place"})
    assert subject in client.subjects()
    assert client.versions(subject) == [1, 2]
    shown = client.version(subject, "1"), client.version(subject)
    assert [each and each["id"] for each in shown] == [first, second]


def test_an_incompatible_schema_is_told_and_refused_and_a_compatible_one_is_taken(
    apicurio: Apicurio, connect: Clients
) -> None:
    client, subject = connect(apicurio.url), _subject()
    client.register(subject, reader_schema())
    apicurio.configure(subject, "BACKWARD_TRANSITIVE")
    good, bad = _grown("region", ["null", "string"], default=None), _grown("region", "string")
    assert client.incompatible(subject, good) == []
    assert "region" in " ".join(client.incompatible(subject, bad))
    with pytest.raises(RegistryError, match=r"answered 409.*compatib"):
        client.register(subject, bad)
    assert client.register(subject, good) > 0


def test_a_subject_that_is_not_there_yet_takes_any_schema(apicurio: Apicurio, connect: Clients) -> None:
    assert connect(apicurio.url).incompatible(_subject(), POINT) == []


def test_a_schema_with_references_comes_whole(apicurio: Apicurio, connect: Clients) -> None:
    client, subject = connect(apicurio.url), _subject()
    client.register(subject, POINT)
    line = {"type": "record", "name": "Line", "fields": [{"name": end, "type": "geo.Point"} for end in ("a", "b")]}
    body = {"schema": json.dumps(line), "references": [{"name": "geo.Point", "subject": subject, "version": 1}]}
    number = client._ask("POST", f"/subjects/{_subject()}/versions", body)["id"]  # type: ignore[index]  # noqa: SLF001
    found = client.schema(SchemaId(number))
    assert found == line | {"fields": [{"name": "a", "type": POINT}, {"name": "b", "type": "geo.Point"}]}


def test_where_one_address_does_not_answer_the_next_does_and_is_asked_first_from_then_on(
    apicurio: Apicurio, connect: Clients
) -> None:
    with peer(_unavailable) as failing:
        client = connect(_nowhere(), f"http://127.0.0.1:{failing.port}", apicurio.url)
        assert client.schema(SchemaId(2_000_000_000)) is None
        assert client.schema(SchemaId(2_000_000_001)) is None
        assert len(failing.requests) == 1


def test_where_no_address_answers_all_are_named(connect: Clients) -> None:
    first, second = _nowhere(), _nowhere()
    with pytest.raises(RegistryError) as caught:
        connect(first, second).schema(SchemaId(1))
    assert first in str(caught.value)
    assert second in str(caught.value)
    assert "ConnectError" in str(caught.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer(404, b"{}"), "address of a registry's Confluent API"),
        (answer(200, b"<html>"), "answered 200"),
        (answer(200, b"[]"), "not an Avro schema"),
        (answer(200, b'{"schema": "{"}'), "no schema that is JSON"),
        (answer(200, b'{"schemaType": "JSON", "schema": "true"}'), "not an Avro schema .JSON."),
        (answer(302, b"", "Location: /login"), "answered 302"),
        (answer(401), "credentials are refused"),
        (b"not http\r\n\r\n", "no answer"),
    ],
)
def test_what_is_no_registry_is_told_in_one_sentence(said: bytes, words: str, connect: Clients) -> None:
    with peer(lambda connection: connection.sendall(said)) as other:
        client = connect(f"http://127.0.0.1:{other.port}", username="ann", password="hidden-word")  # noqa: S106
        with pytest.raises(RegistryError, match=words) as caught:
            client.schema(SchemaId(1))
    assert "hidden-word" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"username": "ann", "password": "secret"}, b"Authorization: Basic YW5uOnNlY3JldA=="),
        ({"token": "abc.def"}, b"Authorization: Bearer abc.def"),
    ],
)
def test_credentials_are_sent_as_the_settings_say(settings: dict[str, str], header: bytes, connect: Clients) -> None:
    with peer(_unavailable) as other, pytest.raises(RegistryError, match="answered 503"):
        connect(f"http://127.0.0.1:{other.port}", **settings).schema(SchemaId(1))
    assert header.lower() in other.requests[0].lower()


def test_a_guid_is_asked_for_by_its_own_path(connect: Clients) -> None:
    guid = uuid.uuid4()
    with peer(_unavailable) as other, pytest.raises(RegistryError):
        connect(f"http://127.0.0.1:{other.port}").schema(SchemaGuid(guid))
    assert other.requests[0].startswith(f"GET /schemas/guids/{guid} ".encode())


def test_a_registry_that_does_not_answer_is_given_up_after_the_timeout(connect: Clients) -> None:
    with peer(_silent) as other, pytest.raises(RegistryError, match="ReadTimeout"):
        connect(f"http://127.0.0.1:{other.port}", timeout_seconds=0.3).schema(SchemaId(1))


HEAD = b"HTTP/1.1 200 OK\r\n"
DRIPS = 40


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        HEAD,
        HEAD + b"Content-Length: 100000\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n186a0\r\n",
        HEAD + b"Connection: close\r\n\r\n",
    ],
    ids=["no head", "in the head", "of known length", "in a chunk", "until it closes"],
)
def test_a_registry_that_drips_is_given_up_after_the_timeout_in_all(begun: bytes, connect: Clients) -> None:
    """Each byte comes well within the timeout, and they would go on for `DRIPS` seconds."""
    with peer(lambda connection: _drip(connection, begun)) as other:
        client = connect(f"http://127.0.0.1:{other.port}", timeout_seconds=0.5)
        began = time.monotonic()
        with pytest.raises(RegistryError, match="ReadTimeout"):
            client.schema(SchemaId(1))
        assert time.monotonic() - began < DRIPS / 2


def test_after_one_that_dripped_the_next_address_is_asked_and_the_client_goes_on(connect: Clients) -> None:
    known = answer(200, json.dumps({"schema": json.dumps(POINT)}).encode(), "Connection: close")
    with (
        peer(lambda connection: _drip(connection, HEAD)) as dripping,
        peer(lambda connection: connection.sendall(known)) as other,
    ):
        urls = [f"http://127.0.0.1:{each.port}" for each in (dripping, other)]
        client = connect(*urls, timeout_seconds=0.5)
        began = time.monotonic()
        assert client.schema(SchemaId(1)) == POINT
        assert time.monotonic() - began < DRIPS / 2
        assert client.schema(SchemaId(2)) == POINT
        assert len(dripping.requests) == 1


def test_an_answer_without_end_is_not_read_to_its_end(connect: Clients) -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Connection: close\r\n\r\n")
        while True:
            connection.sendall(bytes(1 << 20))

    with peer(pour) as other, pytest.raises(RegistryError, match="DecodingError"):
        connect(f"http://127.0.0.1:{other.port}", timeout_seconds=60).schema(SchemaId(1))


def _drip(connection: socket.socket, begun: bytes) -> None:
    connection.sendall(begun)
    for _ in range(10 * DRIPS):
        connection.sendall(b"x")
        time.sleep(0.1)


def _unavailable(connection: socket.socket) -> None:
    connection.sendall(answer(503, b"", "Connection: close"))


def _silent(connection: socket.socket) -> None:
    connection.recv(1)
