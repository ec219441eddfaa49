"""Generated readers against fastavro: messages valid, odd and broken must come to the same end in both.

`python -m tests.rooms.fuzz --messages 1000000` runs it for as long as one likes; the tests run a little of it. It ends
with 1 at the first difference, and prints what shows it again.
"""

from __future__ import annotations

import argparse
import io
import re
import struct
import sys
from collections import Counter
from dataclasses import fields, is_dataclass, replace
from random import Random
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, cast
from unittest import mock

import fastavro
from fastavro import _read_py
from fastavro.io.binary_decoder import BinaryDecoder

from worker.edges.schemas import reader_schema
from worker.extension import READERS
from worker.model import Body, Event, Table
from worker.rooms import planned
from worker.rooms.binary import NotFiniteError, TrailingBytesError
from worker.rooms.compiled import generate
from worker.rooms.events import SHAPE, SOUND
from worker.rooms.normalise import tables
from worker.rooms.shape import Maker, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.rooms.shape import Compiled

Outcome = tuple[str, str]
"""What became of a message: `read` and its value, `left over` and how much, or `refused`."""

REFUSED: Final = ("refused", "")
FINITE: Final = Shape(finite=True)

_NOT_FINITE: Final = re.compile(r"\b(nan|inf)\b")


def _record(name: str, **fields: Any) -> Any:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": kind} for key, kind in fields.items()]}


def _array(items: Any) -> Any:
    return {"type": "array", "items": items}


def _map(values: Any) -> Any:
    return {"type": "map", "values": values}


EVERYTHING: Final = _record(
    "n.Everything",
    null="null",
    boolean="boolean",
    int={"type": "int"},
    long="long",
    float="float",
    double="double",
    bytes="bytes",
    string="string",
    fixed={"type": "fixed", "name": "n.Three", "size": 3},
    enum={"type": "enum", "name": "n.Colour", "symbols": ["red", "green", "blue"]},
    longs=_array("long"),
    nested=_array(_array("n.Three")),
    nulls=_map("null"),
    maps=_map(_map(["null", "n.Colour"])),
    record=_record("n.Inner", a=["string", "null"], leaf=_record("n.Leaf", c="int"), again="n.Leaf"),
    union=["n.Leaf", "null", "boolean", "float", "n.Three", "n.Inner", _array("n.Leaf")],
    empty=_record("n.Empty"),
    leaves=_map(["n.Leaf", "string"]),
)
"""Every kind of schema that a reader is generated for, in others."""

WIDE: Final = _record(
    "n.Wide",
    **{f"of_{size}": _record(f"n.R{size}", **{f"f{at}": "int" for at in range(size)}) for size in range(14, 20)},
)
"""Records of about as many fields as C holds on its stack."""

TOGETHER: Final = {
    f"n.R{size}": Maker(
        lambda *parts: parts, tuple(f"f{at}" for at in reversed(range(size - left_out))), ("more",) * more
    )
    for size, left_out, more in ((14, 0, 1), (15, 1, 2), (16, 0, 1), (17, 0, 0), (18, 0, 0), (19, 3, 1))
}
"""Makers of them, which leave some fields out, turn their order, and add some."""


