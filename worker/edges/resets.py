"""Partitions that librdkafka has stopped reading because their next offset is not in the log.

For each, Kafka is asked what it has; the policy says where to go on; what was passed over is counted and told.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from worker.edges.claims import SourceError
from worker.edges.cluster import ClusterError
from worker.edges.positions import Place, Policy, Reason, Step, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from confluent_kafka import Consumer

    from worker.edges.claims import Claims
    from worker.edges.failures import Failures
    from worker.model import Claim

REPORTED: Final = frozenset(
    {
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - librdkafka's own codes begin so
        KafkaError._LOG_TRUNCATION,  # noqa: SLF001
        KafkaError.OFFSET_OUT_OF_RANGE,
    }
)
"""What librdkafka says of a partition as it stops reading it."""

ANSWER = 2.0
"""Seconds that Kafka has for one answer, and for all of one turn: the loop stands still meanwhile."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 15.0
"""Seconds before Kafka is asked again; twice as long each time."""

log = structlog.get_logger()


class Resets:
    """Notes such partitions, finds where they are to go on, and keeps those that are not to."""

    def __init__(
        self,
        claims: Claims,
        failures: Failures,
        policy: Policy,
        clock: Callable[[], float],
        same_topic: Callable[[str], bool],
    ) -> None:
        self._claims = claims
        self._policy = policy
        self._clock = clock
        self._same_topic = same_topic
        self._failures = failures
        self._pending: set[Claim] = set()
        self._again = float("-inf")
        self._wait = FIRST_WAIT
        self.held: dict[Claim, Reason] = {}
        """Not read any more under this claim, and why."""
        self.lost: Counter[tuple[str, str]] = Counter()
        """Offsets deleted before they were read, or passed over for that, by topic and partition."""

    def note(self, topic: str, partition: int) -> None:
        """Librdkafka has stopped reading this."""
        claim = self._claims.owned.get((topic, partition))
        if claim is not None and claim not in self.held:
            self._pending.add(claim)

    def forget(self, claims: Collection[Claim]) -> None:
        """These are owned no more."""
        self._pending.difference_update(claims)
        for claim in claims:
            self.held.pop(claim, None)

    @property
    def due(self) -> bool:
        """Whether there is something to `find`."""
        return bool(self._pending) and self._clock() >= self._again

    def postpone(self) -> None:
        """Not now: later once more."""
        self._again = self._clock() + self._wait
        self._wait = min(2 * self._wait, LONGEST_WAIT)

    def find(self, consumer: Consumer) -> dict[Claim, tuple[Place, Step]]:
        """Where each is to go on, of those for which Kafka answers in time; the others stay for later.

        Raises:
            SourceError: a log ends before what was read of it, or its topic has another id: it was made anew, or cut.
        """
        places: dict[Claim, Place] = {}
        try:
            self._ask(consumer, places)
        except KafkaException as error:
            self._failures.note(error.args[0])
            self.postpone()
        for claim, place in places.items():
            if place.read and place.position is not None and place.position > place.high:
                raise SourceError(gone_back(claim, place.position, place.high))
        steps = {claim: (place, decide(self._policy, place)) for claim, place in places.items()}
        try:
            self._refuse_made_anew(steps)
        except ClusterError:
            self.postpone()
            return {}
        return steps

    def _refuse_made_anew(self, steps: Mapping[Claim, tuple[Place, Step]]) -> None:
        """A topic that was made anew has no committed offset, or ends before it, and needs other scoring ids."""
        looked = (Reason.NO_OFFSET, Reason.BEYOND_END)
        topics = {claim.topic for claim, (_, step) in steps.items() if step.reason in looked}
        for topic in sorted(topics):
            if not self._same_topic(topic):
                raise SourceError(
                    f"{topic} is not the topic that there was at the start: it was made anew. Its records need other "
                    "scoring ids: start the worker again, to ask for them"
                )

    def _ask(self, consumer: Consumer, places: dict[Claim, Place]) -> None:
        """Fill `places`, as far as one turn's time goes."""
        deadline = self._clock() + ANSWER
        committed = _committed(consumer, [claim for claim in self._pending if claim not in self._claims.next])
        for claim in sorted(self._pending, key=lambda each: each.epoch):
            partition = TopicPartition(claim.topic, claim.partition)
            found = consumer.get_watermark_offsets(partition, timeout=ANSWER)
            if found is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
            read = self._claims.next.get(claim)
            places[claim] = Place(committed.get(claim) if read is None else read, *found, read=read is not None)
            if self._clock() > deadline:
                break

    def done(self, found: Mapping[Claim, tuple[Place, Step]]) -> None:
        """These have gone on, or are held: count and tell what it cost."""
        if all(step.reason for _, step in found.values()):
            self._wait = FIRST_WAIT
        else:
            self.postpone()  # librdkafka sees what Kafka does not: asked at once, both would say the same again
        for claim, (place, step) in found.items():
            self._pending.discard(claim)
            if step.target is not None:
                self._claims.next[claim] = step.target
            if step.reason is not None:
                self._tell(claim, place, step, step.reason)

    def _tell(self, claim: Claim, place: Place, step: Step, reason: Reason) -> None:
        of = {"topic": claim.topic, "partition": claim.partition}
        if step.missed:
            self.lost[claim.topic, str(claim.partition)] += step.missed
        if reason is Reason.LOST and place.position is not None:
            until = place.position + step.missed
            log.warning("offsets.lost", **of, **{"from": place.position, "to": until}, count=step.missed)
        if reason is Reason.BEYOND_END:
            log.warning("offsets.beyond_end", **of, committed=place.position, end=place.high, on=step.target)
        if step.target is None:
            self.held[claim] = reason
            log.warning("partition.not_read", **of, reason=str(reason))


def gone_back(claim: Claim, position: int, found: int) -> str:
    """What to say where a partition has gone back from what was read to what there is."""
    return (
        f"{claim.topic}[{claim.partition}] went back from offset {position} to {found}: the topic "
        "was made anew, or cut. Its records need other scoring ids: start the worker again, to ask for them"
    )


def _committed(consumer: Consumer, claims: Collection[Claim]) -> dict[Claim, int]:
    """What the group has committed, of claims that it has committed anything for; raises `KafkaException`."""
    if not claims:
        return {}
    asked = {(claim.topic, claim.partition): claim for claim in claims}
    answers = consumer.committed([TopicPartition(*each) for each in asked], timeout=ANSWER)
    for each in answers:
        if each.error is not None:
            raise KafkaException(each.error)
    found = {asked[each.topic, each.partition]: each.offset for each in answers}
    return {claim: offset for claim, offset in found.items() if offset >= 0}
