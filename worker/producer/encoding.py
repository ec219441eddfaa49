"""From an `Event` to a record's value: Avro by the event's schema, behind the framing that names it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import fastavro

from worker.edges.schemas import SchemaDirectoryError, listed, reader_schema
from worker.model import Body, Table
from worker.producer.errors import InvalidEventError, ProducerError, UnreachableError
from worker.rooms.framing import SINGLE_OBJECT_MARKER, SchemaId, confluent_header
from worker.rooms.writer_schema import Reader, UnsafeSchemaError, compile_reader

if TYPE_CHECKING:
    from pathlib import Path

    from worker.config import Registry
    from worker.model import Event

Framing = Literal["confluent", "single-object"]
SHIPPED: Final = "the schema that ships"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How events are written: the bytes in front of each, and the schema; `name` says the framing to people."""

    header: bytes
    name: str
    _schema: Any

    def value(self, event: Event) -> bytes:
        """The value of the record that tells of an event."""
        stream = io.BytesIO()
        stream.write(self.header)
        fastavro.schemaless_writer(stream, self._schema, _record(event))
        return stream.getvalue()

    def fitting(self, event: Event, limit: int) -> bytes:
        """The same, of at most `limit` bytes; else `InvalidEventError`."""
        value = self.value(event)
        if len(value) > limit:
            raise InvalidEventError(
                "event-too-large",
                f"request and response: the event has {len(value)} bytes; the worker's limits.event_bytes allows "
                f"{limit}: send its rows as several events",
            )
        return value


def offline(framing: Framing = "confluent", directory: Path | None = None, schema_id: int | None = None) -> Encoding:
    """Events named by a schema directory (None: the one that ships) or, where it is given, by `schema_id`.

    Raises:
        ProducerError: no entry of the directory is of the schema that events are written with.
    """
    own = _own()
    if schema_id is not None and framing == "confluent":
        return _confluent(schema_id)
    try:
        same = [entry.id for entry in listed(directory) if _same(entry.schema, own)]
    except SchemaDirectoryError as error:
        raise ProducerError(str(error)) from None
    if not same:
        raise ProducerError(
            f"{directory}/index.json: no entry is the schema payload_event.avsc that events are written with"
        )
    if framing == "single-object":
        mark = own.fingerprint
        return Encoding(
            SINGLE_OBJECT_MARKER + mark.to_bytes(8, "little"), f"single objects of schema {mark:016x}", _parsed()
        )
    return _confluent(same[-1])


def registered(registry: Registry | str, subject: str) -> Encoding:
    """Events named by the id that a registry has given their schema under a subject: the newest version of it.

    Raises:
        UnreachableError: the registry does not answer, or not as one does.
        ProducerError: it refuses the credentials, or has no such schema there.
    """
    # a service without a registry shall not load an HTTP client and settings
    from worker.config import Registry  # noqa: PLC0415
    from worker.edges.registry import REFUSED, RegistryClient, RegistryError  # noqa: PLC0415

    own = _own()
    try:
        client = RegistryClient(Registry(urls=[registry]) if isinstance(registry, str) else registry)
        try:
            for number in reversed(client.versions(subject)):
                found = client.version(subject, str(number)) or {}
                schema = client.schema(SchemaId(int(found["id"])))
                if _same(schema, own):
                    return _confluent(int(found["id"]))
        finally:
            client.close()
    except RegistryError as error:
        refused = error.status in REFUSED
        raise (ProducerError if refused else UnreachableError)(str(error)) from None
    except (KeyError, TypeError, ValueError):
        raise UnreachableError("the registry answers in another form than Confluent's: check its address") from None
    raise ProducerError(
        f"the registry has no version of {subject} that is the event's schema: "
        f"payload-worker schema register payload_event.avsc --subject {subject}"
    )


def _confluent(number: int) -> Encoding:
    if not 0 <= number < 1 << 31:
        raise ProducerError(f"schema id {number} is not between 0 and 2147483647")
    return Encoding(confluent_header(SchemaId(number)), f"schema id {number}", _parsed())


def _parsed() -> Any:
    return fastavro.parse_schema(reader_schema())


def _own() -> Reader:
    return compile_reader(SHIPPED, reader_schema(), reader_schema())


def _same(schema: Any, own: Reader) -> bool:
    """Whether the worker reads with it what is written with our own."""
    try:
        return compile_reader("", schema, reader_schema()).reads_as(own)
    except UnsafeSchemaError:
        return False


def _record(event: Event) -> dict[str, Any]:
    return {
        "binding": event.binding,
        "asset": event.asset,
        "deployment": event.deployment,
        "scoring_id": event.scoring_id,
        "scored_at": event.scored_at,
        "response_time_ms": event.response_time_ms,
        "request": _content(event.request),
        "response": _content(event.response),
        "attributes": event.attributes,
    }


def _content(content: Body | Table) -> dict[str, Any]:
    if isinstance(content, Body):
        return {"-type": "openscale.payload.Body", "content_type": content.content_type, "data": content.data}
    return {
        "-type": "openscale.payload.Table",
        "fields": content.fields or [],
        "values": content.values,
        "meta": content.meta,
    }
