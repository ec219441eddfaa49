"""What a record is written in, in words: its format or framing, and its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.rooms.framing import (
    Fingerprint,
    Framed,
    GlueVersion,
    SchemaGuid,
    SchemaId,
    TopicSchema,
    read_framing,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.model import Envelope
    from worker.rooms.decode import SchemaBook
    from worker.rooms.framing import SchemaRef

_FRAMINGS: Mapping[type, str] = {
    SchemaId: "Confluent",
    SchemaGuid: "Confluent, in a header",
    GlueVersion: "AWS Glue",
    Fingerprint: "Avro single object",
    TopicSchema: "bare body",
}
_OTHERS: Mapping[str, str] = {"json": "JSON event", "cloudevents": "CloudEvent"}


class Framing:
    """Of the topics of these `formats`, and with the schemas of a book."""

    def __init__(self, book: SchemaBook, formats: Mapping[str, str]) -> None:
        self._book = book
        self._others = {topic: _OTHERS[name] for topic, name in formats.items() if name in _OTHERS}

    def told(self, envelope: Envelope) -> tuple[str, str | None]:
        """The framing, or why there is none, and the schema's name, where there is one."""
        framed = self._framed(envelope)
        return (
            (framed, None) if isinstance(framed, str) else (_FRAMINGS[type(framed.schema)], self._name(framed.schema))
        )

    def hides(self, envelope: Envelope) -> bool:
        """Whether an event's id need not lie in its record as it is: escaped, made of several texts, or compressed."""
        found = self._framed(envelope)
        return envelope.claim.topic in self._others or (isinstance(found, Framed) and found.compressed)

    def _framed(self, envelope: Envelope) -> Framed | str:
        topic, book = envelope.claim.topic, self._book
        if topic in self._others:
            return self._others[topic]
        if not envelope.value:
            return "no value"
        return read_framing(envelope.value, topic, bare=book.bare(topic), headers=envelope.headers, known=book.readers)

    def _name(self, schema: SchemaRef) -> str:
        reader = self._book.readers.get(schema)
        return str(schema) if reader is None else f"{schema} ({reader.name})"
