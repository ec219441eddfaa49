"""What a claim has settled beyond its commit, as a short text that is committed with it.

A commit says up to where all is settled. Where halves of scorings wait for each other, much behind that is settled
too; and where the commit lies between the two halves of a scoring that is stored, the next owner would wait in vain
for the first. So the text names the offsets beyond the commit that are not settled; all others up to its end are.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSION = "settled-1"

LONGEST = 3_000
"""Characters of a text: Kafka takes 4,096 bytes of metadata with an offset, unless its brokers are set to take less."""

_MORE = 128
"""The bit of a byte that says that the number goes on; the other seven are its digits, the lowest first."""


@dataclass(frozen=True, slots=True)
class Settled:
    """All offsets from `since`, which is the commit, up to `upto` (exclusive) are settled, `but` these."""

    since: int
    upto: int
    but: frozenset[int]

    def __contains__(self, offset: int) -> bool:
        return self.since <= offset < self.upto and offset not in self.but


def settled_beyond(since: int | None, upto: int, still_open: Iterable[int]) -> Settled | None:
    """What is settled from a commit on; `still_open` in rising order. None where nothing is."""
    but = frozenset(still_open)
    if since is None or upto - since <= len(but):
        return None
    return Settled(since, upto, but)


def written(settled: Settled, topic: str) -> str:
    """The text; where it would be longer than `LONGEST` it ends earlier, and what is behind is read again.

    `topic` is the topic's id, as offsets of one made anew under the same name mean other records, and the group's.
    """
    packed = bytearray()
    last, upto = settled.since, settled.upto
    for offset in sorted(settled.but):
        step = _varint(offset - last)
        if (len(packed) + len(step)) * 4 // 3 + 128 > LONGEST:
            upto = offset
            break
        packed += step
        last = offset
    return f"{VERSION} {topic} {settled.since} {upto} {base64.b64encode(packed).decode()}"


def read(text: str, topic: str, position: int) -> Settled | None:
    """What a text says that was committed with a position; None for any other text, topic or position."""
    begun = f"{VERSION} {topic} "
    if not text.startswith(begun):
        return None
    try:
        since, upto, packed = text[len(begun) :].split(" ")
        first = int(since)
        but = frozenset(_offsets(base64.b64decode(packed, validate=True), first))
        end = int(upto)
    except (ValueError, binascii.Error):
        return None
    return Settled(first, end, but) if first == position else None


def _varint(number: int) -> bytes:
    packed = bytearray()
    while number >= _MORE:
        packed.append(number % _MORE | _MORE)
        number >>= 7
    packed.append(number)
    return bytes(packed)


def _offsets(packed: bytes, last: int) -> Iterator[int]:
    number = shift = 0
    for byte in packed:
        number |= (byte % _MORE) << shift
        shift += 7
        if byte < _MORE:
            last += number
            yield last
            number = shift = 0
    if shift:
        raise ValueError
