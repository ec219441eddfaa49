"""What stands in for the data mart and the dead-letter topic where nothing is to be sent, and what counts what was."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from worker.flow.jobs import Letter, Lettered, Post, Posted
from worker.flow.verdict import Answer, Verdict
from worker.replay.outcome import UNPAIRED

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.seams import LetterBox, Poster

DRY_RUN = "dry-run"
"""The reason of an answer that no data mart gave."""


class Unsent:
    """A courier that sends nothing: every post is accepted at once."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._posts: list[Post] = []

    def send(self, post: Post) -> None:
        """Accept it."""
        self._posts.append(post)

    def collect(self, timeout: float) -> list[Posted]:
        """What was accepted; waits only where there is nothing, as a courier would."""
        if not self._posts and timeout > 0:
            self._sleep(timeout)
        posts, self._posts = self._posts, []
        return [Posted(post, Answer(Verdict.ACCEPTED, DRY_RUN)) for post in posts]

    def close(self) -> None:
        """There is nothing to let go of."""


class Unwritten:
    """A dead-letter topic that nothing is written to: every letter is acknowledged at once."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []

    def send(self, letter: Letter) -> None:
        """Acknowledge it."""
        self._letters.append(letter)

    def collect(self, timeout: float = 0) -> list[Lettered]:
        """What was acknowledged."""
        del timeout
        letters, self._letters = self._letters, []
        return [Lettered(letter, None) for letter in letters]

    def close(self) -> None:
        """There is nothing to let go of."""


class PairedLetters:
    """A dead-letter topic that is not told of halves of scorings without their others: these are acknowledged at once.

    Within a span nobody knows whether the other half lies outside of it, and was delivered with this one long ago.
    """

    def __init__(self, letters: LetterBox) -> None:
        self._letters = letters
        self._aside = Unwritten()
        self.close = letters.close

    def send(self, letter: Letter) -> None:
        """Write it, unless it is of such a half."""
        alone = letter.rejection.refusal.code.startswith(UNPAIRED)
        (self._aside if alone else self._letters).send(letter)

    def collect(self, timeout: float = 0) -> list[Lettered]:
        """What was acknowledged."""
        return self._aside.collect() + self._letters.collect(timeout)


class CountedPosts:
    """A courier, and what was accepted of what it sent: batches, and rows by subscription."""

    def __init__(self, courier: Poster) -> None:
        self._courier = courier
        self.send = courier.send
        self.close = courier.close
        self.batches = 0
        self.rows: Counter[str] = Counter()

    def collect(self, timeout: float) -> list[Posted]:
        """As the courier's, counted."""
        outcomes = self._courier.collect(timeout)
        for outcome in outcomes:
            if outcome.answer.verdict is Verdict.ACCEPTED:
                self.batches += 1
                self.rows.update(row.subscription_id for row in outcome.post.batch.rows)
        return outcomes


class CountedLetters:
    """A dead-letter topic, and what it acknowledged: by disposition and code, each with the place of the first."""

    def __init__(self, letters: LetterBox) -> None:
        self._letters = letters
        self.send = letters.send
        self.close = letters.close
        self.refused: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def collect(self, timeout: float = 0) -> list[Lettered]:
        """As the topic's, counted."""
        outcomes = self._letters.collect(timeout)
        for outcome in outcomes:
            if outcome.error is None:
                self._count(outcome.letter)
        return outcomes

    def _count(self, letter: Letter) -> None:
        refusal, envelope = letter.rejection.refusal, letter.rejection.envelope
        kind = f"{refusal.disposition}/{refusal.code}"
        self.refused[kind] += 1
        self.first.setdefault(kind, f"{envelope.claim.topic}[{envelope.claim.partition}]@{envelope.offset}")
