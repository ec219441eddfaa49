"""Where to read on when Kafka does not have the offset that is to be read next: the policy, and what it costs.

librdkafka would go to the start or the end of the log by itself, and say nothing of the records between. So it is told
to report an error instead, whatever the setting says, and the setting is obeyed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from worker.edges.cluster import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SETTING = "auto.offset.reset"


class Policy(StrEnum):
    """Where to go on: the log's start, its end, or nowhere before somebody has looked."""

    EARLIEST = "earliest"
    LATEST = "latest"
    ERROR = "error"


_WORDS = {
    **dict.fromkeys(("earliest", "smallest", "beginning"), Policy.EARLIEST),
    **dict.fromkeys(("latest", "largest", "end"), Policy.LATEST),
    "error": Policy.ERROR,
}


class Reason(StrEnum):
    """Why a partition cannot be read on; the word in `/readyz` and the log."""

    NO_OFFSET = "no-offset"
    LOST = "offsets-lost"
    BEYOND_END = "offsets-beyond-end"


@dataclass(frozen=True, slots=True)
class Place:
    """A partition's offsets: the first in its log, the one after its last, and the one to be read next.

    `position` is None where the group has committed none. `read`: it was read to there under this claim, so that
    records before it may be open; else it is what was committed.
    """

    position: int | None
    low: int
    high: int
    read: bool


@dataclass(frozen=True, slots=True)
class Step:
    """Where to go on, None: nowhere. `reason` is None where nothing is amiss.

    `missed` offsets, from `Place.position` on, will not be read. `mark`: the new place is to be committed at once, or
    a restart before the first commit would decide again, and pass over what has come since.
    """

    target: int | None
    reason: Reason | None = None
    missed: int = 0
    mark: bool = False


def policy(consumer: Mapping[str, Any]) -> Policy:
    """What the consumer's settings say, in any of librdkafka's words; raises `ClientError`."""
    word = str(consumer.get(SETTING, Policy.EARLIEST))
    found = _WORDS.get(word.lower())
    if found is None:
        raise ClientError(f'kafka.consumer: {SETTING} is earliest, latest or error, not "{word}"')
    return found


def decide(chosen: Policy, place: Place) -> Step:
    """The step from a place that librdkafka could not read."""
    target = {Policy.EARLIEST: place.low, Policy.LATEST: place.high, Policy.ERROR: None}[chosen]
    mark = target is not None and not place.read
    if place.position is None:
        return Step(target, Reason.NO_OFFSET, mark=mark and chosen is Policy.LATEST)
    if place.position > place.high:
        return Step(target, Reason.BEYOND_END, mark=mark)
    if place.position < place.low:
        reached = place.low if target is None else target
        return Step(target, Reason.LOST, missed=reached - place.position, mark=mark)
    return Step(place.position)
