"""Halves of scorings that wait for each other: a request and a response that come as two records of one partition."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.flow.offsets import size_of
from worker.model import Disposition, Pair, Refusal, Rejection, Side

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from worker.model import Claim, Envelope, Half

LOOK = 2.0
"""Seconds of reading that one look counts at most, however long ago the last one was."""

RECENT = 8
"""Records whose Kafka timestamps must all be younger: a single one may be of any time that its producer had."""


@dataclass(frozen=True, slots=True)
class _Waiter:
    """A half that waits since it was read; `size` in bytes, `read` the seconds for which its claim had been read."""

    side: Side
    envelope: Envelope
    since: float
    size: int
    read: float


@dataclass(slots=True)
class _Of:
    """What waits of one claim, by key, the oldest first.

    `latest` are the Kafka timestamps that were read last; `read` is for how many seconds it has been read, as `came`
    says that something was since the look at `looked`.
    """

    waiters: dict[str, _Waiter] = field(default_factory=dict)
    size: int = 0
    latest: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))
    read: float = 0.0
    came: bool = False
    looked: float = 0.0


class Joining:
    """Joins halves within a claim. No half waits for ever, and none that could still come is given up for lost.

    A half is unpaired once it has waited for `window` seconds, and its partition has been read far enough: to its end
    as it is now, or, after as many seconds of reading, to records that are younger by the window. A data mart that is
    down for hours stops the reading, and so unpairs nothing that may still come. Beyond so many records or bytes the
    oldest are unpaired at once, so that what waits is bounded.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._of: dict[Claim, _Of] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def held(self) -> Iterator[Envelope]:
        """The records that wait."""
        return (waiter.envelope for of in self._of.values() for waiter in of.waiters.values())

    def add(self, half: Half, envelope: Envelope, now: float) -> Pair | Rejection | None:
        """Take a half: the scoring that it completes; its rejection if it is there already; None if it waits."""
        of = self._of.setdefault(envelope.claim, _Of())
        of.latest.append(envelope.timestamp_ms)
        of.came = True
        other = of.waiters.get(half.key)
        if other is None:
            size = size_of(envelope)
            of.waiters[half.key] = _Waiter(half.side, envelope, now, size, of.read)
            of.size += size
            self._count += 1
            return None
        if other.side is half.side:
            detail = f"a {half.side} with this id waits for its {half.side.other} already; the first of them is kept"
            return Rejection(envelope, Refusal(Disposition.VALIDATION, f"duplicate-{half.side}", detail))
        self._remove(of, half.key)
        halves = (envelope, other.envelope) if half.side is Side.REQUEST else (other.envelope, envelope)
        return Pair.of(*halves)

    def waits(self, half: Half, claim: Claim) -> Envelope | None:
        """The record that waits under the key of a half, be it the same side or the other."""
        of = self._of.get(claim)
        waiter = of.waiters.get(half.key) if of is not None else None
        return waiter.envelope if waiter is not None else None

    def give_up(self, half: Half, claim: Claim) -> Rejection:
        """Give up what waits under the key of a half; raises `KeyError` where nothing does."""
        return self._given_up(self._of[claim], half.key, "before another one of the same side")

    def crowd_out(self, records: int, size: int) -> list[Rejection]:
        """Give up the oldest of each claim that has more waiting than so many, or so many bytes; never the newest."""
        return [each for of in self._of.values() for each in self._crowded_out(of, records, size)]

    def _crowded_out(self, of: _Of, records: int, size: int) -> Iterator[Rejection]:
        while len(of.waiters) > 1 and (len(of.waiters) > records or of.size > size):
            yield self._given_up(of, next(iter(of.waiters)), "while more wait than limits allow")

    def give_up_oldest(self) -> list[Rejection]:
        """Give up the oldest of all: nothing else is open, and there is no room to read its other half."""
        ofs = [of for of in self._of.values() if of.waiters]
        if not ofs:
            return []
        of = min(ofs, key=lambda of: next(iter(of.waiters.values())).since)
        return [self._given_up(of, next(iter(of.waiters)), "and limits.bytes has no room to read on")]

    def overdue(self, now: float) -> list[Claim]:
        """The claims whose oldest half has waited for the window: of these the end has to be known."""
        oldest = {claim: next(iter(of.waiters.values())) for claim, of in self._of.items() if of.waiters}
        return [claim for claim, waiter in oldest.items() if now - waiter.since >= self._window]

    def look(self, lags: Mapping[Claim, int], now: float) -> list[Rejection]:
        """Give up what has waited long enough; to be called once a second.

        `lags`: records of a claim between what was read and its end as it is now. Where it is not told, only what was
        read decides.
        """
        given_up: list[Rejection] = []
        for claim, of in self._of.items():
            _count_reading(of, now)
            given_up += self._over(of, now, ended=lags.get(claim) == 0)
        return given_up

    def _over(self, of: _Of, now: float, *, ended: bool) -> Iterator[Rejection]:
        """The oldest are first, so the first that may still come ends the look."""
        for key, waiter in list(of.waiters.items()):
            if now - waiter.since < self._window:
                return
            passed = of.read - waiter.read >= self._window and self._younger(of, waiter)
            if ended or passed:
                yield self._given_up(of, key, f"within the {self._window:g} s of events.pairing_seconds")

    def _younger(self, of: _Of, waiter: _Waiter) -> bool:
        """Whether what was read last was made later than a half by the window."""
        made = waiter.envelope.timestamp_ms
        return made >= 0 and min(of.latest) - made >= self._window * 1000

    def _given_up(self, of: _Of, key: str, why: str) -> Rejection:
        waiter = self._remove(of, key)
        detail = f"no {waiter.side.other} with the id of this {waiter.side} has come in its partition {why}"
        return Rejection(waiter.envelope, Refusal(Disposition.VALIDATION, f"unpaired-{waiter.side}", detail))

    def _remove(self, of: _Of, key: str) -> _Waiter:
        waiter = of.waiters.pop(key)
        of.size -= waiter.size
        self._count -= 1
        return waiter

    def drop(self, claims: Collection[Claim]) -> None:
        """Forget what waits for claims that are gone: the next owner reads it again."""
        for claim in claims:
            of = self._of.pop(claim, None)
            self._count -= len(of.waiters) if of is not None else 0

    def why(self, claim: Claim, offset: int) -> str | None:
        """What a record that is held here waits for, in a few words; None if it is not held here."""
        waiters = self._of[claim].waiters.values() if claim in self._of else ()
        found = (waiter for waiter in waiters if waiter.envelope.offset == offset)
        return next((f"waits for its {waiter.side.other}" for waiter in found), None)


def _count_reading(of: _Of, now: float) -> None:
    """Time counts as reading if something has come in it: in an outage nothing does, whatever the lag."""
    if of.came:
        of.read += min(now - of.looked, LOOK)
    of.came, of.looked = False, now
