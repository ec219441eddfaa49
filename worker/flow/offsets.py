"""Which offsets of a claim are open, and how far its partition may be committed."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from worker.flow.settled import settled_beyond
from worker.model import apart

if TYPE_CHECKING:
    from collections.abc import Collection, ItemsView, Iterable, Iterator, Mapping

    from worker.flow.settled import Settled
    from worker.model import Claim, Envelope

_claim, _offset = attrgetter("claim"), attrgetter("offset")


class Ledger:
    """The offsets of one claim: opened when a record is read, settled when it is stored or dead-lettered.

    Only offsets that were received are tracked: a gap (compaction, transaction markers) counts as settled. Offsets
    are opened in rising order, so the first key of the dictionary is the oldest open one.
    """

    __slots__ = ("_committed", "_next", "_open", "recalled", "size")

    def __init__(self) -> None:
        self.recalled: Settled | None = None
        """What an earlier claim of the partition settled beyond its commit."""
        self._open: dict[int, int] = {}
        self.size = 0
        """Bytes of the open records."""
        self._next: int | None = None
        self._committed: int | None = None

    def __len__(self) -> int:
        return len(self._open)

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

    def unsettled(self, run: Iterable[Envelope]) -> Iterator[Envelope]:
        """Those of records just read that no earlier claim has settled; the others are passed over."""
        for envelope in run:
            offset, recalled = envelope.offset, self.recalled
            if recalled is not None and not recalled.since <= offset < recalled.upto:
                self.recalled = recalled = None  # all of it has been read; or it is not where that was committed
            if recalled is not None and offset in recalled:
                self._next = offset + 1
            else:
                yield envelope

    def beyond(self) -> Settled | None:
        """What is settled beyond the position to commit, for the next claim; None if nothing is."""
        if self._next is None:
            return None
        upto = self._next if self.recalled is None else max(self._next, self.recalled.upto)
        unread = () if self.recalled is None else (each for each in self.recalled.but if each >= self._next)
        return settled_beyond(self.settled(), upto, (*self._open, *sorted(unread)))

    def finish(self, *offsets: int) -> None:
        """Settle these; they must be open."""
        self.size -= sum(map(self._open.pop, offsets))

    def settled(self) -> int | None:
        """The offset below which all that was read is settled, in Kafka's sense of a position to resume from."""
        return next(iter(self._open), self._next)

    @property
    def head(self) -> int | None:
        """The oldest open offset; None if none is open."""
        return next(iter(self._open), None)

    @property
    def behind(self) -> int:
        """Offsets behind the oldest open one that are settled, and cannot be committed because of it."""
        head = self.head
        return 0 if head is None or self._next is None else self._next - head - len(self._open)

    def committable(self) -> int | None:
        """`settled()` if it is ahead of what was committed, else None."""
        mark = self.settled()
        return None if mark == self._committed else mark

    def committed(self, mark: int | None) -> None:
        """Remember that `mark` was committed (None: that it is unknown, so that it is offered again)."""
        self._committed = mark


class Ledgers:
    """The ledgers of all claims that are held. What belongs to a claim that is gone is left alone.

    Records are read in runs of one claim, and mostly settled so: a run looks up its ledger once.
    """

    __slots__ = ("_ledgers", "paired")

    def __init__(self) -> None:
        self._ledgers: dict[Claim, Ledger] = {}
        self.paired = False
        """Whether there have been pairs, so that what is settled may be one."""

    def __contains__(self, claim: Claim) -> bool:
        return claim in self._ledgers

    @property
    def records(self) -> int:
        """Records read and not settled."""
        return sum(len(ledger) for ledger in self._ledgers.values())

    @property
    def bytes(self) -> int:
        """Bytes of the records read and not settled."""
        return sum(ledger.size for ledger in self._ledgers.values())

    @property
    def claims(self) -> Collection[Claim]:
        """The claims that are held."""
        return self._ledgers.keys()

    def of(self, claim: Claim) -> Ledger | None:
        """The ledger of a claim that is held."""
        return self._ledgers.get(claim)

    def items(self) -> ItemsView[Claim, Ledger]:
        """The claims and their ledgers."""
        return self._ledgers.items()

    def assign(self, claims: Iterable[Claim]) -> None:
        """Open a ledger for each claim."""
        self._ledgers.update((claim, Ledger()) for claim in claims)

    def release(self, claims: Collection[Claim]) -> None:
        """Forget claims."""
        for claim in claims:
            self._ledgers.pop(claim, None)

    def begin(self, envelopes: Iterable[Envelope]) -> list[Envelope]:
        """Open the offsets of records just read, in the order they were read; those whose claim is still held."""
        begun: list[Envelope] = []
        for claim, run in groupby(envelopes, _claim):
            ledger = self._ledgers.get(claim)
            if ledger is not None:
                if ledger.recalled is not None:
                    run = ledger.unsettled(run)  # noqa: PLW2901 - only those of them count
                for envelope in run:
                    ledger.begin(envelope.offset, size_of(envelope))
                    begun.append(envelope)
        return begun

    def finish(self, *envelopes: Envelope) -> None:
        """Settle records; of a pair both."""
        for claim, run in groupby(apart(envelopes) if self.paired else envelopes, _claim):
            ledger = self._ledgers.get(claim)
            if ledger is not None:
                ledger.finish(*map(_offset, run))

    def committable(self, *, again: bool) -> dict[Claim, int]:
        """The position to commit for each claim that has settled more than was committed; `again`: anything at all."""
        ledgers = self._ledgers.items()
        marks = ((claim, ledger.settled() if again else ledger.committable()) for claim, ledger in ledgers)
        return {claim: mark for claim, mark in marks if mark is not None}

    def committed(self, marks: Mapping[Claim, int | None]) -> None:
        """Remember what was committed; a mark of None: the commit failed, offer it again."""
        for claim, mark in marks.items():
            ledger = self._ledgers.get(claim)
            if ledger is not None:
                ledger.committed(mark)


def size_of(envelope: Envelope) -> int:
    """Bytes of a record as it was read."""
    size = len(envelope.value or b"") + len(envelope.key or b"")
    if envelope.headers:
        size += sum(len(name) + len(value or b"") for name, value in envelope.headers)
    return size
