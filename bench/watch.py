"""A process under observation: what it and those that it starts take of the processor and of memory."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Final

import psutil

SEARCH_SECONDS: Final = 0.5
"""Seconds between two looks for new children, which cost some milliseconds each on a machine with many processes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The resident bytes of the largest process, `seconds` after the watch began."""

    seconds: float
    rss: int


class Watch:
    """`root` is a process by its id; its children are found as they come, and count also after their end."""

    def __init__(self, root: int) -> None:
        self._root = psutil.Process(root)
        self._known = {root: self._root}
        self._spent: dict[int, float] = {}
        self._began = time.monotonic()
        self._searched = float("-inf")
        self.samples: list[Sample] = []
        """One for each `look`, oldest first."""
        self.total = 0
        """The most resident bytes of all together."""

    @property
    def rss(self) -> int:
        """The most resident bytes that one process was seen with."""
        return max((each.rss for each in self.samples), default=0)

    @property
    def processes(self) -> int:
        """How many processes there were."""
        return len(self._known)

    def cpu(self) -> float:
        """CPU seconds, user and system, that all have taken since each began."""
        self._search()
        for pid, process in self._known.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                self._spent[pid] = float(times.user + times.system)
        return sum(self._spent.values())

    def look(self) -> None:
        """Take a sample of memory."""
        now = time.monotonic()
        if now - self._searched > SEARCH_SECONDS:
            self._searched = now
            self._search()
        resident = [_rss(each) for each in self._known.values()]
        self.samples.append(Sample(now - self._began, max(resident, default=0)))
        self.total = max(self.total, sum(resident))

    def kill(self) -> None:
        """End them all at once."""
        self._search()
        for each in self._known.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()

    def _search(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in self._root.children(recursive=True):
                self._known.setdefault(child.pid, child)


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
