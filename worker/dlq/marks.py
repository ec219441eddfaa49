"""Which offsets of which partitions: a set of many, at a bit for each where they lie near one another. Pure."""

from __future__ import annotations

_BITS = 15
_SIZE = 1 << _BITS - 3


class Marks:
    """A set of places; offsets are kept as bits, in blocks of 32,768."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, int, int], bytearray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, topic: str, partition: int, offset: int) -> None:
        """Take in a place."""
        block = self._blocks.setdefault((topic, partition, offset >> _BITS), bytearray(_SIZE))
        at, bit = _at(offset)
        self._count += not block[at] & bit
        block[at] |= bit

    def has(self, topic: str, partition: int, offset: int) -> bool:
        """Whether a place is in it."""
        block = self._blocks.get((topic, partition, offset >> _BITS))
        at, bit = _at(offset)
        return block is not None and bool(block[at] & bit)


def _at(offset: int) -> tuple[int, int]:
    within = offset & (1 << _BITS) - 1
    return within >> 3, 1 << (within & 7)
