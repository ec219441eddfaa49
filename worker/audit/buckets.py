"""Records of one size, sorted by their first byte into 256 buckets, on disk: so that millions need little memory.

All lies in one temporary file that has no name any more, and is gone with the process, however that ends.
"""

from __future__ import annotations

import tempfile
from struct import Struct
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 256
_BLOCK = 16 * 1024
"""Bytes of a bucket that are kept in memory before they are written, at most."""


class Buckets:
    """To be written, then read, then closed.

    Args:
        form: of the records, as `struct` has it; the first item is an unsigned number of 64 bits whose upper byte is
            the bucket.

    Raises:
        OSError: the directory of temporary files cannot be written, or is full; so may every method.
    """

    def __init__(self, form: str) -> None:
        self._struct = Struct(form)
        self._pending = [bytearray() for _ in range(COUNT)]
        self._blocks: list[list[tuple[int, int]]] = [[] for _ in range(COUNT)]
        self._end = 0
        self._most = _BLOCK - _BLOCK % self._struct.size
        self._file = tempfile.TemporaryFile(prefix="payload-worker-", buffering=0)  # noqa: SIM115 - close() does
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, first: int, *others: int) -> None:
        """Write one record."""
        self.count += 1
        pending = self._pending[first >> 56]
        pending += self._struct.pack(first, *others)
        if len(pending) >= self._most:
            self._flush(first >> 56)

    def bucket(self, number: int) -> Iterator[tuple[Any, ...]]:
        """The records of a bucket, in the order in which they were written."""
        for place, size in self._blocks[number]:
            self._file.seek(place)
            yield from self._struct.iter_unpack(self._file.read(size))
        yield from self._struct.iter_unpack(bytes(self._pending[number]))

    def _flush(self, number: int) -> None:
        pending = self._pending[number]
        self._file.seek(self._end)
        view = memoryview(pending)
        written = 0
        while written < len(view):
            written += self._file.write(view[written:])
        self._blocks[number].append((self._end, len(view)))
        self._end += len(view)
        view.release()
        pending.clear()
