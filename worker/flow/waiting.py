"""Records that wait for a newer directory: their binding, asset or subscription is not in the one that is there."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from worker.model import Claim, Envelope, Rejection, Wanted

FRESH = 10.0
"""Seconds for which a directory's no is taken for an answer when many wait: twice the time between two fetches."""


@dataclass(frozen=True, slots=True)
class _Parked:
    rejection: Rejection
    since: float


class Waiting:
    """Holds rejections until a directory has been fetched that was begun after they came.

    Of a claim that has `few` waiting, what the last directory has just been asked for in vain does not wait again: a
    storm of events for one unknown asset must not stop the others.
    """

    def __init__(self) -> None:
        self._parked: deque[_Parked] = deque()
        self._of: Counter[Claim] = Counter()
        self._unknown: frozenset[Wanted] = frozenset()
        self._asked = float("-inf")

    def __len__(self) -> int:
        return len(self._parked)

    def held(self) -> Iterator[Envelope]:
        """The records that wait."""
        return (each.rejection.envelope for each in self._parked)

    def add(self, rejection: Rejection, now: float, few: int) -> bool:
        """Let a rejection wait; False if it need not, for the answer is known."""
        claim = rejection.envelope.claim
        if self._of[claim] >= few and rejection.wanted in self._unknown and now - self._asked <= FRESH:
            return False
        self._of[claim] += 1
        self._parked.append(_Parked(rejection, now))
        return True

    def take(self, begun: float, few: int) -> list[Rejection]:
        """Remove and return what the directory answers whose fetch began at `begun` and has now ended.

        That is all that came before it began; and of what came while it was fetched, all but `few` of each claim,
        save what the data mart itself did not know: only a newer directory answers that.
        """
        parked, self._parked, self._of = self._parked, deque(), Counter()
        ready: list[Rejection] = []
        for each in parked:
            rejection, claim = each.rejection, each.rejection.envelope.claim
            fresh = rejection.wanted is not None and each.since <= begun + FRESH
            if each.since <= begun or (fresh and self._of[claim] >= few):
                ready.append(rejection)
            else:
                self._of[claim] += 1
                self._parked.append(each)
        return ready

    def unknown(self, wanted: Iterable[Wanted | None], begun: float) -> None:
        """Remember what the directory whose fetch began at `begun` does not know either."""
        self._unknown = frozenset(each for each in wanted if each is not None)
        self._asked = begun

    def drop(self, claims: Collection[Claim]) -> None:
        """Forget what waits for claims that are gone."""
        self._parked = deque(each for each in self._parked if each.rejection.envelope.claim not in claims)
        for claim in claims:
            del self._of[claim]
