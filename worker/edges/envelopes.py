"""What librdkafka gives out, as envelopes of the claims that are owned; what is an error goes elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from worker.edges.claims import SourceError
from worker.edges.resets import REPORTED, gone_back
from worker.model import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from confluent_kafka import KafkaError, Message

    from worker.edges.claims import Claims
    from worker.edges.failures import Failures
    from worker.model import Claim


class Stopped(Protocol):
    """Who is told that librdkafka has stopped reading a partition: its next offset is not in the log."""

    def note(self, topic: str, partition: int) -> None:
        """It has stopped reading this."""


class Envelopes:
    """Makes them, and moves each claim's next offset on."""

    def __init__(self, claims: Claims, failures: Failures, resets: Stopped) -> None:
        self._owned = claims.owned
        self._next = claims.next
        self._failures = failures
        self._resets = resets

    def claim_of(self, message: Message) -> Claim | None:
        """The claim that is owned on a message's partition; None for an error that concerns none."""
        return self._owned.get((message.topic(), message.partition()))  # type: ignore[arg-type]  # errors may lack both

    def of(self, messages: Iterable[Message]) -> list[Envelope]:
        """Raises `SourceError` where a partition goes back: it is another topic of that name."""
        envelopes: list[Envelope] = []
        owned, after = self._owned, self._next
        message: Any  # its type says None of what only errors lack
        for message in messages:
            if (error := message.error()) is not None:
                self._on_error(message, error)
                continue
            claim = owned.get((message.topic(), message.partition()))
            if claim is None:
                continue
            offset: int = message.offset()
            if offset < after.get(claim, 0):
                raise SourceError(gone_back(claim, after[claim], offset))
            after[claim] = offset + 1
            key, value, headers = message.key(), message.value(), self._headers(message)
            envelopes.append(Envelope(claim, offset, message.timestamp()[1], key, value, headers))
        return envelopes

    def _on_error(self, message: Message, error: KafkaError) -> None:
        topic, partition = message.topic(), message.partition()
        if error.code() in REPORTED and topic is not None and partition is not None:
            self._resets.note(topic, partition)
        else:
            self._failures.note(error)

    def _headers(self, message: Any) -> Sequence[tuple[str, bytes | None]]:
        """None, which is counted, where they cannot be told."""
        headers = headers_of(message)
        if headers is None:
            self._failures.counts["headers_unreadable"] += 1
            return ()
        return headers


def headers_of(message: Any) -> Sequence[tuple[str, bytes | None]] | None:
    """A record's headers; None where a header's name is not UTF-8: the client library can tell none of them then."""
    try:
        return message.headers() or ()
    except (SystemError, UnicodeDecodeError):
        return None
