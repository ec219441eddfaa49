"""Records that wait for a newer directory: their binding, asset or subscription is not in the one that is there."""

from __future__ import annotations

from collections import deque
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

    Where half of the room is taken, what the last directory has just been asked for in vain does not wait again: a
    storm of events for one unknown asset must not stop the others.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._parked: deque[_Parked] = deque()
        self._unknown: frozenset[Wanted] = frozenset()
        self._asked = float("-inf")

    def __len__(self) -> int:
        return len(self._parked)

    @property
    def full(self) -> bool:
        """Whether no more can wait."""
        return len(self._parked) >= self._room

    def held(self) -> Iterator[Envelope]:
        """The records that wait."""
        return (each.rejection.envelope for each in self._parked)

    def add(self, rejection: Rejection, now: float) -> bool:
        """Let a rejection wait; False if it need not, for the answer is known."""
        if len(self._parked) * 2 >= self._room and rejection.wanted in self._unknown and now - self._asked <= FRESH:
            return False
        self._parked.append(_Parked(rejection, now))
        return True

    def take(self, begun: float) -> list[Rejection]:
        """Remove and return what has waited since before `begun`, when the fetch that has now ended began."""
        ready = [parked.rejection for parked in self._parked if parked.since <= begun]
        self._parked = deque(parked for parked in self._parked if parked.since > begun)
        return ready

    def unknown(self, wanted: Iterable[Wanted | None], begun: float) -> None:
        """Remember what the directory whose fetch began at `begun` does not know either."""
        self._unknown = frozenset(each for each in wanted if each is not None)
        self._asked = begun

    def drop(self, claims: Collection[Claim]) -> None:
        """Forget what waits for claims that are gone."""
        self._parked = deque(each for each in self._parked if each.rejection.envelope.claim not in claims)
