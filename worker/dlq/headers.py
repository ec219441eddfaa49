"""What the headers of a dead letter tell: in KIP-1191's names and the worker's own, Kafka Connect's, or Spring's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.rooms.places import CONNECT, KIP, OWN, REDRIVES, SPRING, TIMESTAMP, binary, convention, decimal, topic_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Headers = Sequence[tuple[str, bytes | None]]

CODE = f"{OWN}error.code"
DISPOSITION = f"{OWN}error.disposition"
STATUS = f"{OWN}http.status"
TOPIC_ID = f"{OWN}topic.id"
"""Kafka's id of the topic in which the record was first, from which its scoring id is derived."""

PARKED = f"{OWN}parked.from"
"""Of a copy in a parking topic: where the letter lies, as `topic:partition:offset`."""

PARKING = ".parked"
"""What the name of a parking topic has behind that of its dead-letter topic."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a dead letter says of itself; None for what it does not say, or not readably.

    `convention` is the prefix of its place's headers. `own`: a worker of ours wrote it, so `detail` names fields and
    places only; anybody else's is the text of an exception, which may hold values of the record. `redrives`: how often
    it was sent back already. `timestamp_ms`: the record's own, where the letter's need not be. `topic_id`: the id
    that the topic had; another one of its name has another.
    """

    convention: str
    own: bool = False
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    disposition: str | None = None
    code: str | None = None
    status: int | None = None
    detail: str | None = None
    group: str | None = None
    redrives: int = 0
    timestamp_ms: int | None = None
    topic_id: str | None = None

    @property
    def place(self) -> tuple[str, int, int] | None:
        """Where the record was first; None unless all three parts of it are known."""
        if self.topic is None or self.partition is None or self.offset is None:
            return None
        return self.topic, self.partition, self.offset

    def of_another(self, topic_ids: Mapping[str, str]) -> bool:
        """Whether its topic was deleted and made anew since, so that its offset is another record's by now.

        `topic_ids`: Kafka's present ids by topic. False where either id is not known: then nothing tells.
        """
        present = topic_ids.get(self.topic or "")
        return self.topic_id is not None and present is not None and self.topic_id != present


@dataclass(frozen=True, slots=True)
class _Names:
    """What a convention calls things; "" for what it has no name for. Of two names the first that is there counts."""

    topic: str
    partition: str
    offset: str
    disposition: str
    code: tuple[str, ...]
    detail: str
    group: str


_NAMES: Mapping[str, _Names] = {
    KIP: _Names(
        f"{KIP}topic",
        f"{KIP}partition",
        f"{KIP}offset",
        f"{KIP}disposition",
        (CODE,),
        f"{KIP}message",
        f"{KIP}group",
    ),
    CONNECT: _Names(
        f"{CONNECT}topic",
        f"{CONNECT}partition",
        f"{CONNECT}offset",
        f"{CONNECT}stage",
        (CODE, f"{CONNECT}exception.class.name"),
        f"{CONNECT}exception.message",
        f"{CONNECT}connector.name",
    ),
    SPRING: _Names(
        f"{SPRING}original-topic",
        f"{SPRING}original-partition",
        f"{SPRING}original-offset",
        "",
        (CODE, f"{SPRING}exception-cause-fqcn", f"{SPRING}exception-fqcn"),
        f"{SPRING}exception-message",
        f"{SPRING}original-consumer-group",
    ),
}


def read(headers: Headers) -> Told | None:
    """What the headers of a record tell of why it is where it is; None where none of the conventions is in them.

    Never raises: what is malformed is left out. Where the place cannot be read whole, the parts that can be are told.
    """
    if not headers:
        return None
    found = dict(headers)
    prefix = convention(found)
    if prefix is None:
        return None
    first = dict(reversed(headers)) if prefix == SPRING else found
    names, number = _NAMES[prefix], binary if prefix == SPRING else decimal
    return Told(
        convention=prefix,
        own=CODE in found,
        topic=topic_name(first.get(names.topic)),
        partition=number(first.get(names.partition) or b""),
        offset=number(first.get(names.offset) or b""),
        disposition=_text(found.get(DISPOSITION)) or _text(found.get(names.disposition)),
        code=next((text for name in names.code if (text := _text(found.get(name)))), None),
        status=decimal(found.get(STATUS) or b""),
        detail=_text(found.get(names.detail)),
        group=_text(found.get(names.group)),
        redrives=decimal(found.get(REDRIVES) or b"") or 0,
        timestamp_ms=_timestamp(first),
        topic_id=_text(found.get(TOPIC_ID)),
    )


def _timestamp(headers: Mapping[str, bytes | None]) -> int | None:
    own = decimal(headers.get(TIMESTAMP) or b"")
    return binary(headers.get(f"{SPRING}original-timestamp") or b"") if own is None else own


def without_told(headers: Headers, told: Told | None) -> list[tuple[str, bytes | None]]:
    """The record's own headers: all but those that made it a dead letter."""
    prefixes = (OWN,) if told is None else (OWN, told.convention)
    return [pair for pair in headers if not pair[0].startswith(prefixes)]


def identity(told: Told, redrives: int) -> list[tuple[str, bytes | None]]:
    """Headers by which a record keeps its first place, and so its derived scoring id, when it is sent back.

    Raises:
        ValueError: its first place is not known.
    """
    if told.place is None:
        raise ValueError("the place is not known")
    named = zip(("topic", "partition", "offset"), told.place, strict=True)
    return [*((f"{KIP}{name}", str(value).encode()) for name, value in named), (REDRIVES, str(redrives).encode())]


def _text(value: bytes | None) -> str | None:
    return value.decode("utf-8", "replace") or None if value else None
