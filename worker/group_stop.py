"""The flood guard's stop of this worker and of its group, kept in step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from worker.edges.stop_note import StopNote
    from worker.flow.flood import Stop
    from worker.flow.flow import Flow

log = structlog.get_logger()


class GroupStop:
    """Writes down a stop of this worker, obeys one of another, and goes on when the group is resumed."""

    def __init__(self, flow: Flow, note: StopNote) -> None:
        self._flow = flow
        self._note = note
        self._error: str | None = None

    def read_now(self) -> None:
        """Obey the stop that stands already, before anything is read; raises `ClusterError` if none can be asked."""
        stop = self._note.read_now()
        if stop is not None:
            self._obey(stop)

    def step(self) -> None:
        """Take a step; never waits."""
        mine = self._flow.stopped
        if mine is not None and not mine.at:
            stop = replace(mine, at=datetime.now(UTC).isoformat(timespec="milliseconds"))
            self._flow.halt(stop)
            self._note.write(stop)
        stop_now = self._note.poll()
        if stop_now is None and mine is not None:
            self._flow.resume()
            log.info("flood.resumed")
        elif stop_now is not None and mine is None:
            self._obey(stop_now)
        self._tell()

    def close(self) -> None:
        """Take the last step, and wait for a stop that is not written yet: the next worker would not know of it."""
        self.step()
        self._note.close()

    def _obey(self, stop: Stop) -> None:
        self._flow.halt(stop)
        log.warning("flood.group_stopped", code=stop.code, refused=stop.refused, of=stop.of, at=stop.at)

    def _tell(self) -> None:
        if self._note.error != self._error:
            self._error = self._note.error
            if self._error is not None:
                log.warning("flood.note_failed", error=self._error)
