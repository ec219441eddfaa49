"""The records that are tried: for each seed and number always the same one."""

from __future__ import annotations

import zlib
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.fuzz.corpus import BOMBS, ODD_LONGS, SUBJECTS, Subject
from tests.rooms.fuzz import broken
from worker.rooms.framing import VALUE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK: Final = 50
"""Messages that are made with one chance."""

Headers = tuple[tuple[str, bytes | None], ...]


class Message(NamedTuple):
    """A record: its topic, its headers, and its value."""

    topic: str
    headers: Headers
    value: bytes


def messages(seed: int, start: int, count: int) -> Iterator[Message]:
    """Those from the number `start`, so many; their chance is that of their block."""
    first, last = start, start + count
    for block in range(first // BLOCK, -(-last // BLOCK)):
        chance = Random(f"{seed}/{block}")  # noqa: S311 - no secret
        for number in range(block * BLOCK, (block + 1) * BLOCK):
            message = _message(chance)
            if first <= number < last:
                yield message


def _message(chance: Random) -> Message:
    subject = chance.choice(SUBJECTS)
    body = chance.choice(subject.bodies)
    luck = chance.random()
    if luck < 0.0001:
        return Message("events", (), b"\3\5" + subject.guid.bytes + chance.choice(BOMBS))
    if luck > 0.15:
        body = _mutated(chance, subject, body)
    message = chance.choice(FRAMINGS)(subject, body)
    return _spoilt(chance, message) if chance.random() < 0.15 else message


def _mutated(chance: Random, subject: Subject, body: bytes) -> bytes:
    """One byte, a few, an odd number in the middle, or the end of another event."""
    kind = chance.randrange(9)
    at = chance.randrange(len(body) + 1)
    if kind < 4:
        end = at + chance.randrange(2)
        return body[:at] + chance.randbytes(1) + body[end:]
    if kind < 6:
        return broken(chance, body)
    if kind < 8:
        return body[:at] + chance.choice(ODD_LONGS) + body[at + chance.randrange(3) :]
    other = chance.choice(subject.bodies)
    return body[:at] + other[chance.randrange(len(other) + 1) :]


def _spoilt(chance: Random, message: Message) -> Message:
    """The framing is mutated, or another schema's, or that of none."""
    kind = chance.randrange(4)
    if kind == 0 and message.headers:
        name, value = message.headers[0]
        odd = chance.choice([None, b"", broken(chance, value or b"")])
        return message._replace(headers=((name, odd), *message.headers[chance.randrange(2) :]))
    if kind <= 1:
        head = bytearray(message.value[:18])
        if head:
            head[chance.randrange(len(head))] = chance.choice((0, 1, 3, 5, 0xC3, chance.randrange(256)))
        return message._replace(value=bytes(head) + message.value[18:])
    if kind == 2:
        return message._replace(topic=chance.choice(SUBJECTS).topic)
    return message._replace(value=message.value[: chance.randrange(30)])


def _confluent(subject: Subject, body: bytes) -> Message:
    return Message("events", (), b"\0" + subject.number.to_bytes(4, "big") + body)


def _confluent_header(subject: Subject, body: bytes) -> Message:
    return Message("events", ((VALUE_SCHEMA, b"\0" + subject.number.to_bytes(4, "big")), ("trace", b"\xff")), body)


def _guid(subject: Subject, body: bytes) -> Message:
    return Message(subject.topic, ((VALUE_SCHEMA, b"\1" + subject.guid.bytes),), body)


def _single_object(subject: Subject, body: bytes) -> Message:
    return Message("events", (), b"\xc3\1" + subject.mark + body)


def _glue(subject: Subject, body: bytes) -> Message:
    return Message("events", (), b"\3\0" + subject.guid.bytes + body)


def _glue_zlib(subject: Subject, body: bytes) -> Message:
    return Message("events", (), b"\3\5" + subject.guid.bytes + zlib.compress(body, 1))


def _bare(subject: Subject, body: bytes) -> Message:
    return Message(subject.topic, (), body)


FRAMINGS: Final[list[Callable[[Subject, bytes], Message]]] = [
    _confluent,
    _confluent_header,
    _guid,
    _single_object,
    _glue,
    _glue_zlib,
    _bare,
]
