"""How long a partition's commits stand still while there is something to commit: of each, not of all together."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from chaos.ring import Ring

INTERVAL = 0.2


class Stuck:
    """A thread that looks at what the ring's watch has sampled; a context manager.

    `longest`: seconds that the committed position of one partition stayed below its end without moving.
    """

    def __init__(self, ring: Ring) -> None:
        self.longest = 0.0
        self._ring = ring
        self._positions: dict[int, int] = {}
        self._moved: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stuck", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def forgive(self) -> None:
        """Count from now: what was before was meant."""
        self._moved.clear()
        self.longest = 0.0

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            now = time.monotonic()
            for partition, ids in enumerate(self._ring.writer.log):
                self._look(partition, len(ids), now)

    def _look(self, partition: int, end: int, now: float) -> None:
        position = self._ring.watch.committed.get(partition, 0)
        moved = position != self._positions.get(partition)
        self._positions[partition] = position
        if moved or position >= end:
            self._moved[partition] = now
        else:
            self.longest = max(self.longest, now - self._moved.setdefault(partition, now))
