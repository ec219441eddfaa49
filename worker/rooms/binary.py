"""Avro's binary encoding, as far as it does not depend on a schema: what generated readers call for the rare cases.

Every reader takes the bytes and a position and gives a value and the position behind it. A position may come to lie
behind the end, since a slice of bytes says nothing of what it lacks: whoever reads on from there gets an IndexError,
and the reader of the whole body compares its last position with the size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from worker.rooms.kept import Kept

_LONGEST = 70
"""Seven bits for each of the ten bytes that a long has at most."""

STEPS: Final = tuple(0 if byte & 0x81 else 1 + (byte >> 1) for byte in range(256))
"""By the first byte of a length, how many bytes it and what it is the length of have; 0 if that byte is not enough."""

TIMES: Final = tuple((None,) * (byte >> 1) for byte in range(128))
"""By the only byte of a count, what to loop over that many times."""

_JUMPS: Final = tuple(step or 1 << 62 for step in STEPS)
"""The same, but beyond all bytes if that byte is not enough."""

_TAILS: Kept[bytes, int] = Kept()
"""Of longs of eight bytes, the number that their last five stand for, less what the upper bits of the others add."""

_GO_ON: Final = (0x80 + (0x80 << 7) + (0x80 << 14)) >> 1


class TrailingBytesError(ValueError):
    """Bytes were left over behind the body."""


class NotFiniteError(ValueError):
    """A number is NaN or infinite, and whoever reads has asked for none."""


def long(data: bytes, at: int) -> tuple[int, int]:
    """A long of any length; what does not fit into 64 bits is refused, for it would have to be cut.

    Times of today in microseconds have eight bytes, of which the last five change once in a second.
    """
    tail = data[at + 3 : at + 8]
    high = _TAILS.get(tail)
    if high is not None:
        one, two, three = data[at : at + 3]
        if one & two & three & 0x80 and not one & 1:  # none of them is the last, and the number is not negative
            return high + (one + (two << 7) + (three << 14) >> 1), at + 8
    number, end = _unsigned(data, at)
    if end == at + 8:
        _TAILS.keep(tail, (number >> 21 << 20) - _GO_ON, 100)
    return (number >> 1) ^ -(number & 1), end


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    number = byte & 0x7F
    shift = 7
    while byte & 0x80:
        if shift == _LONGEST:
            raise OverflowError("a long of more than ten bytes")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
    if number >> 64:
        raise OverflowError("a long of more than 64 bits")
    return number, at


def length(data: bytes, at: int) -> tuple[int, int]:
    """The length of bytes or of a string: never negative."""
    byte = data[at]
    if byte & 0x81 == 0x80:  # noqa: PLR2004 - not the last byte, of a number that is not negative
        high = data[at + 1]
        if high < 0x80:  # noqa: PLR2004 - the last
            return (byte & 0x7F | high << 7) >> 1, at + 2
    number, at = long(data, at)
    if number < 0:
        raise ValueError("a negative length")
    return number, at


def count(data: bytes, at: int) -> tuple[int, int]:
    """The number of items in a block; a negative one is followed by the block's size in bytes, which goes unused."""
    number, at = long(data, at)
    if number < 0:
        _, at = long(data, at)
    return abs(number), at


def octets(data: bytes, at: int) -> tuple[bytes, int]:
    """Bytes, preceded by their number."""
    size, at = length(data, at)
    end = at + size
    return data[at:end], end


def string(data: bytes, at: int) -> tuple[str, int]:
    """Text in UTF-8."""
    size, at = length(data, at)
    end = at + size
    return data[at:end].decode(), end


def strings(data: bytes, at: int) -> tuple[dict[str, str], int]:
    """A map of strings."""
    found: dict[str, str] = {}
    number, at = count(data, at)
    while number:
        for _ in range(number):
            key, at = string(data, at)
            found[key], at = string(data, at)
        number, at = count(data, at)
    return found, at


def unread_strings(data: bytes, at: int) -> tuple[Mapping[str, str], int]:
    """As `strings`, in exactly the same cases, but made only when they are asked for.

    Where every length and count is a single byte, which is ASCII, the map as a whole is UTF-8 if and only if each of
    its strings is: no character can go on behind one of those bytes.
    """
    twice = data[at]  # a count is written doubled, and a pair has two strings
    if not twice:
        return {}, at + 1
    start = at
    if twice & 0x81:
        return strings(data, start)
    at += 1
    try:
        for _ in TIMES[twice]:  # a key and its value
            at += _JUMPS[data[at]]
            at += _JUMPS[data[at]]
        more = data[at]
    except IndexError:
        more = True
    if more:  # another block, a length of more bytes than one, or too few bytes
        return strings(data, start)
    data[start:at].decode()
    return _Unread(data, start), at + 1


class _Unread(Mapping[str, str]):
    """A map of strings that is still as it was written, and known to be readable."""

    __slots__ = ("_data", "_found", "_start")

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._start = start
        self._found: dict[str, str] | None = None

    def _read(self) -> dict[str, str]:
        if self._found is None:
            self._found = strings(self._data, self._start)[0]
        return self._found

    def __getitem__(self, key: str) -> str:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def left_over(size: int, at: int) -> Exception:
    """Why a body may not end at `at`: there is more of it, or it was cut."""
    return TrailingBytesError(size - at) if at < size else EOFError("the body is cut")
