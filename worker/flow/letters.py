"""Rejections on their way to the dead-letter topic: let in by the flood guard, tried until they are acknowledged."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from worker.flow.jobs import Letter
from worker.model import apart

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from worker.flow.account import Account
    from worker.flow.flood import FloodGuard
    from worker.flow.offsets import Ledgers
    from worker.model import Claim, Envelope, Rejection


AT_ONCE = 200
"""Letters that one turn of the loop writes at most."""


class Letters:
    """Holds rejections while the dead-letter topic refuses them: no record is settled before it is there.

    What comes once the flood guard has stopped all is kept back, until it is let in again by `resume`.
    """

    def __init__(self, wait: Callable[[int], float], guard: FloodGuard, ledgers: Ledgers, account: Account) -> None:
        self._wait = wait
        self._guard = guard
        self._ledgers = ledgers
        self._account = account
        self._waiting: deque[Letter] = deque()
        self._kept_back: deque[Rejection] = deque()
        self._started: set[Letter] = set()
        self.error: str | None = None
        """Why the topic last refused a letter; None once it takes them."""

    def add(self, rejection: Rejection) -> None:
        """Take charge of a rejection, unless its claim is gone; of a pair each half as it came."""
        if rejection.envelope.claim in self._ledgers:
            for envelope in apart((rejection.envelope,)):
                self._account.tally.rejected[rejection.refusal.disposition] += 1
                self._admit(rejection if envelope is rejection.envelope else replace(rejection, envelope=envelope))

    def _admit(self, rejection: Rejection) -> None:
        stopped = self._guard.stop
        if self._guard.admits(rejection.refusal, posted=rejection.attempts > 0):
            self._waiting.append(Letter(rejection))
            return
        self._kept_back.append(rejection)
        stop = self._guard.stop
        if stop is not None and stop is not stopped:
            self._account.notice("flood.stopped", code=stop.code, refused=stop.refused, of=stop.of)

    def resume(self) -> None:
        """Let in what was kept back, as much as the guard allows."""
        kept_back, self._kept_back = self._kept_back, deque()
        for rejection in kept_back:
            self._admit(rejection)

    def drop(self, claims: Collection[Claim]) -> None:
        """Forget what waits for claims that are gone."""
        self._waiting = deque(each for each in self._waiting if each.rejection.envelope.claim not in claims)
        self._kept_back = deque(each for each in self._kept_back if each.envelope.claim not in claims)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._started) + len(self._kept_back)

    @property
    def in_flight(self) -> int:
        """Letters whose outcome is awaited."""
        return len(self._started)

    def held(self) -> Iterator[Envelope]:
        """The records that wait here or are in flight, in no order."""
        yield from (letter.rejection.envelope for letter in self._waiting)
        yield from (letter.rejection.envelope for letter in self._started)
        yield from (rejection.envelope for rejection in self._kept_back)

    def why(self, claim: Claim, offset: int) -> str | None:
        """Why a record that is held here is not settled yet, in a few words; None if it is not held here."""
        letters = (*self._waiting, *self._started)
        if any(_is(letter.rejection.envelope, claim, offset) for letter in letters):
            return f"dead-letter topic: {self.error}" if self.error else "on its way to the dead-letter topic"
        if any(_is(rejection.envelope, claim, offset) for rejection in self._kept_back):
            return "kept back by the flood guard"
        return None

    def due(self, now: float) -> list[Letter]:
        """The letters to write now: at most `AT_ONCE`, for each may wait for the broker, and the loop with it."""
        ready = (letter for letter in self._waiting if letter.due <= now)
        due = list(islice(ready, AT_ONCE))
        if due:
            started = set(map(id, due))
            self._waiting = deque(letter for letter in self._waiting if id(letter) not in started)
            self._started.update(due)
        return due

    def settle(self, letter: Letter, error: str | None, now: float) -> None:
        """Take a letter's outcome; `error` None: the broker has acknowledged it."""
        self._started.discard(letter)
        if error is None:
            self._account.tally.lettered[letter.rejection.refusal.disposition] += 1
            self._ledgers.finish(letter.rejection.envelope)
        elif letter.rejection.envelope.claim in self._ledgers:
            self._account.tally.letter_failures += 1
            attempts = letter.attempts + 1
            self._waiting.append(replace(letter, attempts=attempts, due=now + self._wait(attempts)))
        if error != self.error:
            self.error = error
            self._account.notice("dead_letter.failing" if error else "dead_letter.recovered", error=error)


def _is(envelope: Envelope, claim: Claim, offset: int) -> bool:
    return envelope.offset == offset and envelope.claim is claim
