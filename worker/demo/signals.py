"""Ctrl-C and its like: noted when they come, heeded where it is safe to stop."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[int, Any], Any] | int | None

_HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818 - somebody's wish, not an error
    """The demo was asked to end; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """Within its context signals are only noted, so that nothing is left half started; `check` raises for them.

    A signal that was ignored before (`nohup`) stays ignored.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Handler] = {}
        self._received: list[int] = []

    def __enter__(self) -> Self:
        for number in _HEEDED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        if self._received:
            raise Interrupted(self._received[0])

    def _note(self, number: int, _: Any) -> None:
        self._received.append(number)
