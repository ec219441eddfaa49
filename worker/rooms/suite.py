"""The rooms in their order: what becomes of a chunk of records between reading and batching."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.model import Disposition, Envelope, Event, Refusal, Rejection, Row, Target
from worker.rooms import validate
from worker.rooms.encode import encode
from worker.rooms.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.rooms.decode import Decoder
    from worker.rooms.directory import Directory
    from worker.rooms.identity import Identity


@dataclass(frozen=True, slots=True)
class Passed:
    """What became of a chunk: every record is in exactly one of these.

    `unknown` are those that the directory could not resolve: a newer directory might.
    """

    rows: list[Row] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    unknown: list[Rejection] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Suite:
    """All rooms; `record_limit` is the most bytes that one posted record may have."""

    decoder: Decoder
    identity: Identity
    record_limit: int

    def walk(self, envelopes: Iterable[Envelope], directory: Directory) -> Passed:
        """Decode, validate, resolve, normalise and encode a chunk."""
        events, rejected = self.decoder.decode(envelopes)
        rows: list[Row] = []
        unknown: list[Rejection] = []
        for envelope, event in events:
            invalid = validate.refusal(event)
            if invalid is not None:
                rejected.append(Rejection(envelope, invalid))
                continue
            target = directory.resolve(event.binding, event.asset, event.deployment)
            if not isinstance(target, Target):
                unknown.append(Rejection(envelope, target))
                continue
            found = self._finish(envelope, event, target)
            if isinstance(found, Row):
                rows.append(found)
            else:
                rejected.append(Rejection(envelope, found))
        return Passed(rows, rejected, unknown)

    def _finish(self, envelope: Envelope, event: Event, target: Target) -> Row | Refusal:
        normal = normalise(event.request, event.response, target)
        if isinstance(normal, Refusal):
            return normal
        scoring_id = event.scoring_id or self.identity.scoring_id(envelope)
        payload = encode(envelope, event, target, normal, scoring_id)
        if len(payload) > self.record_limit:
            return _oversized(len(payload), self.record_limit)
        return Row(envelope, target.subscription_id, payload)


def _oversized(size: int, limit: int) -> Refusal:
    detail = f"the record has {size} bytes as JSON; limits.record_bytes allows {limit}"
    return Refusal(Disposition.TOO_LARGE, "record-too-large", detail)
