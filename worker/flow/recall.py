"""What claims have settled beyond their commits: written down with each commit, recalled by the next owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.flow import settled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from worker.flow.offsets import Ledgers
    from worker.model import Claim


class Recall:
    """The texts of `topics` whose halves are joined, by their ids; of others there is none, and it costs nothing."""

    def __init__(self, ledgers: Ledgers, topics: Mapping[str, str]) -> None:
        self._ledgers = ledgers
        self._topics = topics
        self._texts: dict[Claim, tuple[int, str]] = {}

    def wants(self, claim: Claim) -> bool:
        """Whether the texts of this claim's partition are read and written."""
        return claim.topic in self._topics

    def write(self, claims: Iterable[Claim]) -> None:
        """Write down what is settled beyond the positions that are to be committed now."""
        if not self._topics:
            return
        for claim in claims:
            ledger = self._ledgers.of(claim) if self.wants(claim) else None
            found = ledger.beyond() if ledger is not None else None
            if found is not None:
                self._texts[claim] = found.since, settled.written(found, self._topics[claim.topic])
            else:
                self._texts.pop(claim, None)

    def text(self, claim: Claim, position: int) -> str:
        """What is to be committed with a position: of a claim that has just been released, too. Empty: nothing."""
        since, text = self._texts.get(claim, (-1, ""))
        return text if since == position else ""

    def recall(self, claim: Claim, position: int, text: str, end: int) -> None:
        """Take in what was committed with the position that a claim begins at.

        What reaches behind the partition's `end` is not believed: its log was cut back, and others have the offsets.
        """
        found = settled.read(text, self._topics[claim.topic], position)
        ledger = self._ledgers.of(claim)
        if found is not None and ledger is not None and found.upto <= end:
            ledger.recalled = found

    def forget(self) -> None:
        """Forget the texts of claims that are gone; not before their last commit."""
        for claim in [each for each in self._texts if each not in self._ledgers]:
            del self._texts[claim]
