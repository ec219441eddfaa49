"""What the fuzz begins with: writer schemas, events written with them, bombs, and the rooms that all go through."""

from __future__ import annotations

import copy
import zlib
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from uuid import UUID

import fastavro

from tests.fuzz.plain import Plain
from tests.rooms.fuzz import Writer
from tests.rooms.schemas import AHEAD, AHEAD_ONLY, BEHIND, SITE, changed, grown, written
from tests.way.events import body, event
from worker.config import Limits
from worker.edges.schemas import listed, reader_schema
from worker.model import Engine
from worker.rooms.decode import Decoder, SchemaBook
from worker.rooms.directory import Binding, Directory, Subscription
from worker.rooms.framing import Fingerprint, GlueVersion, SchemaGuid, SchemaId, SchemaRef, TopicSchema
from worker.rooms.identity import Identity
from worker.rooms.schema_checks import without_logical_types
from worker.rooms.suite import Suite
from worker.rooms.writer_schema import Reader, compile_reader

LIMIT: Final = Limits().event_bytes
EVENTS: Final = 120
"""Events that are written with each schema."""

CUSTOM: Final = Engine.CUSTOM.value
ENGINES: Final = [engine.value for engine in Engine]
FULL: Final[dict[str, Any]] = AHEAD_ONLY | {
    "endpoint": "e",
    "encoding": None,
    "price": b"\1\2",
    "mark": b"abc",
    "more": {"a": [[{"city": "x"}], []], "é": []},
    "nothing": {"a": None},
}
"""What some writers have and the worker does not read."""


def _renamed() -> Any:
    schema = copy.deepcopy(reader_schema())
    schema["fields"][2] |= {"name": "endpoint", "aliases": ["deployment"]}
    return schema


def _of_cells(*kinds: Any) -> Any:
    schema = copy.deepcopy(reader_schema())
    schema["fields"][6]["type"][1]["fields"][1]["type"]["items"]["items"] = list(kinds)
    return schema


def _turned() -> Any:
    """Tables before bodies."""
    schema = copy.deepcopy(reader_schema())
    schema["fields"][6]["type"].reverse()
    schema["fields"][7]["type"].reverse()
    return schema


def _nested() -> Any:
    schema = copy.deepcopy(reader_schema())
    schema["fields"][6]["type"][0]["fields"].insert(0, {"name": "encoding", "type": ["null", SITE], "default": None})
    return schema


