"""Kafka in, between given offsets: partitions are assigned, and no group is joined.

Positions are kept in a group of the replay's own, or nowhere.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, TopicPartition

from worker.edges.claims import Claims, Holder, SourceError
from worker.edges.commits import Commits
from worker.edges.envelopes import Envelopes
from worker.edges.failures import Failures
from worker.edges.notes import NO_NOTES, recall
from worker.edges.pausing import Pausing
from worker.edges.resets import REPORTED
from worker.edges.watermarks import Watermarks
from worker.replay.consumer import consumer, set_back
from worker.replay.ends import Ends
from worker.replay.stalls import Stalls

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from confluent_kafka import Message

    from worker.config import Kafka
    from worker.edges.notes import Notes
    from worker.model import Claim, Envelope
    from worker.replay.pace import Pace
    from worker.topics.spans import Span

CHUNK, PATIENCE, CLOSING = 500, 2.0, 5.0
"""As in `edges.source`."""

SILENCE = 60.0
"""Seconds without a record, though some are to come, after which the brokers are given up."""

AGAIN = 0.5
"""Seconds before reading goes on that librdkafka has stopped."""

_REFUSED: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - librdkafka's own codes begin so
        KafkaError._AUTHENTICATION,  # noqa: SLF001
    }
)


class SpanSource:
    """Reads spans to their ends, as `edges.source` reads what a group gives it.

    `group` is where positions are committed, None: nowhere. `restart`: what it has is forgotten first. `pace` bounds
    how many records a second are read.

    Raises:
        ClientError: librdkafka refuses a setting.
    """

    def __init__(
        self,
        kafka: Kafka,
        spans: Sequence[Span],
        holder: Holder,
        clock: Callable[[], float],
        *,
        group: str | None,
        restart: bool = False,
        pace: Pace | None = None,
        notes: Notes = NO_NOTES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._spans = spans
        self._holder = holder
        self._clock = clock
        self._commits_at_all = group is not None
        self._restart = restart
        self._pace = pace
        self._notes = notes
        self._sleep = sleep
        self._begun = False
        self._unread_since: float | None = None
        self._heard = clock()
        self._ends = Ends()
        self._wanted_held: Collection[Claim] = ()
        self._failures = Failures()
        self._claims = Claims()
        self._commits = Commits(self._claims, self._failures, notes.text)
        self._envelopes = Envelopes(self._claims, self._failures, _Noted())
        self._consumer = consumer(
            kafka,
            group,
            on_commit=self._failures.safe(self._commits.answered),
            on_error=self._failures.safe(self._failures.note),
        )
        self._pausing = Pausing(self._consumer, self._claims)
        self._watermarks = Watermarks(self._consumer, clock)
        self._stalls = Stalls(self._consumer, self._claims.next)
        self.rebalances = 0
        self.stopping = False
        """Whether `stop_reading` was called."""

    # --- what it shows --------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether every span was read to its end."""
        return self._begun and not self._ends.open

    @property
    def read_offsets(self) -> int:
        """Offsets that were read, or that hold no record."""
        return self._ends.read

    @property
    def claims(self) -> Collection[Claim]:
        """The partitions of the spans, once reading has begun."""
        return self._claims.owned.values()

    @property
    def held(self) -> Mapping[Claim, str]:
        """None: what cannot be read ends the reading."""
        return {}

    @property
    def offsets_lost(self) -> Mapping[tuple[str, str], int]:
        """None, for the same reason."""
        return {}

    @property
    def errors(self) -> Mapping[str, int]:
        """Errors that librdkafka reported and goes on from, by name."""
        return self._failures.counts

    @property
    def committing(self) -> int:
        """Commits that the broker has not answered."""
        return self._commits.waiting

    @property
    def commits_failed(self) -> bool:
        """Whether there are commits to be offered again."""
        return self._commits.any_failed

    def lag(self) -> dict[Claim, int]:
        """Offsets that are still to be read; of a span without an end, as far as is known."""
        return {claim: self._ends.left(claim, self._high(claim)) for claim in self._ends.open}

    def lag_now(self, claims: Collection[Claim]) -> dict[Claim, int]:
        """As `lag`, by the ends of logs as they are now; 0 of a span that is read to its end."""
        still = [claim for claim in claims if claim in self._ends.open]
        left = {claim: self._ends.left(claim, end) for claim, end in self._watermarks.of(still).items()}
        return {claim: left.get(claim, 0) for claim in claims if claim in left or claim not in still}

    def _high(self, claim: Claim) -> int:
        _, high = self._consumer.get_watermark_offsets(TopicPartition(claim.topic, claim.partition), cached=True)
        return int(high)

    # --- reading --------------------------------------------------------------------------------------------------

    def read(self, room: int, timeout: float) -> list[Envelope]:
        """At most `room` records, and no more than the pace allows, waiting up to `timeout` seconds for the first.

        Raises:
            SourceError: reading has failed for good; from then on nothing is read or committed.
        """
        with self._failures.told():
            self._failures.check()
            now = self._clock()
            if not self._wants_poll(room, now) or not (self._begun or room > 0):
                return []
            if room > 0 and self._pace is not None:
                room = min(room, self._pace.allowance(now))
                if room == 0:
                    self._heard = now
                    self._sleep(min(timeout, self._pace.wait))
                    return []
            envelopes = self._envelopes.of(self._consume(min(room, CHUNK), timeout))
            self._failures.check()
            self._note(envelopes, waits=room > 0)
            return envelopes

    def _wants_poll(self, room: int, now: float) -> bool:
        """Without room nothing is polled, which keeps what is prefetched; after `PATIENCE` for errors' sake alone."""
        if room > 0:
            self._unread_since = None
            self._pausing.all(paused=False)
            return True
        self._heard = now
        if self._unread_since is None:
            self._unread_since = now
        if now - self._unread_since < PATIENCE:
            return False
        self._pausing.all(paused=True)
        return True

    def _consume(self, room: int, timeout: float) -> list[Message]:
        """`consume(n, t)` waits all of t unless n are there; so the first is waited for alone."""
        if not self._begun:
            self._begin()
        if self._stalls:
            self._go_on()
        messages = self._consumer.consume(1, timeout)
        if messages and room > 1:
            messages += self._consumer.consume(room - 1, 0)
        return [each for each in messages if self._counts(each)]

    def _begin(self) -> None:
        self._begun = True
        places = [TopicPartition(each.topic, each.partition, each.begin) for each in self._spans]
        if self._restart and self._commits_at_all:
            set_back(self._consumer, places)
        claims = self._claims.take(places)
        begun = list(zip(claims, self._spans, strict=True))
        self._ends.begin(begun)
        self._claims.next.update({claim: span.begin for claim, span in begun})
        self._consumer.assign(places)
        self._holder.assigned(claims)
        if self._commits_at_all:
            recall(self._consumer, claims, self._notes)
        self._heard = self._clock()

    def _go_on(self) -> None:
        """Read on where librdkafka has stopped by mistake; raises `SourceError` where it was none."""
        self._stalls.clear()
        self._sleep(AGAIN)
        places = self._claims.next
        self._consumer.assign([TopicPartition(each.topic, each.partition, places[each]) for each in self._ends.open])
        self._pausing.stop_short()
        self._pausing.tell()

    def _counts(self, message: Any) -> bool:
        """Whether it is for `Envelopes`: a record of an open span, or an error; ends spans that are through."""
        claim = self._claims.owned.get((message.topic(), message.partition()))
        error: KafkaError | None = message.error()
        if error is not None:
            return self._is_other(error, claim, message)
        if claim is None or claim not in self._ends.open:
            return False
        offset, end = message.offset(), self._ends.open[claim]
        self._reached(claim, offset + 1)
        return bool(offset < end)

    def _is_other(self, error: KafkaError, claim: Claim | None, message: Any) -> bool:
        """Whether an error is none of those that mean something here."""
        if error.code() in _REFUSED:
            raise SourceError(f"{message.topic() or 'Kafka'}: {error.str()}")
        at_end = error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001
        if claim is not None and claim in self._ends.open:
            if at_end:
                self._reached(claim, message.offset())
            elif error.code() in REPORTED:
                self._stalls.note(claim, error.str())
        return not at_end and error.code() not in REPORTED

    def _reached(self, claim: Claim, offset: int) -> None:
        """All before `offset` was read: at the end of its span, a partition is not read any more."""
        if self._ends.reached(claim, offset):
            self.hold(self._wanted_held)

    def _note(self, envelopes: Sequence[Envelope], *, waits: bool) -> None:
        now = self._clock()
        if self._pace is not None:
            self._pace.took(len(envelopes))
        if envelopes or self.ended or not waits or self._all_held or self._ends.endless:
            self._heard = now
        elif now - self._heard > SILENCE:
            raise SourceError(f"no broker has answered for {SILENCE:.0f} s; the same command goes on from here")

    @property
    def _all_held(self) -> bool:
        return all(claim in self._wanted_held for claim in self._ends.open)

    def stop_reading(self) -> None:
        """Nothing more is wanted: pause at once, so that every `read` without room polls."""
        self.stopping = True
        self._unread_since = float("-inf")

    def hold(self, claims: Collection[Claim]) -> None:
        """Do not read these claims until called without them; nor those whose span has ended."""
        self._wanted_held = claims
        self._pausing.hold([*claims, *(claim for claim in self.claims if claim not in self._ends.open)])

    # --- committing -----------------------------------------------------------------------------------------------

    def commit(self, marks: Mapping[Claim, int], *, wait: bool) -> bool:
        """Commit positions to the replay's own group, if it has one; False: it is known already that it failed."""
        return not self._commits_at_all or self._commits.send(self._consumer, marks, wait=wait)

    def failed_commits(self) -> list[Claim]:
        """Claims whose last commit failed, since this was last asked; it has to be offered again."""
        return self._commits.failed()

    def close(self, *, at_once: bool = False) -> None:
        """Close the connections, in at most `CLOSING` seconds, at once in one."""
        closing = threading.Thread(target=self._consumer.close, daemon=True)
        closing.start()
        closing.join(1 if at_once else CLOSING)


class _Noted:
    """For `Envelopes`: what it would tell was taken out before."""

    def note(self, topic: str, partition: int) -> None:
        """Not called."""
