"""What goes back for a dead letter: the record, its identity, perhaps a repair; or why it stays where it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from worker.dlq.content import Done, PatchError, repaired
from worker.dlq.headers import identity, without_told
from worker.model import Claim, Envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.dlq.encoding import Encoder
    from worker.dlq.headers import Told
    from worker.dlq.letters import Letter
    from worker.dlq.opening import Opener
    from worker.dlq.patch import Patch
    from worker.rooms.directory import Directory
    from worker.rooms.suite import Suite

    Headers = Sequence[tuple[str, bytes | None]]

REDRIVES: Final = 3
"""How often a record is sent back, unless the operator says otherwise."""


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """A record to be written. `done`: what a repair changed in it."""

    topic: str
    partition: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    done: Sequence[Done] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A letter that is not sent: `code` is a stable word, `detail` a sentence without values."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Repair:
    """A patch with what is needed to make it, and to see whether the rooms would let its event pass."""

    patch: Patch
    opener: Opener
    encoder: Encoder
    suite: Suite
    directory: Directory


@dataclass(frozen=True, slots=True)
class Sources:
    """The topics that records may be sent back to: how many partitions each has, its id, and where each of them ends.

    `topic_ids` are empty where the broker has none. `ends`: the next offset, by topic and partition.
    """

    partitions: Mapping[str, int]
    topic_ids: Mapping[str, str]
    ends: Mapping[tuple[str, int], int]

    def made_anew(self, told: Told) -> bool:
        """Whether a letter is of a topic that had the name before, as far as can be told.

        Of one that tells no topic id it is seen only where its offset is not given out yet.
        """
        if told.place is None:
            return False
        topic, partition, offset = told.place
        if told.topic_id is not None and topic in self.topic_ids:
            return told.of_another(self.topic_ids)
        return offset >= self.ends.get((topic, partition), 0)


def _derived(_: Letter) -> bool:
    """No event is known to have a scoring id of its own."""
    return False


@dataclass(frozen=True, slots=True)
class Sender:
    """Makes records of letters. `own_id`: whether a letter's event can be seen to have a scoring id of its own."""

    sources: Sources
    most: int = REDRIVES
    repair: Repair | None = None
    own_id: Callable[[Letter], bool] = _derived

    def prepare(self, letter: Letter) -> Outgoing | Withheld:
        """The record to send back for a letter; raises `RegistryError` where a repair needs the registry."""
        told = letter.told
        if told is None or told.place is None:
            return Withheld("no-place", "its headers do not say where it was first, so that its identity would be lost")
        topic, partition, _ = told.place
        partitions = self.sources.partitions
        if topic not in partitions:
            return Withheld("foreign-topic", "it was in a topic that is not among kafka.topics")
        if self.sources.made_anew(told) and not self.own_id(letter):
            return Withheld("other-topic", "its topic was made anew since: its identity would be another event's")
        if told.redrives >= self.most:
            return Withheld("redriven-too-often", f"it was sent back {told.redrives} times already, and refused again")
        headers = [*without_told(letter.headers, told), *identity(told, told.redrives + 1)]
        timestamp = letter.timestamp_ms if told.timestamp_ms is None else told.timestamp_ms
        plain = Outgoing(topic, partition % partitions[topic], timestamp, letter.key, letter.value, headers)
        return plain if self.repair is None else self._repaired(letter, told, plain, self.repair)

    def _repaired(self, letter: Letter, told: Told, plain: Outgoing, repair: Repair) -> Outgoing | Withheld:
        name = repair.opener.format(letter)
        if name != "avro":
            return Withheld("not-avro", f"a patch changes Avro events only, and its topic has {name} events")
        opened = repair.opener.open(letter)
        if isinstance(opened, str):
            return Withheld("unreadable", opened)
        try:
            record, done = repaired(opened.record, repair.patch)
            if not done:
                return Withheld("untouched", "the patch finds nothing to change in it")
            value, headers = repair.encoder.written(record, opened, letter.value or b"", plain.headers)
        except PatchError as error:
            return Withheld(error.code, str(error))
        sent = Outgoing(plain.topic, plain.partition, plain.timestamp_ms, plain.key, value, headers, done)
        refused = _refused(sent, told, repair)
        return sent if refused is None else refused


def _refused(sent: Outgoing, told: Told, repair: Repair) -> Withheld | None:
    """Why the rooms would refuse a repaired record; None if they would not."""
    claim = Claim(sent.topic, sent.partition)
    envelope = Envelope(claim, told.offset or 0, sent.timestamp_ms, sent.key, sent.value, sent.headers)
    passed = repair.suite.walk([envelope], repair.directory)
    for each in (*passed.rejected, *passed.unknown):
        return Withheld(f"still-{each.refusal.code}", f"repaired, it would be refused again: {each.refusal.detail}")
    return Withheld("unreadable", "repaired, its schema is not known here") if passed.unread else None
