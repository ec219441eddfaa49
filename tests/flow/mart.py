"""A data mart and a dead-letter topic in one, for tests of the flow: answers each post, keeps what it was sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.flow.build import envelope, rejection, row
from worker.flow.jobs import Letter, Lettered, Post, Posted
from worker.flow.verdict import Answer, Verdict, no_answer
from worker.model import Claim, Disposition

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.flow.flow import Flow

    Answers = Answer | Callable[[list[int]], Answer]

ACCEPT = Answer(Verdict.ACCEPTED, "accepted", 202)
REFUSE = Answer(Verdict.SPLIT, "rejected", 400)
FAIL = Answer(Verdict.RETRY, "server-error", 503)
LOST = no_answer("connection-lost", sent=True)
HALT = Answer(Verdict.HALT, "forbidden", 403)
REFRESH = Answer(Verdict.REFRESH, "unauthorised", 401)
GONE = Answer(Verdict.SPLIT, "not-found", 404, Disposition.UNKNOWN_SUBSCRIPTION)
CONFLICT = Answer(Verdict.SPLIT, "conflict", 409)
CLAIM = Claim("t", 0, 1)
OTHER = Claim("t", 1, 2)


class Mart:
    """Drives a flow against an answer for each post; keeps what was posted and dead-lettered, by offset.

    `letters_fail`: the dead-letter topic is down.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.now = 0.0
        self.posts: list[list[int]] = []
        self.stored: Counter[int] = Counter()
        self.letters: dict[int, Disposition] = {}
        self.letters_fail = False
        flow.assign([CLAIM])

    def read(self, *offsets: int, subscription: str = "s-0", claim: Claim = CLAIM) -> None:
        """Good records."""
        envelopes = self.flow.begin([envelope(claim, offset) for offset in offsets])
        self.flow.admit([row(each, subscription) for each in envelopes], [], self.now)

    def read_bad(
        self,
        *offsets: int,
        disposition: Disposition = Disposition.DECODE,
        code: str = "no-framing",
        claim: Claim = CLAIM,
    ) -> None:
        """Records that the rooms refuse."""
        envelopes = self.flow.begin([envelope(claim, offset) for offset in offsets])
        self.flow.admit([], [rejection(each, disposition, code) for each in envelopes], self.now)

    def turn(self, answer: Answers, seconds: float = 1.0) -> int:
        """Move on, start what is due, and answer it: with an `Answer`, or a function of the offsets posted."""
        self.now += seconds
        jobs = self.flow.due(self.now)
        for job in jobs:
            if isinstance(job, Letter):
                self._write(job)
            else:
                self.answer(job, answer)
        return len(jobs)

    def _write(self, letter: Letter) -> None:
        if not self.letters_fail:
            offset = letter.rejection.envelope.offset
            assert offset not in self.letters, "no record is dead-lettered twice"
            self.letters[offset] = letter.rejection.refusal.disposition
        self.flow.settle(Lettered(letter, "down" if self.letters_fail else None), self.now)

    def answer(self, job: Post, answer: Answers) -> None:
        """End one post."""
        offsets = [each.envelope.offset for each in job.batch.rows]
        self.posts.append(offsets)
        found = answer if isinstance(answer, Answer) else answer(offsets)
        if found.verdict is Verdict.ACCEPTED:
            self.stored.update(offsets)
        self.flow.settle(Posted(job, found), self.now)

    def drain(self, answer: Answers, turns: int = 400) -> None:
        """Turn until nothing is open."""
        for _ in range(turns):
            if self.flow.idle:
                return
            self.turn(answer)
        pytest.fail(f"still open: {self.flow.open_records}")

    def noticed(self, event: str) -> list[dict[str, object]]:
        """The fields of the notices of an event, so far."""
        return [dict(notice.fields) for notice in self.flow.account.notices if notice.event == event]


def answering(answer: Answer, *bad: int) -> Callable[[list[int]], Answer]:
    """An answer for every post that holds one of these offsets; all others are accepted."""
    found = set(bad)
    return lambda offsets: answer if found.intersection(offsets) else ACCEPT


def refusing(*bad: int) -> Callable[[list[int]], Answer]:
    """A 400 for every post that holds one of these offsets."""
    return answering(REFUSE, *bad)


def failing(*bad: int) -> Callable[[list[int]], Answer]:
    """A 503 for every post that holds one of these offsets."""
    return answering(FAIL, *bad)


def isolate(mart: Mart, first: int, *, sick: str = "sick", well: str = "well", claim: Claim = CLAIM) -> int:
    """Two records of `sick`, from offset `first`, fail until it has a lane of its own; the next free offset."""
    mart.read(first, first + 1, subscription=sick, claim=claim)
    offset = first + 2
    while not mart.noticed("subscription.isolated"):
        assert offset < first + 50, "others pass, and it is not isolated"
        mart.read(offset, subscription=well, claim=claim)
        mart.turn(failing(first, first + 1), seconds=2)
        offset += 1
    return offset
