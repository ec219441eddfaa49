"""The flood guard's stop, kept in Kafka for the whole group: it outlives restarts, of workers without disks too.

It is the metadata text of an offset: offset 0 of a side group, `<group>.stopped`, at partition 0 of each topic of
events. Nobody joins that group, so it can be written to at any time. An offset without a group expires
(`offsets.retention.minutes`, seven days unless set), so workers that are stopped write it again every hour.

Kafka has no compare-and-set here: the last write wins. Hence:

- `resume` does not empty the text but marks the stop in it as resumed. A worker whose write failed, or only seemed to,
  reads before it writes again: its own stop, marked, tells it that the stop was there and is over.
- A worker reads one time after the other, and drops a read that began before its own write: what it takes in is never
  older than what it knew. So nothing stops it again that was over before. It renews only what a read has just shown.
- A write still under way while `resume` marks would bring the stop back: `resume` looks again, and marks again. One
  that comes later yet stops the group anew, for the old reason; `resume` once more. Nothing is lost by that.
- Two workers write different stops: the last one stands, all read it, and one `resume` ends it. A stop that was not
  acknowledged before a `resume` of another is still written: nobody has seen it yet. One that was, and that `resume`
  overwrites unseen, is over with it; if the flood goes on, the guard stops again.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import orjson
from confluent_kafka import KafkaException

from worker.edges.cluster import ClusterError
from worker.edges.group_text import RETRY, GroupText, check_written, texts
from worker.flow.flood import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.config import Kafka
    from worker.edges.group_text import Answer, Offsets

INTERVAL = 5.0
"""Seconds between two reads: how soon the workers of a group stop and resume after one another."""

RENEWAL = 3600.0
"""Seconds after which a stop is written again, so that it does not expire."""

FRESH = 1.0
"""Seconds that a read may have taken for a renewal to follow it."""

SETTLE = 1.0
"""Seconds after which `clear` looks whether a write that was under way has brought the stop back."""

CLOSE = 2.0
"""Seconds that the end of a worker waits at most for a stop that is not written yet."""

_REQUEST = 5.0
"""Seconds that one request may take while the loop goes on."""

_RETRY_MAX = 30.0
"""Seconds until a write that failed is tried again, at most; at first soon."""

_MARKS = 3
"""Times that `clear` marks a stop that comes back."""


@dataclass(frozen=True, slots=True)
class _Note:
    """What the text says: a stop, or that this one is over."""

    stop: Stop
    resumed: bool = False

    def text(self) -> str:
        return orjson.dumps(asdict(self.stop) | {"resumed": self.resumed}).decode()


@dataclass(frozen=True, slots=True)
class _Request:
    answer: Answer
    began: float
    writes: bool


class StopNote:
    """The group's stop. All calls come from the thread that owns the flow; only `read_now` and `clear` block.

    `clock` is monotonic, in seconds; `offsets` is made from the settings unless given.

    Raises:
        ClientError: librdkafka refuses a setting.
    """

    def __init__(self, kafka: Kafka, clock: Callable[[], float], offsets: Offsets | None = None) -> None:
        self._text = GroupText(kafka, f"{kafka.group_id}.stopped", offsets)
        self.error: str | None = None
        """Why the stop could not be read or written the last time; None: it was, and nothing is left to write."""
        self._clock = clock
        self._stop: Stop | None = None
        self._owed = False
        self._failures = 0
        self._request: _Request | None = None
        self._due = clock()
        self._written_at = clock()

    @property
    def owed(self) -> bool:
        """Whether a stop that was given to `write` is not acknowledged yet."""
        return self._owed

    @property
    def asking(self) -> bool:
        """Whether the broker has yet to answer, or `poll` to take its answer in."""
        return self._request is not None

    def read_now(self) -> Stop | None:
        """The stop as it stands, waiting up to `TIMEOUT` seconds; what a worker asks before it reads.

        Raises:
            ClusterError: it cannot be read, so the worker must not start; the message names the group and the right.
        """
        found = self._note_now()
        self._stop = found.stop if found and not found.resumed else None
        return self._stop

    def write(self, stop: Stop) -> None:
        """Stop the group: in force here at once, and written until it is acknowledged, as `poll` is called.

        `stop.at` must be set: by that a stop is told from an older one of the same kind.
        """
        self._stop, self._owed = stop, True
        self._begin_write()

    def poll(self) -> Stop | None:
        """Take in what has come, begin what is due, never wait; the stop in force as far as this worker knows."""
        now, request = self._clock(), self._request
        if request is None:
            if now >= self._due:
                self._request = _Request(self._text.begin_read(_REQUEST), now, writes=False)
        elif request.answer.done():
            self._request = None
            self._due = now + INTERVAL
            self._take(request, now)
        return self._stop

    def clear(self, settle: float = SETTLE) -> Stop | None:
        """Resume the group, and return the stop that was in force; None: there was none.

        Waits for the broker, and then `settle` seconds for writes that were under way.

        Raises:
            ClusterError: the stop could not be read or marked, or comes back again and again.
        """
        found = self._note_now()
        if found is None or found.resumed:
            return None
        for _ in range(_MARKS):
            self._text.write_now(_Note(found.stop, resumed=True).text())
            time.sleep(settle)
            if self._note_now() != found:
                self._stop = None
                return found.stop
        raise ClusterError(f"group {self._text.group}: the stop comes back: stop the workers, resume, then start them")

    def close(self, seconds: float = CLOSE) -> None:
        """Wait for a stop that is not written yet, at most so long: the next worker would not know of it."""
        deadline = time.monotonic() + seconds
        while self._owed and time.monotonic() < deadline:
            self.poll()
            time.sleep(0.01)

    # --- without waiting ------------------------------------------------------------------------------------------

    def _take(self, request: _Request, now: float) -> None:
        try:
            if request.writes:
                check_written(request.answer)
                self._owed, self._written_at = False, now
            else:
                self._see(_read(texts(request.answer)), now, request.began)
        except KafkaException as error:
            self._failures += 1
            self.error = self._text.why(error)
            if self._owed:
                self._due = now + min(_RETRY_MAX, RETRY * 2 ** min(self._failures, 10))
        else:
            if not self._owed:
                self._failures, self.error = 0, None

    def _see(self, found: _Note | None, now: float, began: float) -> None:
        if self._owed and (found is None or found.stop != self._stop):
            self._begin_write()
            return
        self._owed = False
        self._stop = found.stop if found and not found.resumed else None
        if self._stop is not None and now - began <= FRESH and now - self._written_at >= RENEWAL:
            self._begin_write()

    def _begin_write(self) -> None:
        """What is under way is forgotten: a read that began before would show what was before."""
        if self._stop is not None:
            answer = self._text.begin_write(_Note(self._stop).text())
            self._request = _Request(answer, self._clock(), writes=True)

    def _note_now(self) -> _Note | None:
        return _read(self._text.read_now())


def _read(found: Sequence[str]) -> _Note | None:
    """What is noted; where topics differ, first a stop that none of them says is over."""
    notes = [_parsed(text) for text in found]
    over = {note.stop for note in notes if note.resumed}
    stops = sorted((note.stop for note in notes), key=lambda stop: stop in over)
    return _Note(stops[0], stops[0] in over) if stops else None


def _parsed(text: str) -> _Note:
    """A text that cannot be understood stops too: somebody has to look."""
    try:
        found: dict[str, Any] = orjson.loads(text)
        return _Note(Stop(**{field.name: found[field.name] for field in fields(Stop)}), bool(found.get("resumed")))
    except (ValueError, TypeError, KeyError):
        return _Note(Stop("unreadable", 0, 0, "unknown"))
