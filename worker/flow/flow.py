"""Everything in flight between reading and committing: the one owner of ledgers, lanes and letters."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from worker.flow.account import Account
from worker.flow.crowd import Crowd, share_of
from worker.flow.flood import FloodGuard, Stop
from worker.flow.heads import Heads
from worker.flow.invariant import passed_over
from worker.flow.jobs import Letter, Lettered, Post, Posted
from worker.flow.joining import Joining
from worker.flow.letters import Letters
from worker.flow.offsets import Ledgers
from worker.flow.posting import Posting
from worker.flow.recall import Recall
from worker.flow.unread import Unread
from worker.flow.waiting import Waiting
from worker.model import Pair, apart

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping

    from worker.flow.policy import FlowPolicy
    from worker.model import Claim, Envelope, Half, Rejection, Row


class Flow:
    """The one owner of everything that is open. Not thread-safe: one thread calls it, with its own clock.

    The life of an offset: `begin` opens it; `admit` gives it a row or a rejection, or `park` lets it wait for the
    directory, `shelve` for its schema, or `join` for its other half; `due` hands out jobs, `settle` takes their
    outcomes and closes it; `committable` says how far each partition is settled without a gap.
    """

    def __init__(self, policy: FlowPolicy) -> None:
        self._policy = policy
        self._waiting = Waiting()
        self._unread = Unread()
        self._stopping = False
        self.account = Account()
        self._guard = FloodGuard(policy.flood)
        self._ledgers = Ledgers()
        self._joining = Joining(policy.pairing)
        self.recall = Recall(self._ledgers, policy.paired)
        self._heads = Heads(self._ledgers)
        self._crowd = Crowd()
        self._letters = Letters(policy.wait, self._guard, self._ledgers, self.account)
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
        if self.stopped or self.open_bytes >= policy.size:
            return 0
        free, usable = max(0, policy.records - self.open_records), self._posting.room
        return free if usable is None else min(free, usable)

    @property
    def full(self) -> bool:
        """Whether nothing can be read: no room, or none for any of the partitions."""
        claims = self._ledgers.claims
        return self.room == 0 or (bool(claims) and all(claim in self._crowd.claims for claim in claims))

    @property
    def idle(self) -> bool:
        """Whether every record that was read is settled, but for halves of scorings that wait for the others."""
        return self.open_records == len(self._joining)

    @property
    def posts_in_flight(self) -> int:
        """Posts whose outcome is awaited."""
        return self._posting.in_flight

    @property
    def posts_limit(self) -> int:
        """Posts that may be in flight now, from 1 to what the policy allows."""
        return self._posting.limit

    @property
    def posts_wait(self) -> bool:
        """Whether posts could start but for the number that may be in flight."""
        return self._posting.waits

    @property
    def in_flight(self) -> int:
        """Posts, followed ones too, and letters whose outcome is awaited."""
        return self._posting.in_flight + self._posting.followed + self._letters.in_flight

    @property
    def letter_error(self) -> str | None:
        """Why the dead-letter topic last refused a letter; None once it takes them."""
        return self._letters.error

    @property
    def stuck(self) -> bool:
        """Whether what is in flight will hardly end well: a flood, a halt, or an outage in every lane."""
        return self.stopped is not None or self._posting.stuck

    def blocked(self, now: float) -> str | None:
        """Why nothing is delivered at the moment, in a word: flood, halt, outage or hold; None where it flows."""
        if self.stopped:
            return f"flood-guard: {self.stopped.code}"
        return self._posting.blocked(now, full=self.full)

    # --- the flood guard ----------------------------------------------------------------------------------------

    @property
    def stopped(self) -> Stop | None:
        """Why the flood guard has stopped all; None while it goes on."""
        return self._guard.stop

    def halt(self, stop: Stop) -> None:
        """Stop as the flood guard would: another worker's guard did, or this one's before a restart."""
        self._guard.stop = stop

    def resume(self) -> None:
        """End the flood guard's stop; what it kept back goes on, and is counted anew."""
        self._guard.resume()
        self._letters.resume()

    # --- partitions ---------------------------------------------------------------------------------------------

    def assign(self, claims: Iterable[Claim]) -> None:
        """Take charge of new claims."""
        self._ledgers.assign(claims)
        self.recall.forget()

    def release(self, claims: Collection[Claim]) -> None:
        """Forget claims and all that is open for them; outcomes that come later for them change nothing."""
        self._ledgers.release(claims)
        self._posting.drop(claims)
        self._letters.drop(claims)
        self._waiting.drop(claims)
        self._unread.drop(claims)
        self._joining.drop(claims)

    def committable(self, *, again: bool = False) -> dict[Claim, int]:
        """The position to commit for each claim that has settled more than was committed.

        A position that would pass a record that is held here is left out, and told: it would be a fault of this
        program, and a lost record. `again`: for each that has settled anything, as a last commit must not trust
        earlier ones still under way.
        """
        marks = self._ledgers.committable(again=again)
        for claim, offsets in passed_over(marks, self._held()).items():
            mark = marks.pop(claim)
            self.account.tally.commits_refused += 1
            place = {"topic": claim.topic, "partition": claim.partition}
            self.account.notice("commit.refused", **place, position=mark, unsettled=list(offsets))
        self.recall.write(marks)
        return marks

    def committed(self, marks: Mapping[Claim, int | None]) -> None:
        """Remember what was committed; a mark of None: the commit failed, offer it again."""
        self._ledgers.committed(marks)

    def _held(self) -> Iterator[Envelope]:
        rows = chain(self._posting.held(), self._waiting.held())
        yield from apart(rows) if self._ledgers.paired else rows
        yield from self._letters.held()
        yield from self._unread.held()
        yield from self._joining.held()

    # --- what keeps others waiting --------------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Look for partitions that one record holds up, and for those to pause; once a second is often enough."""
        new, gone = self._heads.look(now)
        for claim, head in new.items():
            place = {"topic": claim.topic, "partition": claim.partition}
            reason = self._why(claim, head.offset)
            self.account.notice("partition.held_up", **place, offset=head.offset, behind=head.behind, reason=reason)
        for claim in gone:
            self.account.notice("partition.moved_on", topic=claim.topic, partition=claim.partition)
        self._posting.look(now)
        self.make_room()

    def make_room(self) -> None:
        """Decide which partitions are not to be read for now; at once when `crowding`, else now and then."""
        stuck = self._posting.shut_in()
        stuck.update(each.claim for each in apart(self._waiting.held()))
        stuck.update(each.claim for each in self._letters.held())
        stuck.update(each.claim for each in self._unread.held())
        self._crowd.look(stuck, self._ledgers.claims, self._most)

    @property
    def crowding(self) -> bool:
        """Whether as many wait for the directory, a schema or the dead-letter topic as should."""
        parked = len(self._waiting) * (2 if self._ledgers.paired else 1)
        return parked + len(self._unread) + len(self._letters) >= self._most // 2

    @property
    def _most(self) -> int:
        """How many records may be open in all: whichever bound is nearer."""
        mean = max(1, self.open_bytes // max(1, self.open_records))
        return min(self._policy.records, self._policy.size // mean)

    @property
    def _few(self) -> int:
        """Records of each claim that wait for a newer directory, though the last one has just answered."""
        return max(1, share_of(self._most, len(self._ledgers.claims)) // 4)

    @property
    def crowded(self) -> Collection[Claim]:
        """The claims that are not to be read now: what they hold cannot be delivered, and takes others' room."""
        return self._crowd.claims

    @property
    def held_up(self) -> Mapping[Claim, int]:
        """Settled offsets that wait behind one record, for each claim where that has been told."""
        return self._heads.waiting()

    def _why(self, claim: Claim, offset: int) -> str:
        if any(each.offset == offset and each.claim is claim for each in self._waiting.held()):
            return "waits for the directory"
        if any(each.offset == offset and each.claim is claim for each in self._unread.held()):
            return "waits for its writer schema"
        half = self._joining.why(claim, offset)
        if half is not None:
            return half
        return self._posting.why(claim, offset) or self._letters.why(claim, offset) or "held by nothing: a fault"

    # --- records in ---------------------------------------------------------------------------------------------

    def begin(self, envelopes: Iterable[Envelope]) -> list[Envelope]:
        """Open the offsets of records just read, in the order they were read.

        Returns those that count: a record whose claim has gone since it was read is the next owner's.
        """
        begun = self._ledgers.begin(envelopes)
        self.account.tally.consumed += len(begun)
        return begun

    def admit(self, rows: Collection[Row], rejections: Iterable[Rejection], now: float) -> None:
        """Take what the rooms made of records that were begun."""
        self._guard.came(self._posting.add(rows, now))
        for rejection in rejections:
            self._posting.forget(rejection.envelope)
            self._letters.add(rejection)

    def pass_over(self, envelopes: Collection[Envelope]) -> None:
        """Settle records that were begun and that nobody wants posted now; to the flood guard they are good ones."""
        self._guard.came(len(envelopes))
        self._ledgers.finish(*envelopes)

    def park(self, rejections: Collection[Rejection], now: float) -> None:
        """Let records wait whose target the directory does not know yet, or no longer."""
        few = self._few if rejections else 0
        for each in rejections:
            if each.envelope.claim in self._ledgers and not self._waiting.add(each, now, few):
                self._letters.add(each)

    @property
    def wants_directory(self) -> bool:
        """Whether records wait for the directory to be fetched anew."""
        return len(self._waiting) > 0

    def unpark(self, begun: float) -> list[Rejection]:
        """Remove and return what the directory answers whose fetch began at `begun` and has now ended."""
        return self._waiting.take(begun, self._few)

    def still_unknown(self, rejections: Iterable[Rejection], begun: float) -> None:
        """Remember what the directory whose fetch began at `begun` does not know either."""
        self._waiting.unknown((each.wanted for each in rejections), begun)

    def shelve(self, unread: Iterable[tuple[Hashable, Envelope]]) -> None:
        """Let records wait whose writer schema has to be asked for, each behind its schema's name."""
        for schema, envelope in unread:
            if envelope.claim in self._ledgers:
                self._unread.add(schema, envelope)

    @property
    def wanted_schemas(self) -> Collection[Any]:
        """The names of the schemas that records wait for."""
        return self._unread.schemas

    @property
    def unread_records(self) -> int:
        """Records that wait for their schema."""
        return len(self._unread)

    def unshelve(self, schemas: Iterable[Hashable]) -> list[Envelope]:
        """Remove and return the records that waited for these schemas, to be walked again."""
        return self._unread.take(schemas)

    def join(self, halves: Iterable[tuple[Half, Envelope]], now: float) -> tuple[list[Pair], list[Rejection]]:
        """Let halves of scorings wait for the others: the scorings that are whole now, and the halves that are refused.

        Both have to be admitted. What waits takes a quarter of the room at most.
        """
        pairs: list[Pair] = []
        refused: list[Rejection] = []
        for half, envelope in halves:
            found = self._joining.add(half, envelope, now) if envelope.claim in self._ledgers else None
            if isinstance(found, Pair):
                pairs.append(found)
            elif found is not None:
                refused.append(found)
        self._ledgers.paired = self._ledgers.paired or bool(pairs)
        claims = max(1, len(self._ledgers.claims))
        share = max(1, share_of(self._policy.records, claims) // 2), self._policy.size // 4 // claims
        return pairs, refused + self._joining.crowd_out(*share)

    @property
    def halves(self) -> int:
        """Records that wait for the other half of their scoring."""
        return len(self._joining)

    def overdue_halves(self, now: float) -> Collection[Claim]:
        """The claims with a half that has waited long enough to be given up, if their partitions are at their ends."""
        return () if self.stopped else self._joining.overdue(now)

    def unpaired(self, lags: Mapping[Claim, int], now: float) -> list[Rejection]:
        """Remove and return the halves whose others have not come; once a second is often enough.

        `lags`: records between what was read and the end, of those `overdue_halves` whose end is known now.
        """
        if self.stopped:
            return []
        found = self._joining.look(lags, now)
        if not found and not self.room and self.idle:
            return self._joining.give_up_oldest()
        return found

    def stop(self) -> None:
        """Nothing more will be read: lanes close at once."""
        self._stopping = True

    # --- jobs out, outcomes in ------------------------------------------------------------------------------------

    def due(self, now: float) -> list[Post | Letter]:
        """The jobs to start now; each must come back through `settle`."""
        letters = self._letters.due(now)
        if self.stopped:
            return [*letters]
        pressed = self._stopping or (self.posts_in_flight == 0 and self.room == 0)
        return [*letters, *self._posting.due(now, pressed=pressed)]

    def settle(self, outcome: Posted | Lettered, now: float) -> None:
        """Take the outcome of a job that `due` handed out."""
        if isinstance(outcome, Posted):
            delivered = self.account.tally.delivered
            self.park(self._posting.settle(outcome.post, outcome.answer, now), now)
            self._guard.delivered(self.account.tally.delivered - delivered)
        else:
            self._letters.settle(outcome.letter, outcome.error, now)
