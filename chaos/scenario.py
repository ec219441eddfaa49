"""What a scenario is, and the place where it is played."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from chaos.ring import open_ring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.kafka.broker import Broker

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`play` yields an `Outcome` for each way in which it plays, mostly one. `name` is that of the list, as "S4"."""

    name: str
    claim: str
    play: Callable[[Place], Iterator[Outcome]] = field(repr=False)

    @property
    def number(self) -> int:
        """Its place in the list."""
        return int(self.name[1:])


@dataclass(frozen=True, slots=True)
class Place:
    """The session's broker, which a scenario may not stop; whether it is played in full; what its chance comes from.

    `code`: a directory with another version of the package `worker`, to be played instead of this one.
    """

    broker: Broker
    full: bool
    seed: str
    code: Path | None = None
    _rings: Iterator[int] = field(default_factory=count)

    def pick(self, short: T, full: T) -> T:
        """The figure of the size that is played."""
        return full if self.full else short

    def each(self, play: Callable[[T], Outcome], variants: Iterable[T]) -> Iterator[Outcome]:
        """The outcome of each variant: one after another in full, at the same time in short, for most of it is waiting.

        Rings that are made at the same time need names, or their chance would depend on who is first.
        """
        timed = partial(_timed, play)
        if self.full:
            yield from map(timed, variants)
        else:
            with ThreadPoolExecutor() as pool:
                yield from pool.map(timed, variants)

    def ring(
        self,
        name: str | None = None,
        *,
        partitions: int = 4,
        broker: Broker | None = None,
        letters: bool = True,
        mart: Sequence[str] = (),
    ) -> AbstractContextManager[Ring]:
        """A ring of its own: on the session's broker unless another that runs is given; see `open_ring`."""
        return open_ring(
            broker or self.broker,
            f"{self.seed}/{next(self._rings) if name is None else name}",
            partitions=partitions,
            letters=letters,
            mart_options=mart,
            code=self.code,
        )


def _timed(play: Callable[[T], Outcome], variant: T) -> Outcome:
    began = time.monotonic()
    return replace(play(variant), seconds=time.monotonic() - began)
