"""Which decoder reads a topic: Avro's, unless the settings name another format for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.model import Envelope, Event, Half, Refusal
    from worker.rooms.decode import Asked, Decoder


class Format(Protocol):
    """A decoder of one format beside Avro."""

    def event(self, envelope: Envelope) -> Event | Half | Refusal:
        """The event of one record, or the half of one that it is, or why it is neither."""


@dataclass(frozen=True, slots=True)
class Formats:
    """The first room where topics differ; where none does, `avro` stands alone and pays nothing for the others."""

    avro: Decoder
    others: Mapping[str, Format]

    def event(self, envelope: Envelope) -> Event | Half | Refusal | Asked:
        """The event of one record, as its topic is read."""
        other = self.others.get(envelope.claim.topic)
        return self.avro.event(envelope) if other is None else other.event(envelope)