class Writer:
    """Writes messages of a schema as no writer would, but any might.

    Longs have more bytes than they need, blocks any size; as often as `odd` says there is what Avro does not allow.
    """

    def __init__(self, chance: Random, named: dict[str, Any], odd: float) -> None:
        self._chance = chance
        self._named = named
        self._odd = odd
        self._kinds: dict[str, Callable[[Any], bytes]] = {
            "null": lambda _: b"",
            "boolean": lambda _: bytes([chance.randrange(256) if self._is_odd() else chance.randrange(2)]),
            "int": lambda _: self.long(self._number()),
            "long": lambda _: self.long(self._number()),
            "float": lambda _: (
                struct.pack("<f", chance.uniform(-9, 9)) if chance.random() < 0.8 else chance.randbytes(4)
            ),
            "double": lambda _: (
                struct.pack("<d", chance.uniform(-9, 9)) if chance.random() < 0.8 else chance.randbytes(8)
            ),
            "bytes": lambda _: self._sized(chance.randbytes(self._length())),
            "string": lambda _: self._sized(self._text()),
            "fixed": lambda schema: chance.randbytes(schema["size"]),
            "enum": lambda schema: self.long(self._index(len(schema["symbols"]))),
            "array": lambda schema: self._blocks(lambda: self.write(schema["items"])),
            "map": lambda schema: self._blocks(lambda: self._sized(self._text()) + self.write(schema["values"])),
            "record": lambda schema: b"".join(self.write(field["type"]) for field in schema["fields"]),
        }

    def write(self, schema: Any) -> bytes:
        """A value of a parsed schema, whichever."""
        if isinstance(schema, list):
            index = self._index(len(schema))
            return self.long(index) + self.write(schema[index % len(schema)])
        if isinstance(schema, str) and schema in self._named:
            return self.write(self._named[schema])
        kind = schema if isinstance(schema, str) else schema["type"]
        return self._kinds[kind](schema) if isinstance(kind, str) and kind in self._kinds else self.write(kind)

    def long(self, number: int) -> bytes:
        """A long, now and then with more bytes than it needs, or more than it may have."""
        rest = number << 1 ^ number >> 63
        out = bytearray()
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
        if self._chance.random() < 0.02:
            more = self._chance.randrange(14 if self._is_odd() else max(1, 11 - len(out)))
            if more:
                out[-1] |= 0x80
                out += b"\x80" * (more - 1) + b"\0"
        return bytes(out)

    def _is_odd(self) -> bool:
        return self._chance.random() < self._odd

    def _number(self) -> int:
        size = self._chance.choice((6, 7, 13, 14, 32, 51, 63, 66 if self._is_odd() else 63))
        return self._chance.randrange(-(1 << size), 1 << size)

    def _index(self, count: int) -> int:
        return self._chance.randrange(-count - 1, count + 2) if self._is_odd() else self._chance.randrange(count)

    def _length(self) -> int:
        return self._chance.choice((0, 1, 2, 3, 5, 8, 63, 64, 200))

    def _text(self) -> bytes:
        letters = "".join(self._chance.choices("abcdefg\0é€\U0001f600", k=self._length() // 2))
        return self._chance.randbytes(3) if self._is_odd() else letters.encode()

    def _sized(self, data: bytes) -> bytes:
        return self.long(len(data) if not self._is_odd() else self._number()) + data

    def _blocks(self, item: Callable[[], bytes]) -> bytes:
        out = b""
        for _ in range(self._chance.choice((0, 1, 1, 1, 2))):
            count = self._chance.choice((1, 1, 2, 3, 5))
            items = b"".join(item() for _ in range(count))
            if self._is_odd():
                count = self._number()
            if self._chance.random() < 0.2:
                out += self.long(-count) + self.long(self._number() if self._is_odd() else len(items)) + items
            else:
                out += self.long(count) + items
        return out + self.long(0)


def broken(chance: Random, value: bytes) -> bytes:
    """A message with some of its bytes changed, added, left out or repeated."""
    out = bytearray(value)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(out) + 1)
        end = at + chance.choice((0, 1, 1, 1, 2, 9))
        other = chance.randrange(len(out) + 1)
        new = chance.choice(
            (chance.randbytes(1), chance.randbytes(end - at), b"", out[other : other + 5], b"\x80\xff\x01")
        )
        out[at:end] = new
    return bytes(out[: chance.randrange(len(out) + 1)] if chance.random() < 0.1 else out)


class Subject:
    """One schema: what is generated from it, and fastavro's way of reading.

    `sound` reads events as the others do, unless a number is not finite; there must be no flaw in their cells then.
    `twins` are readers in C, where they were built, and in Python: they must agree in all but the words.
    """

    def __init__(self, schema: Any) -> None:
        self.named: dict[str, Any] = {}
        self.schema = cast("Any", fastavro.parse_schema(_raw(schema), self.named))
        self.readers: list[Compiled] = [generate(self.schema, self.named)]
        if self.schema["name"] in SHAPE.makers:
            self.readers.append(generate(self.schema, self.named, SHAPE))
        self.sound = generate(self.schema, self.named, SOUND) if self.schema["name"] in SHAPE.makers else None
        shapes = [FINITE, SOUND] if self.sound else [FINITE, replace(FINITE, makers=TOGETHER)]
        pairs = [(planned.reader(self.schema, self.named, each), each) for each in shapes]
        self.twins = [(one, generate(self.schema, self.named, shape)) for one, shape in pairs if one is not None]

    def difference(self, value: bytes) -> str | None:
        """What differs between the readers in reading a message; None where they agree."""
        expected = self._by_fastavro(value)
        for reader in self.readers:
            found = by_generated(reader, value)
            if found != expected and not (found == REFUSED and self._against_the_rules(value)):
                return f"{value.hex()}: {found} where fastavro says {expected}"
        for one, other in self.twins:
            found, wanted = exactly(one, value), exactly(other, value)
            if found != wanted:
                return f"{value.hex()}: {found} in C where Python says {wanted}"
        return None if self.sound is None else self._unsound(self.sound, value, expected)

    def _unsound(self, read: Compiled, value: bytes, expected: Outcome) -> str | None:
        """What is wrong with what the reader of sound events makes of a message."""
        try:
            found = read(value, 0)
        except NotFiniteError:
            finite = expected[0] == "read" and not _NOT_FINITE.search(expected[1])
            return f"{value.hex()}: not finite, where fastavro says {expected}" if finite else None
        except Exception:  # noqa: BLE001 - of many kinds
            found = by_generated(self.readers[-1], value)
            return f"{value.hex()}: refused, where others say {found}" if found[0] == "read" else None
        contents = (each for each in (found.request, found.response) if isinstance(each, Table))
        good = all(each.sound and tables.flaw(each.values, tables.MAX_DEPTH) is None for each in contents)
        same = ("read", repr(_plain(found))) == by_generated(self.readers[-1], value)
        return None if good and same else f"{value.hex()}: {_plain(found)} is not sound, or not as others read it"

    def _by_fastavro(self, value: bytes) -> Outcome:
        stream = io.BytesIO(value)
        try:
            found = fastavro.schemaless_reader(stream, self.schema, None)
        except Exception:  # noqa: BLE001 - of many kinds
            return REFUSED
        left = len(value) - stream.tell()
        return ("left over", str(left)) if left else ("read", repr(found))

    def _against_the_rules(self, value: bytes) -> bool:
        """Whether a message that fastavro takes has what Avro does not allow."""
        with mock.patch.object(_read_py, "BinaryDecoder", _Strict):
            try:
                _read_py.schemaless_reader(io.BytesIO(value), self.schema, None)
            except _StrangeError:
                return True
            except Exception:  # noqa: BLE001 - of many kinds
                return False
        return False


class _StrangeError(Exception):
    """Bytes that no writer writes, and that fastavro makes a value of."""


class _Strict(BinaryDecoder):
    """fastavro's own decoder in Python, without its leniency."""

    def read_boolean(self) -> bool:
        """Only 0 and 1."""
        data = self.fo.read(1)
        if len(data) == 1 and data[0] > 1:
            raise _StrangeError("boolean")
        if not data:
            raise EOFError
        return bool(data[0])

    def read_long(self) -> int:
        """Only 64 bits, in ten bytes."""
        start = self.fo.tell()
        number: int = super().read_long()  # type: ignore[no-untyped-call]
        if self.fo.tell() - start > 10 or not -(1 << 63) <= number < 1 << 63:
            raise _StrangeError("long")
        return number

    read_int = read_long

    def read_index(self) -> int:
        """Only branches that there are."""
        return self._not_negative()

    def read_enum(self) -> int:
        """Only symbols that there are."""
        return self._not_negative()

    def _not_negative(self) -> int:
        index = self.read_long()
        if index < 0:
            raise _StrangeError("index")
        return index

    def read_array_start(self) -> None:
        """Only blocks that can be counted."""
        super().read_array_start()  # type: ignore[no-untyped-call]
        if self._block_count == -(1 << 63):
            raise _StrangeError("block")

    read_map_start = read_array_start


def by_generated(reader: Compiled, value: bytes) -> Outcome:
    """What becomes of a message that a generated reader reads."""
    try:
        found = reader(value, 0)
    except TrailingBytesError as error:
        return "left over", str(error)
    except Exception:  # noqa: BLE001 - of many kinds
        return REFUSED
    return "read", repr(_plain(found))


def exactly(reader: Compiled, value: bytes) -> Outcome:
    """What becomes of a message in C, or in Python as far as C has words for it; read, it is read again the same."""
    try:
        found = [_parts(reader(value, 0)), _parts(reader(b"before" + value, len(b"before")))]
    except Exception as error:
        if reader.__class__ is not FunctionType and not isinstance(error, ValueError):
            raise  # all that may be wrong with bytes is a ValueError in C
        return REFUSED
    return ("read", repr(found[0])) if repr(found[0]) == repr(found[1]) else ("differs", repr(found))


def _parts(found: Any) -> Any:
    """A value with all that it is made of, the vouching for tables and the kind of an empty one too."""
    if not is_dataclass(found):
        return found
    parts = {each.name: _parts(getattr(found, each.name)) for each in fields(found)}
    return type(found).__name__, {**parts, "attributes": dict(parts["attributes"])} if "attributes" in parts else parts


def _plain(found: Any) -> Any:
    """An event as the record that fastavro makes of it."""
    if isinstance(found, Event):
        content = {"request": _plain(found.request), "response": _plain(found.response)}
        names = ("binding", "asset", "deployment", "scoring_id", "scored_at", "response_time_ms")
        return {name: getattr(found, name) for name in names} | content | {"attributes": dict(found.attributes)}
    if isinstance(found, Body):
        return {"content_type": found.content_type, "data": found.data}
    if isinstance(found, Table):
        return {"fields": found.fields or [], "values": found.values, "meta": found.meta}
    return found


def _raw(schema: Any) -> Any:
    """The schema without logical types, which readers are not generated for."""
    if isinstance(schema, list):
        return [_raw(each) for each in schema]
    if isinstance(schema, dict):
        return {key: _raw(value) for key, value in schema.items() if key not in ("logicalType", "doc", "default")}
    return schema


def chance_of(seed: int) -> Random:
    """The same messages for the same seed, every time."""
    return Random(seed)  # noqa: S311 - no secret


def subjects() -> list[Subject]:
    """What is tried: the schema that ships, the one of everything, and the one of wide records."""
    return [Subject(reader_schema()), Subject(EVERYTHING), Subject(WIDE)]


def messages(chance: Random, subject: Subject) -> Iterator[bytes]:
    """A message of a schema, as it should be or a little odd; all its truncations, now and then; broken ones."""
    value = Writer(chance, subject.named, chance.choice((0, 0, 0.003, 0.03))).write(subject.schema)
    yield value
    if chance.random() < 0.002:
        yield from (value[:length] for length in range(len(value)))
    for _ in range(8):
        yield broken(chance, value)


def main() -> int:
    """Try as many messages as are asked for."""
    parser = argparse.ArgumentParser(prog="tests.rooms.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    tried, ends = 0, Counter[str]()
    seed = given.seed
    every = subjects()
    while tried < given.messages:
        chance = chance_of(seed)
        for subject in every:
            for value in messages(chance, subject):
                tried += 1
                found = subject.difference(value)
                ends[by_generated(subject.readers[-1], value)[0]] += 1
                if found is not None:
                    sys.stdout.write(f"seed {seed}, {subject.schema['name']}: {found}\n")
                    return 1
        seed += 1
    sys.stdout.write(f"{tried:,} messages, no difference; {dict(ends)}; readers: {READERS}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
