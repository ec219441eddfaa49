"""Watches a ring while it plays: which commits pass what is not settled, and how long nothing moves.

A commit is sampled first, and what is settled is read afterwards: whatever was settled before that commit is among it.
So a sample never accuses falsely, and what it passes is looked at once.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Self

import httpx
from confluent_kafka import Consumer, KafkaException, TopicPartition

from chaos.oracle import Early, Prefixes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from chaos.letters import Letters
    from chaos.mart import Mart

INTERVAL = 0.2
"""Seconds between two samples."""
ANSWER_SECONDS = 5


class Watch:
    """A thread that samples; its findings may be read at any time. A context manager."""

    def __init__(
        self, *, bootstrap: str, topic: str, group: str, letters: Letters, mart: Mart, log: Sequence[Sequence[str]]
    ) -> None:
        self.early: list[Early] = []
        self.settled: set[str] = set()
        """Events that arrived at the data mart or have a dead letter."""
        self.arrived = 0
        self.committed: dict[int, int] = {}
        self.history: list[tuple[float, int]] = []
        """What had arrived at each sample, with its time."""
        self.moved = time.monotonic()
        """When something was last settled that was not before."""
        self.standstill = 0.0
        """The longest time in seconds for which nothing was settled while there was something to settle."""
        self.subscriptions: list[str] = []
        """Subscriptions that the ring's events are for."""
        self._topic = topic
        self._log = log
        self._letters = letters
        self._mart = mart
        self._prefixes = Prefixes(log)
        self._suspects: list[Early] = []
        self._begun = False
        self._after: defaultdict[str, int] = defaultdict(int)
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
        self._stop = threading.Event()
        self._step = threading.Lock()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    @property
    def produced(self) -> int:
        """Events produced so far."""
        return sum(map(len, self._log))

    @property
    def backwards(self) -> int:
        """Commits seen that moved a position back."""
        return self._prefixes.backwards

    @property
    def done(self) -> bool:
        """Whether everything produced so far is settled and committed."""
        if self._failure is not None:
            raise RuntimeError("the watch has ended") from self._failure
        return len(self.settled) >= self.produced and self.all_committed

    @property
    def all_committed(self) -> bool:
        """Whether the positions are behind the last event of each partition."""
        return [self.committed.get(number, 0) for number in range(len(self._log))] == list(map(len, self._log))

    def peak(self, seconds: float = 1.0) -> float:
        """The greatest rate of arrival over any such time, in events a second."""
        rates = [0.0]
        for start, (began, before) in enumerate(self.history):
            later = next(((at, count) for at, count in self.history[start:] if at >= began + seconds), None)
            if later is not None:
                rates.append((later[1] - before) / (later[0] - began))
        return max(rates)

    def rate(self, start: float, end: float) -> float:
        """The rate of arrival between two times of the monotonic clock, in events a second; 0 without samples."""
        within = [each for each in self.history if start <= each[0] <= end]
        if len(within) < 2:  # noqa: PLR2004 - a rate needs two
            return 0.0
        (began, before), (ended, after) = within[0], within[-1]
        return (after - before) / (ended - began)

    def look(self) -> None:
        """Sample now, as the thread does by itself; raises where broker or data mart do not answer."""
        with self._step:
            self._look()

    def still(self) -> AbstractContextManager[object]:
        """No sample is taken in this context: for whoever reads what the watch reads."""
        return self._step

    def forgive(self) -> None:
        """Count a standstill from now: what was before was meant."""
        self.moved = time.monotonic()
        self.standstill = 0.0

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            try:
                self.look()
            except (KafkaException, httpx.HTTPError, TimeoutError):
                continue  # that sample is none: nothing was judged by it
            except BaseException as error:
                self._failure = error
                raise

    def _look(self) -> None:
        committed = self._committed()
        before = len(self.settled)
        self._read_arrivals()
        self.settled.update(self._letters.read())
        self._suspects = [each for each in self._covered(committed) if each.event not in self.settled]
        if self._suspects:  # their letters may be written and not have been fetched
            self.settled.update(self._letters.read_to_the_end())
            self.early += [each for each in self._suspects if each.event not in self.settled]
            self._suspects.clear()
        self.committed = committed
        self.history.append((time.monotonic(), self.arrived))
        self._measure(moved=len(self.settled) > before)

    def _covered(self, committed: dict[int, int]) -> list[Early]:
        """What is to be looked at now, with what could not be looked at before: letters were out of reach."""
        return self._suspects + self._prefixes.covered(committed)

    def _committed(self) -> dict[int, int]:
        asked = [TopicPartition(self._topic, number) for number in range(len(self._log))]
        found = self._consumer.committed(asked, timeout=ANSWER_SECONDS)
        for each in found:
            if each.error is not None:
                raise KafkaException(each.error)
        return {each.partition: each.offset for each in found if each.offset >= 0}

    def _read_arrivals(self) -> None:
        for subscription in self.subscriptions:
            ids, self._after[subscription] = self._mart.arrivals(subscription, self._after[subscription])
            self.arrived += len(ids)
            self.settled.update(ids)

    def _measure(self, *, moved: bool) -> None:
        now = time.monotonic()
        if self._begun:  # what was before the first was only a start
            self.standstill = max(self.standstill, now - self.moved)
        if moved or len(self.settled) >= self.produced:
            self.moved = now
            self._begun = self._begun or moved
