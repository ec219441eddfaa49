"""What a scenario plays in: topics, a group and a data mart of its own; workers, a watch, and the books at the end."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from chaos.letters import Letters
from chaos.mart import Mart, mart
from chaos.oracle import Evidence, judge
from chaos.outcome import Outcome
from chaos.watch import Watch
from chaos.writer import Writer
from tests.way.stage import Stage, WorkerProcess
from worker.sandbox.seed import seed as seed_mart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from tests.kafka.broker import Broker

TAG_BITS = 32
POLL_SECONDS = 0.05
LOG_TAIL = 3000


@dataclass
class Ring:
    """One play. `stage` has topics, group, settings and the data mart; `rng` is where all its chance comes from.

    What a scenario claims, it says with `claim`; what people should know, with `note`; at last it returns `close()`.
    """

    broker: Broker
    stage: Stage
    mart: Mart
    writer: Writer
    letters: Letters
    watch: Watch
    rng: random.Random
    faults: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """The workers' settings beside those that a stage gives, as environment variables without their prefix."""
        return self.stage.settings

    @settings.setter
    def settings(self, given: dict[str, str]) -> None:
        self.stage.settings = given

    @property
    def subscription(self) -> str:
        """The id of the subscription that events are for, unless their template names another asset."""
        return self.stage.seeded["custom"].subscription_id

    def subscribe(self, asset: str) -> str:
        """Subscribe one more asset of the custom engine, and watch it; its subscription's id."""
        found = self.stage.subscribe("custom", asset)
        self.watch.subscriptions.append(found)
        return found

    @contextmanager
    def worker(self, **settings: str) -> Iterator[WorkerProcess]:
        """A worker as a process, in the ring's group; killed at the end if it still runs.

        Where the play breaks, and the worker had ended, the end of its log goes to standard error.
        """
        with self.stage.worker(**settings) as process:
            try:
                yield process
            except Exception:
                code = process.process.poll()
                if code is not None:
                    print(f"a worker had ended with {code}:\n{process.log()[-LOG_TAIL:]}", file=sys.stderr)
                raise

    def start(self, **settings: str) -> WorkerProcess:
        """The same, for whoever ends it by `kill` in any case."""
        return WorkerProcess(self.stage.environment(**settings), self.stage.code)

    # --- what a scenario says ---------------------------------------------------------------------------------------

    def claim(self, held: bool, what: str) -> bool:  # noqa: FBT001 - a claim begins with whether it held
        """A part of the verdict: `what` is wrong unless it held; play goes on. Returns whether it held."""
        if not held:
            self.faults.append(what)
        return held

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 60) -> bool:
        """Wait until something holds: a claim that it does within so many seconds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return self.claim(held=False, what=f"not within {seconds:.0f} s: {what}")
            time.sleep(POLL_SECONDS)
        return True

    def until_done(self, seconds: float = 90) -> bool:
        """Wait until all that was produced is settled and committed: a claim."""
        return self.until(lambda: self.watch.done, "everything settled and committed", seconds)

    def stop(self, worker: WorkerProcess, seconds: float = 30) -> float:
        """End a worker by SIGTERM; a claim that it exits with 0 in that time. How long it took."""
        began = time.monotonic()
        self.stop_all([worker], seconds)
        return time.monotonic() - began

    def stop_all(self, workers: Sequence[WorkerProcess], seconds: float = 30) -> None:
        """End several at the same time; the same claim for each."""
        for worker in workers:
            worker.signal(signal.SIGTERM)
        for worker in workers:
            self._ended(worker, seconds)

    def _ended(self, worker: WorkerProcess, seconds: float) -> None:
        try:
            code = worker.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.claim(held=False, what=f"a worker had not ended {seconds:.0f} s after SIGTERM")
        else:
            self.claim(code == 0, f"a worker exited with {code}: {worker.log()[-500:]}")

    def note(self, name: str, value: object) -> None:
        """For people: a figure of this play."""
        self.notes[name] = str(value)

    # --- the books --------------------------------------------------------------------------------------------------

    def close(
        self,
        variant: str = "",
        *,
        duplicates: int | None = None,
        both: bool = False,
        committed: bool = True,
        deleted: AbstractSet[str] = frozenset(),
    ) -> Outcome:
        """Close the books, once the workers have ended.

        `duplicates`: so many at most (None: they are only reported); `both`: an event may be stored and dead-lettered;
        `committed`: everything must be committed; `deleted`: events that Kafka itself has deleted may be missing.
        """
        self.watch.look()
        judgement = judge(self.evidence())
        early = tuple(each for each in judgement.early if each.event not in deleted)
        judgement = replace(judgement, missing=judgement.missing - deleted, early=early)
        faults = [*self.faults, *judgement.faults(both=both)]
        if duplicates is not None and judgement.duplicates > duplicates:
            faults.append(f"{judgement.duplicates} duplicates, more than {duplicates}")
        if committed and not self.watch.all_committed:
            faults.append(f"not everything is committed: {sum(self.watch.committed.values())} of {judgement.events}")
        self.note("longest standstill", f"{self.watch.standstill:.1f} s")
        if self.watch.backwards:
            self.note("commits that went back", self.watch.backwards)
        return Outcome(variant=variant, judgement=judgement, notes=dict(self.notes), faults=tuple(faults))

    def evidence(self) -> Evidence:
        """All that there is to judge by."""
        received: dict[str, int] = {}
        seen: dict[str, int] = {}
        for subscription in self.watch.subscriptions:
            for event, (times, unanswered) in self.mart.received(subscription).items():
                received |= {event: times} if times else {}
                seen |= {event: unanswered} if unanswered else {}
        with self.watch.still():
            self.letters.read_to_the_end()
            lettered = {event: tuple(each) for event, each in self.letters.dispositions.items()}
        return Evidence(
            produced=frozenset(event for ids in self.writer.log for event in ids),
            received=received,
            seen=seen,
            stored=self.mart.stored(),
            lettered=lettered,
            early=tuple(self.watch.early),
        )


@contextmanager
def open_ring(
    broker: Broker, seed: str, *, partitions: int, letters: bool, mart_options: Sequence[str], code: Path | None
) -> Iterator[Ring]:
    """A ring on a running broker, watched from the beginning.

    `letters` False: its dead-letter topic is not made. `mart_options` are those of `chaos.endpoint`.
    """
    rng = random.Random(seed)  # noqa: S311 - a play's chance, no secret
    name = uuid.uuid4().hex[:8]  # not of the seed: topics outlive a play
    topic, dead = f"events-{name}", f"letters-{name}"
    broker.create_topic(topic, partitions, {})
    if letters:
        broker.create_topic(dead, partitions, {})
    with ExitStack() as stack:
        sandbox = stack.enter_context(mart(*mart_options))
        stage = Stage(broker.bootstrap, topic, dead, f"group-{name}", sandbox, seed_mart(sandbox.url), code=code)
        writer = Writer(broker.bootstrap, topic, partitions, f"{rng.getrandbits(TAG_BITS):08x}", rng)
        found = stack.enter_context(closing(Letters(broker.bootstrap, dead)))
        watch = Watch(
            bootstrap=broker.bootstrap,
            topic=topic,
            group=stage.group,
            letters=found,
            mart=sandbox,
            log=writer.log,
        )
        ring = Ring(broker, stage, sandbox, writer, found, watch, rng)
        watch.subscriptions.append(ring.subscription)
        stack.enter_context(watch)
        yield ring
