"""Dead letters opened: which schema a value names, and the event that it is, as far as either can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.dlq.headers import without_told
from worker.edges.registry import NotAvroError
from worker.edges.schemas import reader_schema
from worker.rooms.decode import Asked
from worker.rooms.framing import Framed, inflated, read_framing
from worker.rooms.writer_schema import Reader, UnsafeSchemaError, compile_reader

if TYPE_CHECKING:
    from worker.dlq.letters import Facts, Letter
    from worker.edges.registry import RegistryClient
    from worker.rooms.decode import SchemaBook
    from worker.rooms.framing import SchemaRef


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """An event with what it was read by; `record` is in the reader schema's shape, `scored_at` in microseconds."""

    framed: Framed
    reader: Reader
    record: dict[str, Any]


class Opener:
    """Opens letters. Schemas that the book lacks are asked of the registry, if there is one, each once."""

    def __init__(self, book: SchemaBook, registry: RegistryClient | None, limit: int) -> None:
        self.book = book
        self._registry = registry
        self._limit = limit
        self._target = reader_schema()
        self._absent: set[SchemaRef] = set()
        self._last: tuple[Letter, Opened | str] | None = None

    def schema(self, letter: Letter) -> str | None:
        """The name of the schema that a letter's framing tells; None where there is no framing."""
        framed = self._framed(letter)
        return str(framed.schema) if isinstance(framed, Framed) else None

    def facts(self, letter: Letter) -> Facts:
        """What filters ask of an event; nothing where it cannot be read. Raises `RegistryError`."""
        found = self.open(letter)
        if isinstance(found, str):
            return {}
        record = found.record
        service = record["attributes"].get("service")
        return {"service": service, **{name: record[name] for name in ("binding", "asset", "deployment")}}

    def open(self, letter: Letter) -> Opened | str:
        """The event of a letter, or a sentence that says why there is none to read; raises `RegistryError`."""
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
        topic = letter.topic if told is None or told.topic is None else told.topic
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
