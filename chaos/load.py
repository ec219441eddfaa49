"""Events that keep coming at a bounded rate while something else happens."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from chaos.events import GOOD, Template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaos.writer import Writer

TICK = 0.05


class Load:
    """A thread that writes `rate` events a second; a context manager, which ends it and raises what it raised.

    It never catches up on more than a second: where the broker is slow, fewer events are written.
    """

    def __init__(
        self,
        writer: Writer,
        rate: float,
        kind: Template | Callable[[int], Template] = GOOD,
        *,
        partitions: Sequence[int] | None = None,
    ) -> None:
        self.count = 0
        self._writer = writer
        self._rate = rate
        self._kind = kind
        self._partitions = partitions
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> int:
        """Stop; how many events there were. May be called again."""
        self._stop.set()
        self._thread.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return self.count

    def _run(self) -> None:
        try:
            self._write()
        except BaseException as error:  # noqa: BLE001 - raised where the load is ended
            self._failure = error

    def _write(self) -> None:
        owed, last = 0.0, time.monotonic()
        while not self._stop.wait(TICK):
            now = time.monotonic()
            owed = min(owed + (now - last) * self._rate, self._rate)
            last = now
            count = int(owed)
            if count:
                self._writer.produce(count, self._kind, partitions=self._partitions)
                self.count += count
                owed -= count
