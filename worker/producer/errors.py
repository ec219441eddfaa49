"""What the producer raises; every message names a field or a place, never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ProducerError(Exception):
    """A producer that cannot be made, or the base of what it raises later."""


class UnreachableError(ProducerError):
    """The registry or the brokers do not answer; later they may."""


class InvalidEventError(ProducerError, ValueError):
    """An event that the worker would refuse; nothing was sent. `code` is the worker's word for the reason."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NotSentError(ProducerError):
    """An event that could not be handed over, so that it was not sent."""


class QueueFullError(NotSentError):
    """As much waits for the brokers as may: they take less than is sent, or nothing. Later there may be room."""


class NotDeliveredError(ProducerError):
    """Events that were handed over and are not known to be written.

    `count` of them; `reasons`: how many for each; `scoring_ids`: theirs, the first `KEPT` of them. They may have been
    written all the same, so send them again with the same scoring ids.
    """

    def __init__(self, reasons: Mapping[str, int], scoring_ids: Sequence[str]) -> None:
        self.count = sum(reasons.values())
        self.reasons = dict(reasons)
        self.scoring_ids = tuple(scoring_ids)
        told = "; ".join(f"{reason}: {count}" for reason, count in self.reasons.items())
        super().__init__(f"{self.count} events are not known to be written ({told})")
