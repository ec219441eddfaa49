"""A worker between other ends: spans of a topic in front, and behind it the data mart, or nothing at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.compose import Ends, Inside, compose
from worker.replay.chosen import Choice, Chosen
from worker.replay.outcome import Outcome
from worker.replay.pace import Pace
from worker.replay.source import SpanSource
from worker.replay.standins import CountedLetters, CountedPosts, PairedLetters, Unsent, Unwritten
from worker.replay.watch import Watch
from worker.run import settle_down, stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.config import Settings
    from worker.flow.flow import Flow
    from worker.replay.watch import Shown
    from worker.rooms.suite import Suite
    from worker.run import Worker
    from worker.seams import Rooms
    from worker.topics.spans import Span

NICE = 19
"""How much less of the processor it gets than the live workers of the same machine."""

IN_FLIGHT = 4
"""Posts at once, at most: the live group shares the endpoint."""

RECORDS = 5_000
"""Records open at once, at most."""

ANY = Choice()


@dataclass(frozen=True, slots=True)
class Manner:
    """How a bounded run is done.

    `group` keeps its positions, None: nobody. `dry`: nothing is posted or written. `letters`: what is refused is
    dead-lettered. `rate`: records a second at most.
    """

    spans: Sequence[Span]
    group: str | None = None
    restart: bool = False
    choice: Choice = ANY
    rate: float | None = None
    dry: bool = False
    letters: bool = False


class Bounded:
    """One such run; `signals` fills with those that came.

    Raises:
        ClientError, ClusterError, RegistryError, SchemaDirectoryError: as `compose` does.
    """

    def __init__(self, settings: Settings, manner: Manner, clock: Callable[[], float]) -> None:
        self._manner = manner
        self._clock = clock
        self._worker = compose(polite(settings), clock, self._ends)
        self.signals = stop_on_signals(self._worker)

    def _ends(self, inside: Inside) -> Ends:
        manner = self._manner
        self._flow: Flow = inside.flow
        self._posts = CountedPosts(Unsent() if manner.dry else inside.courier())
        self._letters = CountedLetters(
            PairedLetters(inside.letters()) if manner.letters and not manner.dry else Unwritten()
        )
        self._watch = Watch(inside.flow, self._clock)
        self._chosen: Chosen | None = None
        return Ends(lambda worker: self._source(inside, worker), self._posts, self._letters, self._watch, self._rooms)

    def _source(self, inside: Inside, worker: Worker) -> SpanSource:
        manner = self._manner
        source = SpanSource(
            inside.settings.kafka,
            manner.spans,
            worker,
            self._clock,
            group=None if manner.dry else manner.group,
            restart=manner.restart,
            pace=None if manner.rate is None else Pace(manner.rate, self._clock()),
            notes=inside.flow.recall,
        )
        self._watch.attend(source, worker.stop)
        return source

    def _rooms(self, suite: Suite) -> Rooms:
        if self._manner.choice.all:
            return suite
        self._chosen = Chosen(suite, self._manner.choice, self._flow.pass_over)
        return self._chosen

    def show(self, shown: Shown) -> None:
        """Tell this how far it is."""
        self._watch.shown = shown

    def run(self) -> bool:
        """Work until the end, or a signal; whether all that was read is settled, and committed if it is to be.

        Raises:
            SourceError: Kafka cannot be read any more; what is not committed will be read again.
        """
        os.nice(NICE)
        settle_down()
        return self._worker.run()

    @property
    def outcome(self) -> Outcome:
        """What has come of it so far."""
        tally = self._flow.account.tally
        return Outcome(
            dry=self._manner.dry,
            ended=self._watch.ended,
            read=tally.consumed,
            posted=tally.delivered + tally.duplicates,
            batches=self._posts.batches,
            skipped=self._chosen.skipped if self._chosen else 0,
            open=self._flow.open_records,
            rows=dict(self._posts.rows),
            refused=dict(self._letters.refused),
            first=dict(self._letters.first),
            lettered=self._manner.letters,
            flood=self._flow.stopped,
            halves=self._flow.halves,
        )


def polite(settings: Settings) -> Settings:
    """The same with fewer posts and less memory; nothing is kept on disk, where the live workers keep theirs."""
    return settings.model_copy(
        update={
            "mart": settings.mart.model_copy(update={"snapshot": None}),
            "delivery": settings.delivery.model_copy(update={"in_flight": min(IN_FLIGHT, settings.delivery.in_flight)}),
            "limits": settings.limits.model_copy(update={"records": min(RECORDS, settings.limits.records)}),
        }
    )
