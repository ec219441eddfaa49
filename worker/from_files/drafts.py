"""What sources give: a `Draft` for each line, row or pair of files; and the `Ready` or the `Fault` that it becomes."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from worker.producer.errors import InvalidEventError
from worker.producer.events import event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.model import Target
    from worker.producer.encoding import Encoding

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://openscale.payload/produce")
"""Of the UUIDv5 over `<SHA-256 of the input>/<number>/<SHA-256 of the event as it is written without an id>`."""


class SourceError(Exception):
    """An input that cannot be read as a whole; the message names it, and the place in it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One event to come: `given` are the arguments of `producer.events.event`, or why there are none.

    `number` counts lines, rows by their first line, or pairs, from 1. `read`: bytes of the input that are behind it.
    """

    number: int
    place: str
    read: int
    given: Mapping[str, Any] | InvalidEventError


class Source(Protocol):
    """An input that can be read as often as needed. `size` in bytes; `unit` is what its numbers count."""

    name: str
    size: int
    unit: str
    events: str

    def drafts(self) -> Iterator[Draft]:
        """From the beginning; raises `SourceError`."""

    def digest(self) -> str:
        """SHA-256 of all of it, in hexadecimal; raises `SourceError`."""

    def changed(self) -> bool:
        """Whether it is no longer what it was at first."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An event as it is to be written."""

    number: int
    scoring_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is none; `place` as `events.jsonl:12`."""

    number: int
    place: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.place}: {self.code}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Making:
    """From drafts to events; `defaults` stand for what a draft does not say."""

    digest: str
    defaults: Mapping[str, str]
    encoding: Encoding
    limit: int
    target: Target | None = None

    def of(self, draft: Draft) -> Ready | Fault:
        """The event of a draft, or what is wrong with it."""
        try:
            made = event(**self._arguments(draft.given), target=self.target)
            if made.scoring_id is None:
                made = replace(made, scoring_id=self._derived(draft.number, self.encoding.value(made)))
            return Ready(draft.number, str(made.scoring_id), self.encoding.fitting(made, self.limit))
        except InvalidEventError as error:
            return Fault(draft.number, draft.place, error.code, str(error))

    def _arguments(self, given: Mapping[str, Any] | InvalidEventError) -> Mapping[str, Any]:
        if isinstance(given, InvalidEventError):
            raise given
        found = {**self.defaults, **{name: value for name, value in given.items() if value is not None}}
        if "asset" not in found:
            raise InvalidEventError("asset-missing", "asset: it is not said here, nor by --asset")
        for name in ("request", "response"):
            if name not in found:
                raise InvalidEventError("shape", f"{name}: it is missing")
        return found

    def _derived(self, number: int, value: bytes) -> str:
        """The same for the same input and the same options: what is sent again is stored once."""
        body = hashlib.sha256(value[len(self.encoding.header) :]).hexdigest()
        return str(uuid.uuid5(NAMESPACE, f"{self.digest}/{number}/{body}"))


def moment(name: str, given: object) -> object:
    """A time in ISO 8601 with its offset from UTC; what is no text is left as it is."""
    if not isinstance(given, str):
        return given
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise InvalidEventError("shape", f"{name}: it is no date and time as ISO 8601 writes them") from None
    if found.tzinfo is None:
        raise InvalidEventError("shape", f"{name}: it has no time zone: Z stands for UTC")
    return found
