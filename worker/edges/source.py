"""Kafka in: raw records in chunks, claims on partitions, commits. One thread owns all of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from worker.edges.cluster import client
from worker.model import Claim, Envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from worker.config import Kafka

CHUNK = 500
"""Records that one read asks for at most."""

PATIENCE = 2.0
"""Seconds without reading after which partitions are paused, so that polling can go on: less than any poll interval."""

_DEFAULTS: dict[str, Any] = {
    "auto.offset.reset": "earliest",
    "fetch.queue.backoff.ms": 20,
    "queued.max.messages.kbytes": 16_384,
    "enable.partition.eof": False,
}
_FIXED: dict[str, Any] = {"enable.auto.commit": False, "enable.auto.offset.store": False}


class Holder(Protocol):
    """Who is told of claims; called on the thread that reads, while it reads."""

    def assigned(self, claims: Collection[Claim]) -> None:
        """Take charge of these."""

    def revoked(self, claims: Collection[Claim]) -> Mapping[Claim, int]:
        """Settle what can be settled, forget the rest, and return what to commit."""

    def lost(self, claims: Collection[Claim]) -> None:
        """Forget these: another worker may own them already."""


class SourceError(Exception):
    """Kafka cannot be read any more; nothing was committed for it."""


class KafkaSource:
    """A consumer of raw records that never commits by itself."""

    def __init__(self, kafka: Kafka, holder: Holder, clock: Callable[[], float]) -> None:
        self._kafka = kafka
        self._holder = holder
        self._clock = clock
        self._claims: dict[tuple[str, int], Claim] = {}
        self._epoch = 0
        self._next: dict[Claim, int] = {}
        self._failure: BaseException | None = None
        self._unread_since: float | None = None
        self._paused = False
        self._resume = False
        self._failed_commits: list[Claim] = []
        self.committing = 0
        """Commits that the broker has not answered."""
        self.rebalances = 0
        self.errors: Counter[str] = Counter()
        """Errors that librdkafka reported and goes on from, by name."""
        self._consumer = client(Consumer, self._settings())
        self._subscribed = False

    def _settings(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self._kafka.bootstrap_servers,
            "group.id": self._kafka.group_id,
            **_DEFAULTS,
            **self._kafka.consumer,
            **_FIXED,
            "on_commit": self._on_commit,
            "error_cb": self._on_error,
        }

    @property
    def claims(self) -> Collection[Claim]:
        """The partitions that are owned now."""
        return self._claims.values()

    def cluster_id(self) -> str:
        """The cluster's id; raises `SourceError` if no broker answers within ten seconds."""
        try:
            return str(self._consumer.list_topics(timeout=10).cluster_id)
        except KafkaException as error:
            raise SourceError(f"{self._kafka.bootstrap_servers}: {error.args[0].str()}") from None

    # --- reading ------------------------------------------------------------------------------------------------

    def read(self, room: int, timeout: float) -> list[Envelope]:
        """At most `room` records, waiting up to `timeout` seconds for the first.

        Without room nothing is read, which keeps librdkafka's prefetched records; only after `PATIENCE` seconds are the
        partitions paused, so that polling keeps the membership.

        Raises:
            SourceError: reading has failed for good, or a callback has: records may have been skipped, so the worker
                must end without committing more.
        """
        if room <= 0 and not self._must_poll():
            return []
        if room > 0:
            self._unread_since = None
            self._set_paused(paused=False)
        messages = self._consume(min(room, CHUNK), timeout)
        return self._envelopes(messages)

    def stop_reading(self) -> None:
        """Nothing more is wanted: pause at once, so that every `read` without room polls."""
        self._unread_since = float("-inf")

    def _must_poll(self) -> bool:
        now = self._clock()
        if self._unread_since is None:
            self._unread_since = now
        if now - self._unread_since < PATIENCE:
            return False
        self._set_paused(paused=True)
        return True

    def _consume(self, room: int, timeout: float) -> list[Message]:
        """`consume(n, t)` waits all of t unless n are there, and signals with it; so the first is waited for alone."""
        if not self._subscribed:
            self._consumer.subscribe(
                self._kafka.topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            self._subscribed = True
        try:
            messages = self._consumer.consume(1, timeout)
            if messages and room > 1:
                messages += self._consumer.consume(room - 1, 0)
        except Exception as error:
            raise SourceError(f"reading failed ({type(error).__name__}: {error}); nothing more is committed") from error
        if self._failure is not None:
            raise SourceError(f"a rebalance failed ({self._failure!r}); nothing more is committed") from self._failure
        self._after_poll()
        return messages

    def _after_poll(self) -> None:
        if self._resume:
            self._resume = False
            self._apply_pause()

    def _set_paused(self, *, paused: bool) -> None:
        if paused != self._paused:
            self._paused = paused
            self._apply_pause()

    def _apply_pause(self) -> None:
        """Tell librdkafka: partitions stay paused across a revocation and a new assignment unless they are resumed."""
        partitions = [TopicPartition(topic, partition) for topic, partition in self._claims]
        if not partitions:
            return
        if self._paused:
            self._consumer.pause(partitions)
        else:
            self._consumer.resume(partitions)

    def _envelopes(self, messages: list[Message]) -> list[Envelope]:
        envelopes: list[Envelope] = []
        for message in messages:
            error = message.error()
            if error is not None:
                self._on_error(error)
                continue
            claim = self._claims.get((message.topic(), message.partition()))  # type: ignore[arg-type]  # no error: both
            if claim is not None:
                envelopes.append(self._envelope(claim, message))
        return envelopes

    def _envelope(self, claim: Claim, message: Any) -> Envelope:
        """An envelope of a message without error; `Any`, for the type says None of what only errors lack."""
        offset: int = message.offset()
        if offset < self._next.get(claim, 0):
            raise SourceError(
                f"{claim.topic}[{claim.partition}] went back from offset {self._next[claim]} to {offset}: the topic "
                "was made anew, or cut. Its records need other scoring ids: start the worker again, to ask for them"
            )
        self._next[claim] = offset + 1
        return Envelope(claim, offset, message.timestamp()[1], message.key(), message.value(), self._headers(message))

    def _headers(self, message: Any) -> Sequence[tuple[str, bytes | None]]:
        """None where a header's name is not UTF-8: the client library can tell none of them then."""
        try:
            return message.headers() or ()
        except (SystemError, UnicodeDecodeError):
            self.errors["headers_unreadable"] += 1
            return ()

    def _claim(self, topic: str, partition: int) -> Claim:
        self._epoch += 1
        claim = self._claims[topic, partition] = Claim(topic, partition, self._epoch)
        return claim

    # --- committing ---------------------------------------------------------------------------------------------

    def commit(self, marks: Mapping[Claim, int], *, wait: bool) -> bool:
        """Commit positions of claims that are owned; `wait`: until the broker has answered.

        The broker would accept a commit for a partition that is not owned, and move it backwards. False: it is known
        already that the commit failed (a rebalance is under way, no broker answers); it has to be offered again.
        """
        owned = {each: mark for each, mark in marks.items() if self._claims.get((each.topic, each.partition)) is each}
        if not owned:
            return True
        offsets = [TopicPartition(claim.topic, claim.partition, mark) for claim, mark in owned.items()]
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
                self.committing += 1
        except KafkaException as error:
            self._on_error(error.args[0])
            self._failed_commits.extend(owned)
            return False
        return True

    def failed_commits(self) -> list[Claim]:
        """Claims whose last commit failed, since this was last asked; it has to be offered again."""
        failed, self._failed_commits = self._failed_commits, []
        return failed

    @property
    def commits_failed(self) -> bool:
        """Whether there are commits to be offered again."""
        return bool(self._failed_commits)

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self.committing = max(0, self.committing - 1)
        failed = [each for each in partitions or () if error is not None or each.error is not None]
        self._failed_commits += self._held(failed)

    # --- rebalance, on the reading thread -------------------------------------------------------------------------

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        with _Kept(self):
            self.rebalances += 1
            self._resume = True
            self._holder.assigned([self._claim(each.topic, each.partition) for each in partitions])

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        with _Kept(self):
            claims = self._held(partitions)
            self.commit(self._holder.revoked(claims), wait=True)
            self._forget(claims)

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        with _Kept(self):
            claims = self._held(partitions)
            self._holder.lost(claims)
            self._forget(claims)

    def _held(self, partitions: list[TopicPartition]) -> list[Claim]:
        """The claims on those of these partitions that are owned."""
        found = (self._claims.get((each.topic, each.partition)) for each in partitions)
        return [claim for claim in found if claim is not None]

    def _forget(self, claims: Collection[Claim]) -> None:
        for claim in claims:
            self._claims.pop((claim.topic, claim.partition), None)
            self._next.pop(claim, None)

    def _on_error(self, error: KafkaError) -> None:
        self.errors[error.name()] += 1
        if error.fatal():
            self._failure = KafkaException(error)

    def fail(self, error: BaseException) -> None:
        """Remember what went wrong in a callback: out of `consume()` it would lose the whole chunk silently."""
        self._failure = error

    def lag(self) -> dict[Claim, int]:
        """Records behind the high watermark that the last fetch saw, for each claim that has been read from."""
        lags: dict[Claim, int] = {}
        for claim, position in self._next.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(claim.topic, claim.partition), cached=True)
            if high >= 0:
                lags[claim] = max(0, high - position)
        return lags

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


class _Kept:
    """Keeps an exception inside a callback, for `read` to raise."""

    def __init__(self, source: KafkaSource) -> None:
        self._source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if isinstance(error, Exception):
            self._source.fail(error)
            return True
        return False
