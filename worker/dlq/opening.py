"""Dead letters opened: which schema a value names, and the event that it is, as far as either can be told.

In which format a letter is, the topic decides in which its record was first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.dlq.headers import without_told
from worker.edges.registry import NotAvroError, RegistryError
from worker.edges.schemas import reader_schema
from worker.model import Body, Claim, Envelope, Event, Half, Refusal, Table
from worker.rooms.decode import Asked
from worker.rooms.framing import Framed, inflated, read_framing
from worker.rooms.writer_schema import Reader, UnsafeSchemaError, compile_reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.dlq.letters import Facts, Letter
    from worker.edges.registry import RegistryClient
    from worker.rooms.decode import SchemaBook
    from worker.rooms.framing import SchemaRef
    from worker.rooms.suite import Decodes


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """An event with what it was read by; `record` is in the reader schema's shape, `scored_at` in microseconds."""

    framed: Framed
    reader: Reader
    record: dict[str, Any]


class Opener:
    """Opens letters. Schemas that the book lacks are asked of the registry, if there is one, each once.

    `formats`: of the topics that are not Avro's, as the settings name them, which `decoder` reads.
    """

    def __init__(
        self,
        book: SchemaBook,
        registry: RegistryClient | None,
        limit: int,
        formats: Mapping[str, str],
        decoder: Decodes,
    ) -> None:
        self.book = book
        self.decoder = decoder
        self._formats = formats
        self._registry = registry
        self._limit = limit
        self._target = reader_schema()
        self._absent: set[SchemaRef] = set()
        self._last: tuple[Letter, Opened | str] | None = None

    def format(self, letter: Letter) -> str:
        """The name of a letter's format: `avro`, `json` or `cloudevents`."""
        return self._formats.get(_topic(letter), "avro")

    def schema(self, letter: Letter) -> str | None:
        """The name of the schema that a letter's framing tells; None where there is no framing."""
        if self.format(letter) != "avro":
            return None
        framed = self._framed(letter)
        return str(framed.schema) if isinstance(framed, Framed) else None

    def facts(self, letter: Letter) -> Facts:
        """What filters ask of an event; nothing where it cannot be read. Raises `RegistryError`."""
        record = self.event(letter)
        if isinstance(record, str):
            return {}
        service = record["attributes"].get("service")
        return {"service": service, **{name: record[name] for name in ("binding", "asset", "deployment")}}

    def own_id(self, letter: Letter) -> bool:
        """Whether its event has a scoring id of its own; False where that cannot be told."""
        try:
            record = self.event(letter)
        except RegistryError:
            return False
        return not isinstance(record, str) and bool(record["scoring_id"])

    def lacks_schema(self, letter: Letter) -> bool:
        """Whether its event cannot be read for want of its writer schema; raises `RegistryError`."""
        framed = self._framed(letter) if self.format(letter) == "avro" else ""
        return isinstance(framed, Framed) and self._reader(framed.schema) is None

    def event(self, letter: Letter) -> dict[str, Any] | str:
        """The event of a letter of any format as plain data, or why there is none; raises `RegistryError`."""
        if self.format(letter) != "avro":
            return self._other(letter)
        found = self.open(letter)
        return found if isinstance(found, str) else found.record

    def _other(self, letter: Letter) -> dict[str, Any] | str:
        """Of a format that names no schema."""
        told = letter.told
        claim = Claim(_topic(letter), told.partition if told and told.partition is not None else letter.partition)
        own = without_told(letter.headers, told)
        try:
            found = self.decoder.event(Envelope(claim, 0, letter.timestamp_ms, letter.key, letter.value, own))
        except Exception:  # noqa: BLE001 - bad bytes raise whatever they run into
            return f"the value is no {self.format(letter)} event"
        if isinstance(found, Half):
            return f"one half of a scoring, its {found.side}: two records are one event"
        if isinstance(found, Refusal):
            return found.detail
        return _record(found) if isinstance(found, Event) else f"{found} is not known here"

    def open(self, letter: Letter) -> Opened | str:
        """The event of an Avro letter, or a sentence that says why there is none to read; raises `RegistryError`."""
        if self._last is None or self._last[0] is not letter:
            self._last = letter, self._open(letter)
        return self._last[1]

    def _open(self, letter: Letter) -> Opened | str:
        framed = self._framed(letter)
        if isinstance(framed, str):
            return framed
        reader = self._reader(framed.schema)
        if reader is None:
            return f"{framed.schema} is not known here"
        try:
            value: bytes | None = letter.value or b""
            start = framed.start
            if framed.compressed:
                value, start = inflated(letter.value or b"", start, self._limit), 0
            if value is None:
                return "the body is larger than limits.event_bytes, once inflated"
            record = reader.read(value, start)
            if record["scored_at"] is not None:
                record["scored_at"] *= reader.unit
            return Opened(framed, reader, record)
        except Exception:  # noqa: BLE001 - bad bytes raise whatever they run into
            return f"the bytes are no event written with {reader.name}"

    def _framed(self, letter: Letter) -> Framed | str:
        if not letter.value:
            return "the record has no value"
        told = letter.told
        topic = _topic(letter)
        own, book = without_told(letter.headers, told), self.book
        return read_framing(letter.value, topic, bare=book.bare(topic), headers=own, known=book.readers)

    def _reader(self, schema: SchemaRef) -> Reader | None:
        known = self.book.readers.get(schema)
        if known is not None or self._registry is None or not isinstance(schema, Asked) or schema in self._absent:
            return known
        try:
            found = self._registry.schema(schema)
            if found is not None:
                self.book.add(schema, compile_reader(str(schema), found, self._target))
                return self.book.readers[schema]
        except (NotAvroError, UnsafeSchemaError, RecursionError):
            pass
        self._absent.add(schema)
        return None


def _topic(letter: Letter) -> str:
    """Where its record was first; the dead-letter topic's own name where that is not told."""
    told = letter.told
    return letter.topic if told is None or told.topic is None else told.topic


def _record(event: Event) -> dict[str, Any]:
    """An event in the reader schema's shape."""
    names = ("binding", "asset", "deployment", "scoring_id", "scored_at", "response_time_ms", "attributes")
    sides = {"request": _content(event.request), "response": _content(event.response)}
    return {name: getattr(event, name) for name in names} | sides


def _content(content: Body | Table) -> dict[str, Any]:
    if isinstance(content, Body):
        return {"content_type": content.content_type, "data": content.data}
    return {"fields": list(content.fields or ()), "values": content.values}
