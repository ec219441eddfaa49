"""Which runs are made, and in what order: interleaved, so that what the machine does meanwhile falls on all alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from bench.contenders import PREFIX, WORKER
from bench.endpoint import Manner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contenders import Contender, Task
    from bench.events import Kind

T = TypeVar("T")
IDLE: Final = Manner()


@dataclass(frozen=True, slots=True)
class Place:
    """Where events stand: a broker's address, and a topic."""

    bootstrap: str
    topic: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One run that is to be made: a contender on events of one kind before one endpoint."""

    contender: Contender
    kind: Kind
    events: int
    manner: Manner = IDLE

    @property
    def name(self) -> str:
        """What it is called among the results."""
        return self.contender.name

    @property
    def endpoint(self) -> str:
        """The endpoint, in words."""
        return endpoint(self.manner)


def endpoint(manner: Manner) -> str:
    """An endpoint's manner in words."""
    words = f"{manner.latency_ms} ms"
    if manner.subscriptions > 1:
        words += f", {manner.subscriptions:,} subscriptions"
    return f"{words}, degrading" if manner.knee else words


def in_order(turns: Sequence[T], number: int) -> list[T]:
    """The turns of the round of this number, from 0: each round begins with another, and every second goes back.

    So nobody always runs after the same one, nor always first.
    """
    if not turns:
        return []
    start = number % len(turns)
    order = [*turns[start:], *turns[:start]]
    return order if number % 2 == 0 else [order[0], *reversed(order[1:])]


def variant(name: str, **settings: str) -> Contender:
    """The worker with other settings, which are named as in its environment after the prefix."""
    given = {f"{PREFIX}{key}": value for key, value in settings.items()}

    def environment(task: Task) -> dict[str, str]:
        return {**WORKER.environment(task), **given}

    return replace(WORKER, name=name, environment=environment)
