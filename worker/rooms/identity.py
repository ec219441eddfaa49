"""The `scoring_id` of an event that brings none: derived from its place in Kafka, so that it never changes."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

from worker.rooms.places import KIP, place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.model import Claim, Envelope
    from worker.rooms.places import Place

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://openscale.payload/scoring-id")
"""Of the UUIDv5 (RFC 9562 §5.5) over `<cluster id>/<topic id or name>/<partition>/<offset>`."""

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""A hexadecimal digit with its two upper bits as RFC 9562 wants them."""

_KIP_TOPIC = f"{KIP}topic"


class Identity:
    """Derives scoring ids. A redriven record keeps the place it first had, which its dead-letter headers tell."""

    def __init__(self, cluster_id: str, topic_ids: Mapping[str, str]) -> None:
        self._cluster_id = cluster_id
        self._topic_ids = topic_ids
        self._last: tuple[Claim, hashlib._Hash] | None = None

    def scoring_id(self, envelope: Envelope) -> str:
        """The id for the record at the envelope's place, or at the place where it was before it was redriven."""
        if envelope.headers:
            place = first_place(envelope)
            if place is not None:
                topic, partition, offset = place
                return _derived(self._hashed(topic, partition), offset)
        claim = envelope.claim
        last = self._last  # records come in runs of one partition
        if last is None or last[0] is not claim:
            last = self._last = (claim, self._hashed(claim.topic, claim.partition))
        return _derived(last[1], envelope.offset)

    def _hashed(self, topic: str, partition: int) -> hashlib._Hash:
        """The hash of all but the offset."""
        name = f"{self._cluster_id}/{self._topic_ids.get(topic, topic)}/{partition}/"
        return hashlib.sha1(NAMESPACE.bytes + name.encode(), usedforsecurity=False)


def _derived(prefix: hashlib._Hash, offset: int) -> str:
    """`uuid.uuid5`, at a fifth of its cost; the prefix is hashed already."""
    digest = prefix.copy()
    digest.update(b"%d" % offset)
    text = digest.hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def own_place(envelope: Envelope) -> Place:
    """Topic, partition and offset at which a record lies."""
    return envelope.claim.topic, envelope.claim.partition, envelope.offset


def place_of(envelope: Envelope) -> Place:
    """Where a record was first: its own place, but for one that was sent back."""
    return (first_place(envelope) if envelope.headers else None) or own_place(envelope)


def first_place(envelope: Envelope) -> Place | None:
    """Topic, partition and offset of a dead-lettered record that was sent back; None without, or unreadable.

    Headers of Kafka Connect or Spring count only where they name the topic that the record is in: they travel with
    copies into other topics, where several records may have been made of one.
    """
    found = place(envelope.headers)
    if found is None or found[0] == envelope.claim.topic or _KIP_TOPIC in dict(envelope.headers):
        return found
    return None
