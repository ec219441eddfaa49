"""Rejections on their way to the dead-letter topic: tried until the broker has acknowledged them."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from worker.flow.jobs import Letter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from worker.flow.account import Account
    from worker.flow.offsets import Ledgers
    from worker.model import Claim, Rejection


AT_ONCE = 200
"""Letters that one turn of the loop writes at most."""


class Letters:
    """Holds rejections while the dead-letter topic refuses them: no record is settled before it is there."""

    def __init__(self, wait: Callable[[int], float], ledgers: Ledgers, account: Account) -> None:
        self._wait = wait
        self._ledgers = ledgers
        self._account = account
        self._waiting: deque[Letter] = deque()
        self.in_flight = 0
        self.error: str | None = None
        """Why the topic last refused a letter; None once it takes them."""

    def add(self, rejection: Rejection) -> None:
        """Take charge of a rejection, unless its claim is gone."""
        if rejection.envelope.claim in self._ledgers:
            self._account.tally.rejected[rejection.refusal.disposition] += 1
            self._waiting.append(Letter(rejection))

    def drop(self, claims: Collection[Claim]) -> None:
        """Forget what waits for claims that are gone."""
        self._waiting = deque(each for each in self._waiting if each.rejection.envelope.claim not in claims)

    def due(self, now: float) -> list[Letter]:
        """The letters to write now: at most `AT_ONCE`, for each may wait for the broker, and the loop with it."""
        ready = (letter for letter in self._waiting if letter.due <= now)
        due = list(islice(ready, AT_ONCE))
        if due:
            started = set(map(id, due))
            self._waiting = deque(letter for letter in self._waiting if id(letter) not in started)
            self.in_flight += len(due)
        return due

    def settle(self, letter: Letter, error: str | None, now: float) -> None:
        """Take a letter's outcome; `error` None: the broker has acknowledged it."""
        self.in_flight -= 1
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
