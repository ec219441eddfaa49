"""Everything in flight between reading and committing: the one owner of ledgers, lanes and letters."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.flow.account import Account
from worker.flow.jobs import Letter, Lettered, Post, Posted
from worker.flow.letters import Letters
from worker.flow.offsets import Ledgers
from worker.flow.posting import Posting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from worker.flow.policy import FlowPolicy
    from worker.model import Claim, Envelope, Rejection, Row


@dataclass(frozen=True, slots=True)
class _Parked:
    rejection: Rejection
    since: float


class Flow:
    """The one owner of everything that is open. Not thread-safe: one thread calls it, with its own clock.

    The life of an offset: `begin` opens it; `admit` gives it a row or a rejection, or `park` lets it wait for the
    directory; `due` hands out jobs, `settle` takes their outcomes and closes it; `committable` says how far each
    partition is settled without a gap.
    """

    def __init__(self, policy: FlowPolicy) -> None:
        self._policy = policy
        self._parked: deque[_Parked] = deque()
        self._stopping = False
        self.account = Account()
        self._ledgers = Ledgers()
        self._letters = Letters(policy.wait, self._ledgers, self.account)
        self._posting = Posting(policy, self._ledgers, self._letters, self.account)

    # --- what is open -------------------------------------------------------------------------------------------

    @property
    def open_records(self) -> int:
        """Records read and not settled."""
        return self._ledgers.records

    @property
    def open_bytes(self) -> int:
        """Bytes of the records read and not settled."""
        return self._ledgers.bytes

    @property
    def room(self) -> int:
        """How many more records may be read now; 0: none, wait for outcomes."""
        policy = self._policy
        if len(self._parked) >= policy.parked or self.open_bytes >= policy.size:
            return 0
        return max(0, policy.records - self.open_records)

    @property
    def idle(self) -> bool:
        """Whether every record that was read is settled."""
        return self.open_records == 0

    @property
    def posts_in_flight(self) -> int:
        """Posts whose outcome is awaited."""
        return self._posting.in_flight

    @property
    def in_flight(self) -> int:
        """Posts and letters whose outcome is awaited."""
        return self._posting.in_flight + self._letters.in_flight

    @property
    def letter_error(self) -> str | None:
        """Why the dead-letter topic last refused a letter; None once it takes them."""
        return self._letters.error

    @property
    def stuck(self) -> bool:
        """Whether what is in flight will hardly end well: a halt, or an outage in every lane."""
        return self._posting.stuck

    def blocked(self, now: float) -> str | None:
        """Why nothing is delivered at the moment, in a word: the halt, the outage, the hold; None where it flows."""
        return self._posting.blocked(now, full=self.room == 0)

    # --- partitions ---------------------------------------------------------------------------------------------

    def assign(self, claims: Iterable[Claim]) -> None:
        """Take charge of new claims."""
        self._ledgers.assign(claims)

    def release(self, claims: Collection[Claim]) -> None:
        """Forget claims and all that is open for them; outcomes that come later for them change nothing."""
        self._ledgers.release(claims)
        self._posting.drop(claims)
        self._letters.drop(claims)
        self._parked = deque(each for each in self._parked if each.rejection.envelope.claim not in claims)

    def committable(self, *, again: bool = False) -> dict[Claim, int]:
        """The position to commit for each claim that has settled more than was committed.

        `again`: for each that has settled anything, as a last commit must not trust earlier ones still under way.
        """
        return self._ledgers.committable(again=again)

    def committed(self, marks: Mapping[Claim, int | None]) -> None:
        """Remember what was committed; a mark of None: the commit failed, offer it again."""
        self._ledgers.committed(marks)

    # --- records in ---------------------------------------------------------------------------------------------

    def begin(self, envelopes: Iterable[Envelope]) -> list[Envelope]:
        """Open the offsets of records just read, in the order they were read.

        Returns those that count: a record whose claim has gone since it was read is the next owner's.
        """
        begun = self._ledgers.begin(envelopes)
        self.account.tally.consumed += len(begun)
        return begun

    def admit(self, rows: Iterable[Row], rejections: Iterable[Rejection], now: float) -> None:
        """Take what the rooms made of records that were begun."""
        for row in rows:
            self._posting.add(row, now)
        for rejection in rejections:
            self._letters.add(rejection)

    def park(self, rejections: Iterable[Rejection], now: float) -> None:
        """Let records wait whose target the directory does not know yet."""
        self._parked.extend(_Parked(rejection, now) for rejection in rejections)

    @property
    def wants_directory(self) -> bool:
        """Whether records wait for the directory to be fetched anew."""
        return bool(self._parked)

    def unpark(self, begun: float) -> list[Rejection]:
        """Remove and return what has waited since before `begun`, when the fetch that has now ended began."""
        ready = [parked.rejection for parked in self._parked if parked.since <= begun]
        self._parked = deque(parked for parked in self._parked if parked.since > begun)
        return ready

    def stop(self) -> None:
        """Nothing more will be read: lanes close at once."""
        self._stopping = True

    # --- jobs out, outcomes in ------------------------------------------------------------------------------------

    def due(self, now: float) -> list[Post | Letter]:
        """The jobs to start now; each must come back through `settle`."""
        pressed = self._stopping or (self.posts_in_flight == 0 and self.room == 0)
        return [*self._letters.due(now), *self._posting.due(now, pressed=pressed)]

    def settle(self, outcome: Posted | Lettered, now: float) -> None:
        """Take the outcome of a job that `due` handed out."""
        if isinstance(outcome, Posted):
            self._posting.settle(outcome.post, outcome.answer, now)
        else:
            self._letters.settle(outcome.letter, outcome.error, now)
