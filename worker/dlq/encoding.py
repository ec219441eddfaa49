"""Events written again after a repair: with the reader schema, framed as they were where that names it still."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import fastavro

from worker.dlq.content import PatchError
from worker.rooms.framing import SINGLE_OBJECT_MARKER, VALUE_SCHEMA
from worker.rooms.schema_checks import without_logical_types
from worker.rooms.writer_schema import compile_reader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.dlq.opening import Opened

    Headers = Sequence[tuple[str, bytes | None]]


class Encoder:
    """Writes events with the reader schema, given as parsed JSON."""

    def __init__(self, schema: Any) -> None:
        self._own = compile_reader("the reader schema", schema, schema)
        self._schema = fastavro.parse_schema(without_logical_types(schema))

    def written(
        self, record: Mapping[str, Any], opened: Opened, value: bytes, headers: Headers
    ) -> tuple[bytes, list[tuple[str, bytes | None]]]:
        """The value of an event, and its headers.

        Args:
            record: the event, `scored_at` in microseconds.
            opened: what it was read from, whose framing is kept if its writer schema is the reader schema; else it
                becomes an Avro single object, which any worker knows that has the reader schema.
            value: the bytes that it was read from.
            headers: the record's own; one that names a schema goes where the framing changes.

        Raises:
            PatchError: the event does not fit the schema.
        """
        stream = io.BytesIO()
        kept = opened.reader.reads_as(self._own) and not opened.framed.compressed
        if kept:
            stream.write(value[: opened.framed.start])
        else:
            stream.write(SINGLE_OBJECT_MARKER + self._own.fingerprint.to_bytes(8, "little"))
        try:
            fastavro.schemaless_writer(stream, self._schema, record)
        except Exception:  # noqa: BLE001 - of several kinds, and their texts hold values
            raise PatchError("unwritable", "the repaired event does not fit the event's schema") from None
        return stream.getvalue(), [pair for pair in headers if kept or pair[0] != VALUE_SCHEMA]