_CELLS: Final[list[Any]] = reader_schema()["fields"][6]["type"][1]["fields"][1]["type"]["items"]["items"]
_MORE: Final = grown(
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9}},
    {"name": "mark", "type": {"type": "fixed", "name": "Mark", "size": 3}},
    {"name": "more", "type": {"type": "map", "values": {"type": "array", "items": {"type": "array", "items": SITE}}}},
    {"name": "nothing", "type": {"type": "map", "values": "null"}},
    at=3,
)
SCHEMAS: Final[dict[str, Any]] = {
    **{f"{each.subject}/{each.version}": each.schema for each in listed(None)},
    "ahead": AHEAD,
    "behind": BEHIND,
    "renamed": _renamed(),
    "int": changed("response_time_ms", type=["null", "int"]),
    "millis": changed("scored_at", type=["null", {"type": "long", "logicalType": "timestamp-millis"}]),
    "nullable": changed("asset", type=["null", "string"]),
    "needed": changed("binding", type="string", default=""),
    "more cells": _of_cells("bytes", *_CELLS, SITE),
    "fewer cells": _of_cells("string", "null", "int", "float"),
    "turned": _turned(),
    "nested": _nested(),
    "more": _MORE,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A writer schema with its names in every framing, readers of both kinds, and events written with it."""

    number: int
    guid: UUID
    mark: bytes
    topic: str
    reader: Reader
    plain: Plain
    bodies: list[bytes]


def _subject(number: int, name: str, schema: Any) -> Subject:
    reader = compile_reader(name, schema, reader_schema())
    guid, mark = UUID(int=number + (1 << 120)), reader.fingerprint.to_bytes(8, "little")
    plain = Plain(schema, unit=1000 if name == "millis" else 1)
    return Subject(number, guid, mark, f"bare {number}", reader, plain, _bodies(name, schema))


def _bodies(name: str, schema: Any) -> list[bytes]:
    """Events as they should be, and as no writer writes them."""
    chance = Random(name)  # noqa: S311 - no secret
    named: dict[str, Any] = {}
    parsed = fastavro.parse_schema(without_logical_types(schema), named)
    odd = [Writer(chance, named, 0.003).write(parsed) for _ in range(EVENTS // 8)]
    good = [_written(schema, name, chance) for _ in range(EVENTS - len(odd))]
    return [each for each in odd + good if len(each) < LIMIT // 100]


def _written(schema: Any, name: str, chance: Random) -> bytes:
    record = _event(chance, plain_cells=name == "fewer cells")
    if name == "needed":
        record["binding"] = record["binding"] or CUSTOM
    if name in {"nested", "more cells"}:
        for part in ("request", "response"):
            record[part] |= {"encoding": chance.choice([None, {"city": "x"}])} if "data" in record[part] else {}
    if name == "int" and record["response_time_ms"]:
        record["response_time_ms"] %= 1 << 31
    return written(without_logical_types(schema), record)


def _event(chance: Random, *, plain_cells: bool) -> dict[str, Any]:
    rows = chance.choice([0, 1, 1, 1, 1, 1, 2, 3, 8])
    engine = chance.choice([CUSTOM, CUSTOM, CUSTOM, *ENGINES])
    contents = [_content(chance, rows, names, plain_cells=plain_cells) for names in ("abcd", "pq")]
    more = {
        "binding": chance.choice([None, None, engine, engine, engine, "nobody"]),
        "deployment": chance.choice([None] * 15 + ["nobody"]),
        "scoring_id": chance.choice([None, "s-1", "s-2", "é-\U0001f986"]),
        "scored_at": chance.choice([None, 0, 1, 1_560_247_200_123, 1_560_247_200_123, 1_560_247_200_123, -1]),
        "response_time_ms": chance.choice([None, 0, 12, (1 << 53) + 1]),
        "attributes": chance.choice([{}, {"trace": "1"}, {"é": "x" * 70, "": ""}]),
    }
    return event(engine, *contents, **more) | FULL


def _content(chance: Random, rows: int, names: str, *, plain_cells: bool) -> Any:
    if plain_cells:
        cells: tuple[Any, ...] = (None, "x", "é\0", 7, -1, 0.5)
    else:
        cells = (None, True, (1 << 53) + 1, -(1 << 63), 0.1, 5e-324, float("nan"), "é\U0001f600", [1, ["x", None]], [])
    cells = tuple(each for each in cells if each == each or chance.random() < 0.1)  # noqa: PLR0124 - a NaN is not
    values = [[chance.choice(cells) for _ in names] for _ in range(rows)]
    kind = chance.choice([0, 1, 1, 2, 3, 4, 5, 6, 6, 6])
    if kind < 4:
        meta = {"fields": ["m"], "values": [[n] for n in range(rows)]} if kind == 3 else None
        return {"fields": list(names) if kind else [], "values": values, "meta": meta}
    if kind == 4:
        return body(chance.choice(NATIVE))
    if kind == 5:
        return body("\n".join(",".join(map(str, range(len(names)))) for _ in range(rows)), "text/csv")
    plain = [[None if each != each else each for each in row] for row in values]  # noqa: PLR0124 - NaN is no JSON
    return body({"fields": list(names), "values": plain})


NATIVE: Final[list[bytes]] = [
    b"[" * 5000 + b"]" * 5000,
    b'{"fields":["a"],"values":[[' + b"9" * 5000 + b"]]}",
    b'{"fields":["a"],"values":[[1e400]]}',
    b'{"fields":["a"],"values":[[' + b"[" * 200 + b"]" * 200 + b"]]}",
    b'{"predictions":[{"fields":["a"],"values":[[1]]}]}',
    b'{"instances":[{"a":1,"b":"x"}]}',
    b'{"Inputs":{"input1":[{"a":"1"}]},"GlobalParameters":{}}',
    b'{"fields":["a","a"],"values":[["\\ud800"]]}',
    b'\xef\xbb\xbf{"values":[]}',
]
"""Native bodies that are hard to read, or of other engines."""

SUBJECTS: Final = [_subject(number, *each) for number, each in enumerate(SCHEMAS.items())]


def _names(subject: Subject) -> list[SchemaRef]:
    fingerprint = Fingerprint(int.from_bytes(subject.mark, "little"))
    named: list[SchemaRef] = [SchemaId(subject.number), SchemaGuid(subject.guid), GlueVersion(subject.guid)]
    return [*named, TopicSchema(subject.topic), fingerprint]


BOOK: Final = SchemaBook(
    {name: subject.reader for subject in reversed(SUBJECTS) for name in _names(subject)}, asks=True
)
"""Of one fingerprint (micros and millis have the same) the first subject's counts."""

MARKS: Final = {subject.mark: subject for subject in reversed(SUBJECTS)}
SUITE: Final = Suite(Decoder(BOOK, LIMIT), Identity("cluster", {}), Limits().record_bytes)
DIRECTORY: Final = Directory(
    [Binding(engine, engine, engine) for engine in ENGINES],
    [Subscription(f"s-{engine}", engine, engine, "", (), (), logging_enabled=True) for engine in ENGINES],
    0,
)


def _bombs() -> list[bytes]:
    """Bodies that are small as zlib streams, and as large as they may be, or larger, once inflated."""
    nulls, asset = bytes(LIMIT * 2 // 3), CUSTOM.encode()
    head = b"\0" + _long(len(asset)) + asset + bytes(4)
    answer = b"\2\2\2p\0\2\2\0\0\0\0"
    cells = head + b"\2\0\2" + _long(len(nulls)) + nulls + bytes(3) + answer + b"\0"
    rows = head + b"\2\0" + _long(len(nulls)) + nulls + bytes(2) + answer + b"\0"
    texts = [b"[" * len(nulls), b'{"values":[[' + b"[]," * (len(nulls) // 3) + b"0]]}", b"9" * len(nulls)]
    json_type = _long(16) + b"application/json"
    natives = [head + b"\0" + json_type + _long(len(text)) + text + answer + b"\0" for text in texts]
    pairs = head + answer + answer + _long(len(nulls) // 2) + nulls + b"\0"
    beyond = [bytes(4 * LIMIT), head + b"\2\0\2" + _long(4 * LIMIT) + bytes(4 * LIMIT)]
    return [cells, rows, *natives, pairs, *beyond, b"\2" * (LIMIT - 1), zlib.compress(zlib.compress(bytes(4 * LIMIT)))]


def _long(number: int) -> bytes:
    rest = (number << 1 ^ number >> 63) & (1 << 64) - 1
    out = bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*out, rest])


BOMBS: Final = [zlib.compress(each, 9) for each in _bombs()]
ODD_LONGS: Final = [
    *(_long(number) for number in ((1 << 63) - 1, -(1 << 63), 1 << 40, -(1 << 40), 1 << 31, -1, -2, 1000, -1000)),
    _long(-3) + _long(1 << 62),
    _long(-(1 << 62)) + _long(-1),
    b"\xff" * 9 + b"\2",
    b"\x80" * 10 + b"\0",
    b"\x80\x80\0",
    b"\2" * 40,
    b"\2\x0a" * 20,
]
"""Huge counts and lengths, negative ones, blocks with sizes that lie, longs of too many bytes, arrays in arrays."""
