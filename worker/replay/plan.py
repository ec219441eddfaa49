"""What a replay is to do: what was asked for, the group that remembers how far it came, a leg for each partition."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from worker.topics.spans import Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.topics.spans import Bounds

Partition = tuple[str, int]
DIGITS = 10
"""Of the hash in the name of a replay's group."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A replay as it was asked for; two that are equal are the same one, and the second goes on where the first ended.

    `mart` is API, address and data mart; `letters`: what is refused is dead-lettered again.
    """

    topics: tuple[str, ...]
    bounds: Bounds
    mart: tuple[str, str, str]
    subscription: str | None = None
    binding: str | None = None
    letters: bool = False

    def group(self, live: str, topic_ids: Mapping[str, str]) -> str:
        """The consumer group that remembers how far it came; topics that were made anew are others."""
        ids = [topic_ids.get(topic, topic) for topic in self.topics]
        text = json.dumps([asdict(self), ids], sort_keys=True)
        return f"{live}.replay.{hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}"


@dataclass(frozen=True, slots=True)
class Leg:
    """A partition's part: all of it (`span`), and where it begins now, which is later where some is done already.

    `deleted` offsets were still to be read, and are no longer in Kafka.
    """

    span: Span
    start: int
    deleted: int = 0

    @property
    def done(self) -> int:
        """Offsets that an earlier run has settled."""
        return self.start - self.span.begin

    @property
    def left(self) -> Span:
        """What is to be read."""
        return Span(self.span.topic, self.span.partition, self.start, self.span.end)


@dataclass(frozen=True, slots=True)
class Plan:
    """The legs of a replay; `sampled` has records and their bytes of some partitions, to estimate the rest by."""

    group: str
    legs: Sequence[Leg]
    restart: bool = False
    sampled: Mapping[Partition, tuple[int, int]] = field(default_factory=dict)

    @property
    def offsets(self) -> int:
        """Offsets in all, done or not: at least as many as records."""
        return sum(leg.span.count for leg in self.legs)

    @property
    def done(self) -> int:
        """Offsets that are settled already."""
        return sum(leg.done for leg in self.legs)

    @property
    def left(self) -> Sequence[Span]:
        """What is to be read; empty spans left out."""
        return [leg.left for leg in self.legs if leg.left.count]

    @property
    def resumes(self) -> bool:
        """Whether an earlier run has done some of it."""
        return self.done > 0

    def bytes_of(self, leg: Leg) -> int | None:
        """About how many bytes are left in a leg, by the mean of its sample; None without one."""
        records, size = self.sampled.get((leg.span.topic, leg.span.partition), (0, 0))
        return round(leg.left.count * size / records) if records else None


def legs(spans: Sequence[Span], committed: Mapping[Partition, int], *, restart: bool = False) -> list[Leg]:
    """A leg for each span that is not empty, from where the group's committed offsets say that it goes on."""
    return [
        _leg(span, None if restart else committed.get((span.topic, span.partition))) for span in spans if span.count
    ]


def _leg(span: Span, committed: int | None) -> Leg:
    if committed is None:
        return Leg(span, span.begin)
    if committed < span.begin:
        return Leg(span, span.begin, span.begin - committed)
    return Leg(span, min(committed, span.end))
