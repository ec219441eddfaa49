"""Which offsets of a claim are open, and how far its partition may be committed."""

from __future__ import annotations


class Ledger:
    """The offsets of one claim: opened when a record is read, settled when it is stored or dead-lettered.

    Only offsets that were received are tracked: a gap (compaction, transaction markers) counts as settled. Offsets
    are opened in rising order, so the first key of the dictionary is the oldest open one.
    """

    __slots__ = ("_committed", "_next", "_open", "size")

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        self.size = 0
        """Bytes of the open records."""
        self._next: int | None = None
        self._committed: int | None = None

    def __len__(self) -> int:
        return len(self._open)

    @property
    def next(self) -> int | None:
        """The offset that should be read next; None before the first record."""
        return self._next

    def begin(self, offset: int, size: int) -> None:
        """Open `offset`, a record of `size` bytes.

        Raises:
            ValueError: the offset was read under this claim already; a partition that goes back needs a new claim.
        """
        if self._next is not None and offset < self._next:
            raise ValueError(f"offset {offset} comes after {self._next - 1}: going back needs a new claim")
        self._open[offset] = size
        self.size += size
        self._next = offset + 1

    def finish(self, offset: int) -> None:
        """Settle `offset`; it must be open."""
        self.size -= self._open.pop(offset)

    def settled(self) -> int | None:
        """The offset below which all that was read is settled, in Kafka's sense of a position to resume from."""
        return next(iter(self._open), self._next)

    def committable(self) -> int | None:
        """`settled()` if it is ahead of what was committed, else None."""
        mark = self.settled()
        return None if mark == self._committed else mark

    def committed(self, mark: int | None) -> None:
        """Remember that `mark` was committed (None: that it is unknown, so that it is offered again)."""
        self._committed = mark

    def oldest(self) -> int | None:
        """The oldest open offset: what a commit waits for."""
        return next(iter(self._open), None)
