"""A writer schema made ready to read with: checked to be safe to decode, and resolved against the reader schema."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastavro
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from worker.rooms import planned
from worker.rooms.binary import TrailingBytesError
from worker.rooms.compiled import generate
from worker.rooms.events import EVENT, SHAPE, SOUND, event_of
from worker.rooms.schema_checks import DangerousError, check, check_resolution, microseconds, without_logical_types
from worker.rooms.shape import UnsupportedError

if TYPE_CHECKING:
    from worker.model import Event
    from worker.rooms.shape import Compiled

__all__ = ["Reader", "TrailingBytesError", "UnsafeSchemaError", "compile_reader"]


class UnsafeSchemaError(Exception):
    """A schema that cannot be used to read events; the message says why."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads bodies written with one writer schema into the shape of the reader schema.

    `fingerprint` is the CRC-64-AVRO fingerprint of the writer schema's canonical form, `unit` how many microseconds one
    of its `scored_at` is. `generated` makes an event of
    the whole of some bytes from a position, and `sound` one whose tables are sound, or raises; None where there is only
    the general way. Beside the general way alone, `strict` raises for what Avro does not allow and fastavro takes all
    the same: a negative index of a branch, a boolean beyond 1, a long of more than 64 bits.
    """

    name: str
    fingerprint: int
    _writer: Any
    _reader: Any
    unit: int = 1
    generated: Callable[[bytes, int], Event] | None = None
    sound: Callable[[bytes, int], Event] | None = None
    strict: Callable[[bytes, int], object] | None = None

    def reads_as(self, other: Reader) -> bool:
        """Whether both make the same of the same bytes; a fingerprint alone leaves out the unit of `scored_at`."""
        return (self.fingerprint, self.unit) == (other.fingerprint, other.unit)

    def event(self, value: bytes, start: int) -> Event:
        """The event that the whole of `value` from `start` stands for, read in the fastest way there is.

        Raises:
            Exception: as `read`.
        """
        return event_of(self.read(value, start), self.unit) if self.generated is None else self.generated(value, start)

    def read(self, value: bytes, start: int) -> Any:
        """Decode the whole of `value` from `start`.

        Raises:
            Exception: of many kinds, for bytes that this schema did not write; ValueError for bytes left over.
        """
        if self.strict is not None:
            self.strict(value, start)
        stream = io.BytesIO(value)
        stream.seek(start)
        record = fastavro.schemaless_reader(stream, self._writer, self._reader)
        if stream.tell() != len(value):
            raise TrailingBytesError(len(value) - stream.tell())
        return record


def compile_reader(name: str, writer: Any, reader: Any) -> Reader:
    """Make a reader of bodies written with `writer` (a schema as parsed JSON), in the shape of `reader`.

    Raises:
        UnsafeSchemaError: not a schema, or one whose messages could exhaust the process.
    """
    try:
        named: dict[str, Any] = {}
        # a writer's defaults are never used, and older registries took some that are not of their field's type
        parsed = parse_schema(without_logical_types(writer, "default"), named)
        canonical = to_parsing_canonical_form(parsed)
        shape = parse_schema(without_logical_types(reader))
        same = canonical == to_parsing_canonical_form(shape)
        check(parsed)
        if not same:
            check_resolution(parsed, shape, named)
        unit = microseconds(writer)
    except DangerousError as error:
        raise UnsafeSchemaError(f"{name}: {error}") from None
    except Exception as error:  # a schema is any JSON, and fastavro raises whatever it runs into
        raise UnsafeSchemaError(f"{name}: not an Avro schema ({type(error).__name__}: {error})") from error
    mark = int(fingerprint(canonical, "CRC-64-AVRO"), 16)
    generated = _generated(parsed, named, same=same and unit == 1)
    return Reader(
        name,
        int.from_bytes(mark.to_bytes(8, "big"), "little"),
        parsed,
        None if same else shape,
        unit,
        *(generated or (None, None, _strict(parsed, named))),
    )


def _generated(parsed: Any, named: Mapping[str, Any], *, same: bool) -> tuple[Compiled, Compiled] | tuple[()]:
    """Readers for a writer schema that needs no resolution; none where fastavro has to read."""
    if not same or not isinstance(parsed, Mapping) or parsed.get("name") != EVENT:
        return ()
    try:
        sound = planned.reader(parsed, named, SOUND) or generate(parsed, named, SOUND)
        return generate(parsed, named, SHAPE), sound
    except (UnsupportedError, RecursionError):
        return ()


def _strict(parsed: Any, named: Mapping[str, Any]) -> Compiled | None:
    """A reader of what the writer has written, as it is; None where none can be generated."""
    try:
        return generate(parsed, named)
    except (UnsupportedError, RecursionError):
        return None
