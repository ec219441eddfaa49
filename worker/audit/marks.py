"""A byte for each offset of a partition, in pages that are there only where something was marked.

Ten million offsets in a row take ten megabytes; offsets far apart (compaction) a page each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BITS = 12
PAGE = 1 << _BITS
_WITHIN = PAGE - 1


class Marks:
    """Numbers from 0 to 255 by offset; 0 where none was set."""

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def __getitem__(self, offset: int) -> int:
        page = self._pages.get(offset >> _BITS)
        return page[offset & _WITHIN] if page is not None else 0

    def __setitem__(self, offset: int, mark: int) -> None:
        page = self._pages.get(offset >> _BITS)
        if page is None:
            page = self._pages[offset >> _BITS] = bytearray(PAGE)
        page[offset & _WITHIN] = mark

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Offsets in order, each with its mark; without those that have none."""
        for number in sorted(self._pages):
            begin = number << _BITS
            yield from ((begin + at, mark) for at, mark in enumerate(self._pages[number]) if mark)

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return len(self._pages) * PAGE
