"""Records whose writer schema has been asked for, by its name: they cannot be read until there is an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator

    from worker.model import Claim, Envelope


class Unread:
    """Holds them until their schema is there, or known not to be."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[Envelope]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def schemas(self) -> Collection[Any]:
        """The names of the schemas that are waited for."""
        return self._waiting.keys()

    def held(self) -> Iterator[Envelope]:
        """The records that wait."""
        return (envelope for each in self._waiting.values() for envelope in each)

    def add(self, schema: Hashable, envelope: Envelope) -> None:
        """Let a record wait for its schema."""
        self._waiting.setdefault(schema, []).append(envelope)
        self._count += 1

    def take(self, schemas: Iterable[Hashable]) -> list[Envelope]:
        """Remove and return what waits for these schemas, of each in the order in which it came."""
        taken = [envelope for schema in schemas for envelope in self._waiting.pop(schema, ())]
        self._count -= len(taken)
        return taken

    def drop(self, claims: Collection[Claim]) -> None:
        """Forget what waits for claims that are gone."""
        kept = {name: [each for each in held if each.claim not in claims] for name, held in self._waiting.items()}
        self._waiting = {name: held for name, held in kept.items() if held}
        self._count = sum(map(len, self._waiting.values()))
