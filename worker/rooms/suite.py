"""The rooms in their order: what becomes of a chunk of records between reading and batching."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from worker.model import Disposition, Envelope, Event, Half, Refusal, Rejection, Row, Target
from worker.rooms import validate
from worker.rooms.encode import encode
from worker.rooms.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.rooms.decode import Asked
    from worker.rooms.directory import Directory
    from worker.rooms.identity import Identity


@dataclass(frozen=True, slots=True)
class Passed:
    """What became of a chunk: every record is in exactly one of these.

    `unknown` are those that the directory could not resolve: a newer directory might. `unread` are those whose writer
    schema has to be asked for, each behind its schema's name. `halves` are those of scorings that come as two records.
    """

    rows: list[Row] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    unknown: list[Rejection] = field(default_factory=list)
    unread: list[tuple[Asked, Envelope]] = field(default_factory=list)
    halves: list[tuple[Half, Envelope]] = field(default_factory=list)


class Decodes(Protocol):
    """The first room: one for all topics, or one for each format."""

    def event(self, envelope: Envelope) -> Event | Half | Refusal | Asked:
        """The event of one record, or why it has none; half of one, or the name of its schema if it is to be asked."""


@dataclass(frozen=True, slots=True)
class Suite:
    """All rooms; `record_limit` is the most bytes that one posted record may have."""

    decoder: Decodes
    identity: Identity
    record_limit: int

    def walk(self, envelopes: Iterable[Envelope], directory: Directory) -> Passed:
        """Decode, validate, resolve, normalise and encode a chunk.

        One record after another, so that what is made of each on its way is gone before the next: else the garbage
        collector would look through all of it, again and again.
        """
        passed = Passed()
        for envelope in envelopes:
            try:
                found = self._walk(envelope, directory)
            except MemoryError:
                raise  # that is the machine's fault, and would be the next record's too
            except Exception as error:  # noqa: BLE001 - a fault of ours must not hold up all records behind this one
                found = _internal(error)
            if isinstance(found, Row):
                passed.rows.append(found)
            elif isinstance(found, Refusal):
                passed.rejected.append(Rejection(envelope, found))
            elif isinstance(found, Rejection):
                passed.unknown.append(found)
            elif isinstance(found, Half):
                passed.halves.append((found, envelope))
            else:
                passed.unread.append((found, envelope))
        return passed

    def _walk(self, envelope: Envelope, directory: Directory) -> Row | Refusal | Rejection | Half | Asked:
        """The row of a record, or why it has none.

        A rejection where a newer directory might know more, a schema's name where the registry has to be asked for it.
        """
        event = self.decoder.event(envelope)
        if not isinstance(event, Event):
            return event
        invalid = validate.refusal(event)
        if invalid is not None:
            return invalid
        target = directory.resolve(event.binding, event.asset, event.deployment)
        if not isinstance(target, Target):
            return Rejection(envelope, target, wanted=(event.binding, event.asset, event.deployment))
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


def _internal(error: Exception) -> Refusal:
    """Names the place in this program, never the error's text, which may hold a value of the record."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace is not None else "an unknown place"
    detail = (
        f"a fault of the worker: {type(error).__name__} in {place}; please report it, and redrive with the next release"
    )
    return Refusal(Disposition.NORMALISE, "internal-error", detail)
