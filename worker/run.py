"""The loop: one thread reads, walks records through the rooms, starts jobs, takes outcomes, commits."""

from __future__ import annotations

import gc
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import structlog

from worker.flow.jobs import Letter, Lettered, Posted
from worker.showing import Parts, reading, trouble
from worker.telemetry import Reading, Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from worker.edges.directory import DirectoryKeeper
    from worker.edges.schema_keeper import SchemaKeeper
    from worker.flow.flow import Flow
    from worker.model import Claim, Envelope, Half, Rejection
    from worker.rooms.directory import Directory
    from worker.seams import LetterBox, Poster, Rooms, Source, Warden

POLL = 0.02
"""Seconds that one turn waits for a record, or for an outcome where there is no room for more records."""

REVOKE_BUDGET = 10.0
"""Seconds that a revocation waits at most for what is in flight: the whole group waits with it."""

LAST_COMMIT = 2.0
"""Seconds that the last commit has at least, whatever the drain has taken."""

COMMIT_INTERVAL = 1.0
"""Seconds between commits while reading goes on."""

SWITCH_INTERVAL = 0.002
"""Seconds for which a thread that computes keeps others from the interpreter."""

log = structlog.get_logger()


class Worker:
    """Owns everything that is in flight. `run` returns once `stop` was asked for and what was open is settled."""

    def __init__(
        self,
        *,
        make_source: Callable[[Worker], Source],
        suite: Rooms,
        flow: Flow,
        courier: Poster,
        letters: LetterBox,
        keeper: DirectoryKeeper,
        schemas: SchemaKeeper,
        group_stop: Warden,
        token_fetches: Callable[[], int],
        drain: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._suite = suite
        self._flow = flow
        self._courier = courier
        self._letters = letters
        self._keeper = keeper
        self._schemas = schemas
        self._group_stop = group_stop
        self._drain = drain
        self._clock = clock
        self._source = make_source(self)
        self._directory: Directory | None = None
        self._stops = 0
        self._drained = False
        self._closing = False
        self._committed_at = clock()
        self._marks: dict[tuple[str, ...], float] = {}
        self._parts = Parts(flow, self._source, keeper, schemas, token_fetches, self._marks)
        self._sampler = Sampler(10)
        self.reading = Reading(clock(), "starting", started=False)

    # --- the loop -----------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Work until stopped; True if everything that was read is settled and committed.

        Raises:
            SourceError: Kafka cannot be read any more; what is not committed will be read again.
        """
        try:
            while not self._stops:
                self._turn()
            return self._finish()
        finally:
            self._publish("stopped")
            self._group_stop.close()
            self._closing = True  # nothing more is committed: a broker that is silent must not be waited for
            self._source.close(at_once=self._stops > 1)
            self._letters.close()
            self._courier.close()
            self._schemas.close()

    def stop(self) -> None:
        """Ask the loop to end: once, after what is open is settled; twice, at once. Safe in a signal handler."""
        self._stops += 1

    def _turn(self) -> None:
        room = self._flow.room if self._directory is not None else 0
        wait = POLL if room == 0 or self._flow.posts_wait else 0  # an outcome is what will bring things on
        if self._directory is not None:
            chunk = self._source.read(room, 0 if wait else POLL)
            self._take(self._flow.begin(chunk))
            wait = 0 if chunk else wait
        self._deliver(wait)
        self._refresh()
        self._read_again()
        self._group_stop.step()
        self._commit_when_due()

    def _take(self, envelopes: Collection[Envelope]) -> None:
        """Walk records that were begun through the rooms."""
        if envelopes and self._directory is not None:
            passed = self._suite.walk(envelopes, self._directory)
            now = self._clock()
            self._flow.admit(passed.rows, passed.rejected, now)
            self._flow.park(passed.unknown, now)
            self._flow.shelve(passed.unread)
            if passed.halves:
                self._join(passed.halves, now)
            if self._flow.crowding:
                self._flow.make_room()
                self._source.hold(self._flow.crowded)
            self._report(passed.rejected)

    def _join(self, halves: Collection[tuple[Half, Envelope]], now: float) -> None:
        """Let halves of scorings wait for the others, and walk those that are whole through the rooms."""
        pairs, refused = self._flow.join(halves, now)
        self._refuse(refused, now)
        self._take(pairs)

    def _unpair(self, now: float) -> None:
        """Refuse the halves whose others have not come."""
        if self._flow.halves and not self._stops:
            self._refuse(self._flow.unpaired(self._source.lag_now(self._flow.overdue_halves(now)), now), now)

    def _refuse(self, rejections: Collection[Rejection], now: float) -> None:
        self._flow.admit((), rejections, now)
        self._report(rejections)

    def _read_again(self) -> None:
        """Walk again what waited for schemas of which all is known now."""
        known = self._schemas.poll(self._flow.wanted_schemas)
        if known:
            self._take(self._flow.unshelve(known))

    def _deliver(self, wait: float) -> None:
        for job in self._flow.due(self._clock()):
            if isinstance(job, Letter):
                self._letters.send(job)
            else:
                self._courier.send(job)
        self._collect(wait)

    def _collect(self, wait: float) -> None:
        outcomes: list[Posted | Lettered] = [*self._courier.collect(wait), *self._letters.collect()]
        now = self._clock()
        for outcome in outcomes:
            self._flow.settle(outcome, now)
        for notice in self._flow.account.notices:
            log.warning(notice.event, **notice.fields)
        self._flow.account.notices.clear()
        self._report(self._flow.account.refused)
        self._flow.account.refused.clear()

    def _refresh(self) -> None:
        """Take in a new directory, and walk again with it what the old one did not know."""
        directory = self._keeper.poll(wanted=self._flow.wants_directory)
        if directory is None:
            if self._keeper.error and self._sampler.admit("directory", self._clock()) is not None:
                log.warning("directory.stale", error=self._keeper.error)
            return
        self._directory = directory
        waiting = self._flow.unpark(directory.begun)
        passed = self._suite.walk([rejection.envelope for rejection in waiting], directory)
        self._flow.still_unknown(passed.unknown, directory.begun)
        refused = passed.rejected + _explained(passed.unknown, waiting)
        self._flow.admit(passed.rows, refused, self._clock())
        self._report(refused)

    # --- committing ---------------------------------------------------------------------------------------------

    def _commit_when_due(self) -> None:
        now = self._clock()
        if now - self._committed_at < COMMIT_INTERVAL:
            return
        self._committed_at = now
        self._commit()
        self._flow.look(now)
        self._unpair(now)
        self._source.hold(self._flow.crowded)
        self._publish(trouble(self._parts, self._directory, now))

    def _commit(self, *, again: bool = False) -> bool:
        self._flow.committed(dict.fromkeys(self._source.failed_commits()))
        marks = self._flow.committable(again=again)
        self._remember(marks)
        return self._source.commit(marks, wait=False)

    def _remember(self, marks: Mapping[Claim, int]) -> None:
        self._flow.committed(marks)
        for claim, mark in marks.items():
            self._marks[claim.topic, str(claim.partition)] = mark

    # --- ending -------------------------------------------------------------------------------------------------

    def _finish(self) -> bool:
        """Settle what is open, for at most the drain budget, and not while nothing can be delivered."""
        deadline = self._clock() + self._drain
        self._flow.stop()
        self._source.stop_reading()
        log.info("drain.began", records=self._flow.open_records)
        while not self._flow.idle and self._stops == 1 and self._clock() < deadline:
            if self._flow.stuck and not self._flow.in_flight:
                break
            self._source.read(0, 0)
            self._deliver(POLL)
            self._refresh()
            self._read_again()
            self._group_stop.step()
            self._commit_when_due()
        self._drained = True
        committed = self._commit_last(max(deadline, self._clock() + LAST_COMMIT))
        log.info("drain.ended", left=self._flow.open_records, committed=committed)
        return self._flow.idle and committed

    def _commit_last(self, deadline: float) -> bool:
        """Commit all that is settled, and wait for the broker's word; False if it has not come in time.

        Waited for by polling: a rebalance under way must go on, or no commit passes, and a second signal be heard.
        """
        failed = not self._commit(again=True)
        while self._clock() < deadline:
            if self._stops > 1:
                deadline = min(deadline, self._clock() + LAST_COMMIT)
            if not self._source.committing:
                if not failed and not self._source.commits_failed:
                    return True
                failed = not self._commit(again=True)
            self._source.read(0, POLL)
        return False

    # --- claims: called by the source while it reads ----------------------------------------------------------------

    def assigned(self, claims: Collection[Claim]) -> None:
        """Take charge of new claims."""
        self._flow.assign(claims)
        log.info("partitions.assigned", partitions=_names(claims))

    def revoked(self, claims: Collection[Claim]) -> Mapping[Claim, int]:
        """Wait for what is in flight, within the drain budget, then forget the claims; the marks to commit."""
        deadline = self._clock() + min(self._drain, REVOKE_BUDGET)
        while self._flow.in_flight and not self._flow.stuck and self._clock() < deadline:
            if self._drained or self._stops > 1:
                break
            self._collect(POLL)
        found = {} if self._closing else self._flow.committable(again=True)
        marks = {claim: mark for claim, mark in found.items() if claim in claims}
        self._remember(marks)
        self._flow.release(claims)
        log.info("partitions.revoked", partitions=_names(claims))
        return marks

    def lost(self, claims: Collection[Claim]) -> None:
        """Forget claims that another worker may own already."""
        self._flow.release(claims)
        log.warning("partitions.lost", partitions=_names(claims))

    # --- showing ------------------------------------------------------------------------------------------------

    def _report(self, rejections: Collection[Rejection]) -> None:
        """One line for each kind of rejection every ten seconds: the dead-letter topic has them all."""
        for each in rejections:
            held = self._sampler.admit((each.refusal.disposition, each.refusal.code), self._clock())
            if held is not None:
                log.warning(
                    "record.rejected",
                    topic=each.envelope.claim.topic,
                    partition=each.envelope.claim.partition,
                    offset=each.envelope.offset,
                    disposition=str(each.refusal.disposition),
                    code=each.refusal.code,
                    detail=each.refusal.detail,
                    held_back=held,
                )

    def _publish(self, ready: str | None) -> None:
        self.reading = reading(self._parts, self._directory, ready, self._clock())


def settle_down() -> None:
    """Let Python collect garbage less often, and switch between threads more often, than it does by default.

    Records make many objects and no cycles: with the default thresholds a tenth of the time goes into looking for some.
    And a post needs the interpreter a handful of times for a moment, and would wait 5 ms for the loop each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    sys.setswitchinterval(SWITCH_INTERVAL)


def stop_on_signals(worker: Worker) -> list[int]:
    """Let SIGTERM and SIGINT stop the worker; the list fills with the signals as they come."""
    received: list[int] = []

    def note(number: int, _: Any) -> None:
        received.append(number)
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    return received


def _explained(unknown: Collection[Rejection], waiting: Collection[Rejection]) -> list[Rejection]:
    """What the new directory does not know either: where the data mart itself had said so, its answer explains more."""
    told = {id(each.envelope): each for each in waiting if each.status is not None}
    return [told.get(id(each.envelope), each) for each in unknown]


def _names(claims: Collection[Claim]) -> list[str]:
    return [f"{claim.topic}[{claim.partition}]" for claim in claims]
