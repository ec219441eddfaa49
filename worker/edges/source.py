"""Kafka in: raw records in chunks, claims on partitions, commits. One thread owns all of it.

What is beside it: `claims` what is owned, `envelopes` what is read, `pausing` what is not for a while, `commits` and
the `notes` with them, `failures`; and where to go on once Kafka has deleted what was to be read: `resets`,
`positions`, `assigning`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, TopicPartition

from worker.edges.assigning import assign_anew, is_incremental
from worker.edges.claims import Claims, Holder, SourceError
from worker.edges.cluster import client, describe
from worker.edges.commits import Commits
from worker.edges.envelopes import Envelopes
from worker.edges.failures import Failures
from worker.edges.notes import NO_NOTES, Notes, recall
from worker.edges.pausing import Pausing
from worker.edges.positions import SETTING, policy
from worker.edges.resets import Resets
from worker.edges.watermarks import Watermarks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from confluent_kafka import Message

    from worker.config import Kafka
    from worker.model import Claim, Envelope

__all__ = ["CHUNK", "PATIENCE", "Holder", "KafkaSource", "SourceError"]

CHUNK = 500
"""Records that one read asks for at most."""

PATIENCE = 2.0
"""Seconds without reading after which partitions are paused, so that polling can go on: less than any poll interval."""

CLOSING = 5.0
"""Seconds to leave the group: librdkafka waits a minute for a silent broker, and may for ever after a failure."""

_DEFAULTS: dict[str, Any] = {
    "fetch.queue.backoff.ms": 20,
    "queued.max.messages.kbytes": 4_096,
    "fetch.max.bytes": 2 * 1024 * 1024,  # one answer of a broker, which is kept until all of it has been read
    "enable.partition.eof": False,
}
_FIXED: dict[str, Any] = {"enable.auto.commit": False, "enable.auto.offset.store": False, SETTING: "error"}


class KafkaSource:
    """A consumer of raw records that never commits by itself."""

    def __init__(
        self,
        kafka: Kafka,
        holder: Holder,
        clock: Callable[[], float],
        topic_ids: Mapping[str, str],
        notes: Notes = NO_NOTES,
    ) -> None:
        self._kafka = kafka
        self._topic_ids = topic_ids
        self._holder = holder
        self._clock = clock
        self._unread_since: float | None = None
        self._assigned = False
        self.rebalances = 0
        self._failures = Failures()
        self._claims = Claims()
        self._notes = notes
        self._commits = Commits(self._claims, self._failures, notes.text)
        self._resets = Resets(self._claims, self._failures, policy(kafka.consumer), clock, self._is_same)
        self._envelopes = Envelopes(self._claims, self._failures, self._resets)
        self._incremental = is_incremental(kafka.consumer)
        self._consumer = client(Consumer, self._settings())
        self._pausing = Pausing(self._consumer, self._claims)
        self._watermarks = Watermarks(self._consumer, clock)
        self._subscribed = False

    def _is_same(self, topic: str) -> bool:
        """Whether a topic still has the id that it had at the start; raises `ClusterError` if that is not to be had."""
        return describe(self._kafka, [topic]).topic_ids.get(topic) == self._topic_ids.get(topic)

    def _settings(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self._kafka.bootstrap_servers,
            "group.id": self._kafka.group_id,
            **_DEFAULTS,
            **self._kafka.consumer,
            **_FIXED,
            "on_commit": self._failures.safe(self._commits.answered),
            "error_cb": self._failures.safe(self._failures.note),
        }

    @property
    def claims(self) -> Collection[Claim]:
        """The partitions that are owned now."""
        return self._claims.owned.values()

    @property
    def held(self) -> Mapping[Claim, str]:
        """Claims that are not read until somebody has looked (`auto.offset.reset=error`), and why, in a word."""
        return self._resets.held

    @property
    def offsets_lost(self) -> Mapping[tuple[str, str], int]:
        """Offsets that Kafka deleted before they were read, by topic and partition."""
        return self._resets.lost

    @property
    def errors(self) -> Mapping[str, int]:
        """Errors that librdkafka reported and goes on from, by name."""
        return self._failures.counts

    @property
    def committing(self) -> int:
        """Commits that the broker has not answered."""
        return self._commits.waiting

    def lag(self) -> dict[Claim, int]:
        """Records behind the high watermark that the last fetch saw, for each claim that has been read from."""
        lags: dict[Claim, int] = {}
        for claim, position in self._claims.next.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(claim.topic, claim.partition), cached=True)
            if high >= 0:
                lags[claim] = max(0, high - position)
        return lags

    def lag_now(self, claims: Collection[Claim]) -> dict[Claim, int]:
        """As `lag`, by the high watermarks of now; a claim whose leader does not answer at once is left out."""
        known = [claim for claim in claims if claim in self._claims.next]
        ends = self._watermarks.of(known)
        return {claim: max(0, end - self._claims.next[claim]) for claim, end in ends.items()}

    # --- reading ------------------------------------------------------------------------------------------------

    def read(self, room: int, timeout: float) -> list[Envelope]:
        """At most `room` records, waiting up to `timeout` seconds for the first.

        Without room nothing is read, which keeps librdkafka's prefetched records; only after `PATIENCE` seconds are the
        partitions paused, so that polling keeps the membership.

        Raises:
            SourceError: reading has failed for good, or a callback has: records may have been skipped, so from then on
                nothing is read or committed.
        """
        with self._failures.told():
            self._failures.check()
            if not self._wants_poll(room):
                return []
            envelopes = self._envelopes.of(self._consume(min(room, CHUNK), timeout))
            self._failures.check()
            return envelopes + self._go_on() if self._resets.due else envelopes

    def stop_reading(self) -> None:
        """Nothing more is wanted: pause at once, so that every `read` without room polls."""
        self._unread_since = float("-inf")

    def hold(self, claims: Collection[Claim]) -> None:
        """Do not read these claims, though there is room, until called without them; it costs what is prefetched."""
        self._pausing.hold(claims)

    def _wants_poll(self, room: int) -> bool:
        if room > 0:
            self._unread_since = None
            self._pausing.all(paused=False)
            return True
        now = self._clock()
        if self._unread_since is None:
            self._unread_since = now
        if now - self._unread_since < PATIENCE:
            return False
        self._pausing.all(paused=True)
        return True

    def _consume(self, room: int, timeout: float) -> list[Message]:
        """`consume(n, t)` waits all of t unless n are there, and signals with it; so the first is waited for alone."""
        if not self._subscribed:
            self._consumer.subscribe(
                self._kafka.topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            self._subscribed = True
        messages = self._consumer.consume(1, timeout)
        if messages and room > 1:
            claim = self._envelopes.claim_of(messages[0])
            more = self._consumer.consume(room - 1, 0)
            # a rebalance in between: the first is not of the claim that its partition has now
            messages = messages + more if self._envelopes.claim_of(messages[0]) is claim else more
        if self._assigned:
            self._assigned = False
            self._pausing.tell()
        return messages

    # --- going on where Kafka has deleted what was to be read -----------------------------------------------------

    def _go_on(self) -> list[Envelope]:
        """Let partitions go on that librdkafka has stopped reading; what it still gave out meanwhile."""
        found = self._resets.find(self._consumer)
        if not found:
            return []
        # An assignment made while librdkafka waits for one of its own to be taken up would be taken for the answer:
        # so all that is queued is served first, and what is fetched is dropped to get at it, to be fetched again.
        self._pausing.stop_short()
        before = {claim: self._claims.next.get(claim) for claim in found}
        envelopes = self._envelopes.of(self._consumer.consume(CHUNK, 0))
        self._failures.check()
        unmoved = [claim for claim, offset in before.items() if self._claims.next.get(claim) == offset]
        found = {claim: found[claim] for claim in unmoved if self._claims.owns(claim)}
        targets = {claim: step.target for claim, (_, step) in found.items() if step.target is not None}
        assign_anew(self._consumer, self._claims, targets, incremental=self._incremental)
        self._resets.done(found)
        marks = {claim: target for claim, target in targets.items() if found[claim][1].mark}
        self.commit(marks, wait=False)
        self._assigned = False
        self._pausing.tell()
        return envelopes

    # --- committing ---------------------------------------------------------------------------------------------

    def commit(self, marks: Mapping[Claim, int], *, wait: bool) -> bool:
        """Commit positions of claims that are owned; `wait`: until the broker has answered.

        False: it is known already that the commit failed (a rebalance is under way, no broker answers, reading has
        failed); it has to be offered again.
        """
        return self._commits.send(self._consumer, marks, wait=wait)

    def failed_commits(self) -> list[Claim]:
        """Claims whose last commit failed, since this was last asked; it has to be offered again."""
        return self._commits.failed()

    @property
    def commits_failed(self) -> bool:
        """Whether there are commits to be offered again."""
        return self._commits.any_failed

    # --- rebalance, on the reading thread -------------------------------------------------------------------------

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        with self._failures.kept():
            self.rebalances += 1
            self._assigned = True
            taken = self._claims.take(partitions)
            self._holder.assigned(taken)
            recall(self._consumer, taken, self._notes)

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        with self._failures.kept():
            claims = self._claims.on(partitions)
            if not self._failures.any:  # else nothing is settled and committed any more
                self.commit(self._holder.revoked(claims), wait=True)
            self._forget(claims)

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        with self._failures.kept():
            claims = self._claims.on(partitions)
            self._holder.lost(claims)
            self._forget(claims)

    def _forget(self, claims: Collection[Claim]) -> None:
        self._resets.forget(claims)
        self._claims.forget(claims)

    def close(self, *, at_once: bool = False) -> None:
        """Leave the group in at most `CLOSING` seconds, at once in one; else the session's end tells the group."""
        closing = threading.Thread(target=self._consumer.close, daemon=True)
        closing.start()
        closing.join(1 if at_once else CLOSING)
