"""A bounded memory of what was worked out before, so that it need not be worked out again for each record."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

BUDGET = 1 << 18
LARGEST = 1 << 14


class Kept(dict[K, V]):
    """What was worked out, by what it was worked out from.

    What is kept may have no more than `LARGEST` bytes at a time and `BUDGET` in all; beyond, everything is forgotten
    and begins anew. So records made to fill it cost their own work, and nobody's memory.
    """

    __slots__ = ("_size",)

    def __init__(self) -> None:
        super().__init__()
        self._size = 0

    def keep(self, key: K, value: V, size: int) -> None:
        """Keep `value`, which was made from `size` bytes; what is too large is not kept."""
        if size > LARGEST:
            return
        if self._size + size > BUDGET:
            self.clear()
            self._size = 0
        self[key] = value
        self._size += size


HEAD = 24
"""Bytes that beginnings are looked up by."""

_ALIKE = 8


class Beginnings(Kept[bytes, tuple[tuple[bytes, V, int], ...]]):
    """What bytes stand for that many records begin with, or go on with: by their first `HEAD` bytes.

    Whoever looks up tries, with `startswith`, the few of one head: `(the bytes, what they stand for, their number)`.
    """

    __slots__ = ()

    def learn(self, whole: bytes, value: V, size: int) -> None:
        """Keep what `whole` stands for, before others of its head; what is shorter than a head is not kept."""
        if len(whole) >= HEAD:
            others = self.get(whole[:HEAD], ())[: _ALIKE - 1]
            self.keep(whole[:HEAD], ((whole, value, len(whole)), *others), size)
