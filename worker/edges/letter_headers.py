"""The headers of a letter: where the record was and why it is here, in the convention that the settings choose."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, get_args

from worker import __version__
from worker.flow.verdict import EXCERPT
from worker.model import Claim, Disposition, Envelope, Refusal, Rejection
from worker.rooms.identity import first_place, place_of
from worker.rooms.places import CONNECT, KIP, OWN, REDRIVES, SPRING, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCHED, FULL, SLIM, BARE = range(4)
"""How a letter is written: with others, alone, with what is needed most, with nothing of ours."""

Convention = Literal["kafka", "connect", "spring"]
"""Whose names are used: KIP-1191's, those of Kafka Connect, or of Spring Kafka."""

Headers = list[tuple[str, bytes | str | None]]

PLACE: Final = tuple(f"{KIP}{part}" for part in ("topic", "partition", "offset"))
"""The names of the headers that say where a record was first, on a record that was sent back."""

_NO_IDS: Final[Mapping[str, str]] = MappingProxyType({})

_TOPIC_ID = 22
"""Characters of a topic's id: 16 bytes as base64."""

_LENGTHS = 6
"""Bytes that the lengths of a header's name and value take at most."""


def headers(
    rejection: Rejection,
    group: str,
    level: int,
    convention: Convention = "kafka",
    topic_ids: Mapping[str, str] = _NO_IDS,
) -> Headers:
    """The record's own headers, then ours: all that explain, only the place and the code (slim), none (bare).

    A record that was redriven keeps the place it first had, from which its scoring id is derived, and the count of its
    redrives, in a bare letter too: it had room for them in its own topic. Written otherwise than in Kafka's names, a
    letter has no others' beside them that would contradict.
    `topic_ids`: of the topics of events, where Kafka has them, so that a topic made anew is not taken for the old one.
    """
    added = (KIP, OWN) if convention == "kafka" else (KIP, OWN, CONNECT, SPRING)
    kept: Headers = [pair for pair in rejection.envelope.headers if not pair[0].startswith(added)]
    if level == BARE:
        return kept + _brought(rejection.envelope)
    redrives: Headers = [pair for pair in rejection.envelope.headers if pair[0] == REDRIVES]
    slim = [*_place(rejection, convention, topic_ids), (f"{OWN}error.code", rejection.refusal.code), *redrives[-1:]]
    return kept + slim + (_explanation(rejection, group, convention) if level < SLIM else [])


def _brought(envelope: Envelope) -> Headers:
    """The headers by which a redriven record tells its first place, as they came; none where they do not tell it."""
    names = {*PLACE, REDRIVES}
    found: Headers = [pair for pair in envelope.headers if pair[0] in names]
    return found if PLACE[0] in dict(found) and first_place(envelope) is not None else []


def added_bytes(topic: str, group: str) -> int:
    """Bytes that the headers of a letter from this topic add to its record, at most, in whatever convention."""
    longest = max(Disposition, key=len)
    rejection = Rejection(
        Envelope(Claim(topic, 2**31 - 1), 2**63 - 1, 10**14, None, None, ()),
        Refusal(longest, "x" * 100, "x" * 2000),
        attempts=10**6,
        status=599,
        body="\N{GRINNING FACE}" * EXCERPT,
    )
    ids = {topic: "x" * _TOPIC_ID}
    conventions: tuple[Convention, ...] = get_args(Convention)
    return max(_size(headers(rejection, group, FULL, each, ids)) for each in conventions)


def _size(added: Headers) -> int:
    values = (value if isinstance(value, bytes) else str(value).encode() for _, value in added)
    return sum(len(name.encode()) + len(value) + _LENGTHS for (name, _), value in zip(added, values, strict=True))


def _place(rejection: Rejection, convention: Convention, topic_ids: Mapping[str, str]) -> Headers:
    """Where the record was first, with the topic's id, and the disposition."""
    envelope, disposition = rejection.envelope, str(rejection.refusal.disposition)
    topic, partition, offset = place_of(envelope)
    known: Headers = [(f"{OWN}topic.id", topic_ids[topic])] if topic in topic_ids else []
    if convention == "kafka":
        return [
            (f"{KIP}topic", topic),
            (f"{KIP}partition", str(partition)),
            (f"{KIP}offset", str(offset)),
            (f"{KIP}disposition", disposition),
            *known,
        ]
    if convention == "connect":
        return [
            (f"{CONNECT}topic", topic),
            (f"{CONNECT}partition", str(partition)),
            (f"{CONNECT}offset", str(offset)),
            (f"{CONNECT}stage", disposition),
            *known,
        ]
    return [
        (f"{SPRING}original-topic", topic),
        (f"{SPRING}original-partition", partition.to_bytes(4, "big")),
        (f"{SPRING}original-offset", offset.to_bytes(8, "big")),
        (f"{OWN}error.disposition", disposition),
        *known,
    ]


def _explanation(rejection: Rejection, group: str, convention: Convention) -> Headers:
    attempts, timestamp = str(max(1, rejection.attempts)), rejection.envelope.timestamp_ms
    code, detail = rejection.refusal.code, rejection.refusal.detail
    told: dict[Convention, Headers] = {
        "kafka": [
            (f"{KIP}group", group),
            (f"{KIP}delivery.count", attempts),
            (f"{KIP}message", detail),
        ],
        "connect": [
            (f"{CONNECT}connector.name", group),
            (f"{CONNECT}exception.class.name", code),
            (f"{CONNECT}exception.message", detail),
        ],
        "spring": [
            (f"{SPRING}original-consumer-group", group),
            (f"{SPRING}exception-fqcn", code),
            (f"{SPRING}exception-message", detail),
        ],
    }
    found: Headers = [*told[convention], (f"{OWN}version", __version__)]
    if timestamp >= 0:
        found.append((TIMESTAMP, str(timestamp)))
    if convention == "spring" and timestamp >= 0:
        found.append((f"{SPRING}original-timestamp", timestamp.to_bytes(8, "big")))
    if rejection.status is not None:
        found.append((f"{OWN}http.status", str(rejection.status)))
    if rejection.body:
        found.append((f"{OWN}http.body", rejection.body))
    return found
