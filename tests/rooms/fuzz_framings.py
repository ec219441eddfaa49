"""Records in every framing, mutated byte by byte: each is refused, or the very event that a plain decoder reads.

`python -m tests.rooms.fuzz_framings --messages 1000000` runs it for as long as one likes; the tests run a little of it.
It ends with 1 at the first difference, and prints what shows it again.
"""

from __future__ import annotations

import argparse
import io
import sys
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

import fastavro

from tests.rooms.fuzz import broken, chance_of
from tests.rooms.schemas import AHEAD, AHEAD_ONLY, written
from tests.way.events import custom, event
from worker.edges.schemas import reader_schema
from worker.model import Claim, Envelope, Event, Refusal
from worker.rooms.decode import Decoder, SchemaBook
from worker.rooms.events import event_of
from worker.rooms.framing import VALUE_SCHEMA, Fingerprint, GlueVersion, SchemaGuid, SchemaId, TopicSchema
from worker.rooms.schema_checks import without_logical_types
from worker.rooms.writer_schema import compile_reader

if TYPE_CHECKING:
    from random import Random

LIMIT: Final = 20_000
GUID: Final = UUID(int=0x0123456789ABCDEF0123456789ABCDEF)
READERS: Final = [
    compile_reader(name, schema, reader_schema()) for name, schema in (("current", reader_schema()), ("ahead", AHEAD))
]
WRITERS: Final[list[Any]] = [fastavro.parse_schema(without_logical_types(each)) for each in (reader_schema(), AHEAD)]
MARKS: Final = [each.fingerprint for each in READERS]
DECODER: Final = Decoder(
    SchemaBook(
        {
            SchemaId(1): READERS[0],
            SchemaId(2): READERS[1],
            SchemaGuid(GUID): READERS[1],
            GlueVersion(GUID): READERS[1],
            Fingerprint(MARKS[0]): READERS[0],
            Fingerprint(MARKS[1]): READERS[1],
            TopicSchema("bare"): READERS[0],
        },
        asks=True,
    ),
    LIMIT,
)


class Message(NamedTuple):
    """A record: its topic, the header that names its schema if it has one, and its value."""

    topic: str
    header: bytes | None
    value: bytes


def messages(chance: Random) -> list[Message]:
    """An event in every framing, each as it should be and mutated."""
    table = {"fields": ["a", "b"], "values": [[chance.getrandbits(40), "é"], [None, [0.5, [True]]]], "meta": None}
    record = chance.choice([custom(2), event("a", table, table)]) | AHEAD_ONLY
    current, ahead = (written(each, record) for each in (reader_schema(), AHEAD))
    good = [
        Message("framed", None, b"\0\0\0\0\1" + current),
        Message("framed", None, b"\0\0\0\0\2" + ahead),
        Message("framed", None, b"\xc3\x01" + MARKS[1].to_bytes(8, "little") + ahead),
        Message("framed", None, b"\3\0" + GUID.bytes + ahead),
        Message("bare", None, b"\3\5" + GUID.bytes + zlib.compress(ahead)),
        Message("framed", b"\0\0\0\0\1", current),
        Message("bare", b"\1" + GUID.bytes, ahead),
        Message("bare", None, current),
    ]
    bad = [
        each._replace(value=broken(chance, each.value), header=_odd(chance, each.header))
        for each in good
        for _ in "abcd"
    ]
    return good + bad


def _odd(chance: Random, header: bytes | None) -> bytes | None:
    return broken(chance, header) if header is not None and chance.random() < 0.3 else header


def expected(message: Message) -> Event | None:
    """The event as a plain decoder reads it, written anew for this; None where there is none."""
    found = _body(message)
    if found is None or not message.value or len(message.value) > LIMIT:
        return None
    body, which = found
    stream = io.BytesIO(body)
    try:
        same = which == 0
        record: Any = fastavro.schemaless_reader(stream, WRITERS[which], None if same else WRITERS[0])
        return event_of(record, 1) if stream.tell() == len(body) else None
    except Exception:  # noqa: BLE001 - of many kinds
        return None


def _inflated(packed: bytes) -> tuple[bytes, int] | None:
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(packed)
    except zlib.error:
        return None
    return (body, 1) if stream.eof and not stream.unused_data and len(body) <= LIMIT else None


def _body(message: Message) -> tuple[bytes, int] | None:
    topic, header, value = message
    if header is not None:
        return {b"\0\0\0\0\1": (value, 0), b"\0\0\0\0\2": (value, 1), b"\1" + GUID.bytes: (value, 1)}.get(header)
    if value.startswith(b"\3\5" + GUID.bytes):
        return _inflated(value[18:])
    starts = {b"\3\0" + GUID.bytes: 1}
    starts |= {b"\xc3\x01" + mark.to_bytes(8, "little"): number for number, mark in enumerate(MARKS)}
    starts |= {} if topic == "bare" else {b"\0\0\0\0\1": 0, b"\0\0\0\0\2": 1}
    for start, which in starts.items():
        if value.startswith(start):
            return value[len(start) :], which
    return (value, 0) if topic == "bare" and value[:2] != b"\xc3\x01" else None


def difference(message: Message) -> str | None:
    """What differs between the worker and the plain decoder in reading a message; None where they agree."""
    headers = [] if message.header is None else [(VALUE_SCHEMA, message.header)]
    found = DECODER.event(Envelope(Claim(message.topic, 0), 0, -1, None, message.value, headers))
    wanted = expected(message)
    if not isinstance(found, Event):
        # the generated readers refuse a little more than fastavro: what Avro does not allow
        return None if wanted is None or (isinstance(found, Refusal) and found.code == "not-avro") else "refused"
    return None if repr(_plain(found)) == repr(wanted and _plain(wanted)) else "another event"


def _plain(found: Any) -> Any:
    """The values alone: who vouches for a table (`sound`) is no part of what it says."""
    names = [name for name in getattr(type(found), "__slots__", ()) if name not in ("attributes", "sound")]
    return {name: _plain(getattr(found, name)) for name in names} if names else found


def run(count: int, seed: int) -> tuple[str | None, Counter[str]]:
    """Try so many messages; the first difference, and how many were events."""
    ends: Counter[str] = Counter()
    while ends.total() < count:
        for each in messages(chance_of(seed)):
            ends["event" if expected(each) else "none"] += 1
            found = difference(each)
            if found is not None:
                value = f"{each.topic} {each.header and each.header.hex()} {each.value.hex()}"
                return f"seed {seed}: {found}: {value}", ends
        seed += 1
    return None, ends


def main() -> int:
    """Try as many messages as are asked for."""
    parser = argparse.ArgumentParser(prog="tests.rooms.fuzz_framings", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found, ends = run(given.messages, given.seed)
    sys.stdout.write(f"{found or 'no difference'}; {dict(ends)}\n")
    return int(found is not None)


if __name__ == "__main__":
    sys.exit(main())
