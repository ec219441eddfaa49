"""Head-of-line: partitions whose commits wait for one record while those behind it are settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.flow.offsets import Ledgers
    from worker.model import Claim

PATIENCE = 30.0
"""Seconds that one record may be the oldest open one before it is told of: as long as the longest usual retry."""


@dataclass(frozen=True, slots=True)
class Head:
    """The record that a partition waits for: `behind` settled offsets come after it, `since` then it is the oldest."""

    offset: int
    since: float
    behind: int
    told: bool = False


class Heads:
    """Watches the oldest open record of each claim; asked about once a second."""

    def __init__(self, ledgers: Ledgers) -> None:
        self._ledgers = ledgers
        self._heads: dict[Claim, Head] = {}

    def look(self, now: float) -> tuple[dict[Claim, Head], list[Claim]]:
        """Claims that wait for one record only since this look, and those that do no longer."""
        before, self._heads = self._heads, dict(self._looked(now))
        new = {claim: head for claim, head in self._heads.items() if head.told and not _told(before, claim, head)}
        gone = [claim for claim, head in before.items() if head.told and not _told(self._heads, claim, head)]
        return new, gone

    def _looked(self, now: float) -> Iterator[tuple[Claim, Head]]:
        for claim, ledger in self._ledgers.items():
            if ledger.head is None:
                continue
            known = self._heads.get(claim)
            since = known.since if known is not None and known.offset == ledger.head else now
            mostly_settled = ledger.behind > len(ledger)
            told = known is not None and known.offset == ledger.head and known.told
            yield claim, Head(ledger.head, since, ledger.behind, told or (mostly_settled and now - since >= PATIENCE))

    def waiting(self) -> dict[Claim, int]:
        """Settled offsets that wait behind one record, for each claim where that has been told."""
        return {claim: head.behind for claim, head in self._heads.items() if head.told}


def _told(heads: dict[Claim, Head], claim: Claim, head: Head) -> bool:
    found = heads.get(claim)
    return found is not None and found.told and found.offset == head.offset
