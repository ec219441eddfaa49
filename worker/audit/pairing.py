"""Halves of scorings joined as a worker joins them; no clock gives them up here, the dead letters tell which were.

Bounded as there: a quarter of `limits.records` and `limits.bytes` waits at most, and beyond that the oldest stay alone.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from worker.flow.joining import Joining
from worker.model import Pair, Rejection
from worker.topics.spans import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from worker.model import Claim, Envelope, Half

AROUND: Final = (1_000, 10_000, 100_000)
"""Offsets on either side within which the other half of a scoring is looked for: the nearer ones first."""


class Pairing:
    """Joins halves within a claim.

    Args:
        lettered: whether a half was given up, as its dead letter tells. Such a one waits, too, for the worker may have
            given it up only when it began anew; but it makes room for another one of its side and key.
        records: that wait in all, at most.
        size: their bytes, at most.
    """

    def __init__(self, lettered: Callable[[Envelope], bool], records: int, size: int) -> None:
        self._lettered = lettered
        self._records = records
        self._size = size
        self._joining = Joining(math.inf)
        self._claims: set[Claim] = set()

    def join(self, halves: Iterable[tuple[Half, Envelope]]) -> tuple[list[Pair], list[Rejection]]:
        """The scorings that are whole now, and the halves that stay alone, each with the worker's reason."""
        pairs: list[Pair] = []
        alone: list[Rejection] = []
        for half, envelope in halves:
            self._claims.add(envelope.claim)
            found = self._add(half, envelope)
            if isinstance(found, Pair):
                pairs.append(found)
            elif found is not None:
                alone.append(found)
        claims = max(1, len(self._claims))
        return pairs, alone + self._joining.crowd_out(max(1, self._records // claims), self._size // claims)

    def _add(self, half: Half, envelope: Envelope) -> Pair | Rejection | None:
        found = self._joining.add(half, envelope, 0.0)
        if not isinstance(found, Rejection) or self._lettered(envelope):
            return found
        first = self._joining.waits(half, envelope.claim)
        if first is None or not self._lettered(first):
            return found
        given_up = self._joining.give_up(half, envelope.claim)
        self._joining.add(half, envelope, 0.0)
        return given_up

    def waits(self, half: Half, claim: Claim) -> bool:
        """Whether a half waits under this one's key."""
        return self._joining.waits(half, claim) is not None

    def held(self) -> Iterator[Envelope]:
        """The halves that wait."""
        return self._joining.held()

    def rest(self) -> Iterator[Rejection]:
        """The halves whose others were not met, with the worker's reason; none waits then."""
        while left := self._joining.give_up_oldest():
            yield from left


def rings(spans: Sequence[Span], logs: Mapping[tuple[str, int], Span]) -> Iterator[list[Span]]:
    """What lies around spans, within their logs: on one side, then on the other, then further out.

    What is yielded has one span for each partition at most, as a reader takes them.
    """
    for near, far in pairwise((0, *AROUND)):
        before = [Span(each.topic, each.partition, each.begin - far, each.begin - near) for each in spans]
        behind = [Span(each.topic, each.partition, each.end + near, each.end + far) for each in spans]
        for side in (behind, before):
            yield [found for each in side if (found := _within(each, logs[each.topic, each.partition])).count]


def _within(span: Span, log: Span) -> Span:
    begin, end = max(span.begin, log.begin), min(span.end, log.end)
    return Span(span.topic, span.partition, begin, max(begin, end))
