"""The demo itself: everything is started, events flow, everything ends, and the books are opened."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.demo import ends, engines
from worker.demo.accounting import account, uncommitted
from worker.demo.broker import EmbeddedBroker
from worker.demo.ends import LetterBox
from worker.demo.producer import Services, plan
from worker.demo.show import Count, Screen
from worker.demo.signals import Interrupted, Signals
from worker.demo.troubles import Troubles
from worker.demo.workers import Workers
from worker.sandbox.seed import DATA_MART_ID, seed
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.demo.accounting import Account
    from worker.sandbox.seed import Seeded
    from worker.sandbox.serve import RunningSandbox

TOPIC = "payload-events"
LETTERS = f"dlq.{TOPIC}"
GROUP = "payload-worker-demo"

_WORKERS = 2
_LOOK_SECONDS = 0.2
_STALLED_SECONDS = 30
_STOP_SECONDS = 25


@dataclass(frozen=True, slots=True)
class Stage:
    """All that runs during a demo."""

    broker: EmbeddedBroker
    engines: dict[str, str]
    sandbox: RunningSandbox
    seeded: dict[str, Seeded]
    troubles: Troubles
    services: Services
    letters: LetterBox
    workers: Workers

    def count(self) -> Count:
        """How far it is; what is stored is counted when the data mart said so to the worker."""
        self.letters.read()
        return Count(len(self.services.sent), self.sandbox.stats()["distinct"], len(self.letters.found))


def demo(events: int) -> int:
    """Play it with so many events, and return the exit code: 0 only if every event is accounted for."""
    planned = list(plan(events))
    bad = sum(each.mistake is not None for each in planned)
    screen = Screen(Count(events, events - bad, bad))
    with Signals() as signals:
        try:
            with ExitStack() as stack:
                stage = _set(stack)
                _introduce(stage, screen)
                with screen.progress():
                    _produce(stage, screen, signals, events)
                    _await(stage, screen, signals, events)
                return _close(stage, screen, events)
        except Interrupted as interrupted:
            screen.say("Interrupted; everything that was started has been stopped.")
            return 128 + interrupted.number


def _set(stack: ExitStack) -> Stage:
    """Sink first, source last; the workers begin to join their group while nothing is there to read."""
    broker = stack.enter_context(EmbeddedBroker([TOPIC, LETTERS]))
    urls = stack.enter_context(engines.running())
    sandbox = stack.enter_context(running())
    seeded = seed(sandbox.url, scoring_urls=urls)
    subscriptions = {engine: ids.subscription_id for engine, ids in seeded.items()}
    return Stage(
        broker,
        urls,
        sandbox,
        seeded,
        stack.enter_context(Troubles(sandbox.url, subscriptions)),
        stack.enter_context(Services(broker, TOPIC, seeded, urls)),
        stack.enter_context(LetterBox(broker.bootstrap, LETTERS)),
        stack.enter_context(Workers(_settings(broker.bootstrap, sandbox.url), _WORKERS)),
    )


def _settings(bootstrap: str, mart: str) -> dict[str, str]:
    """Of the workers. One subscription a post and small batches, so that each engine has posts to go wrong.

    With group.protocol=consumer (KIP-848) both get their partitions from the embedded broker, and commit when they
    give them up; under the classic protocols it does not let them.
    """
    return {
        "KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "KAFKA__TOPICS": f'["{TOPIC}"]',
        "KAFKA__GROUP_ID": GROUP,
        "KAFKA__CONSUMER__GROUP_PROTOCOL": "consumer",
        "MART__URL": mart,
        "MART__DATA_MART_ID": DATA_MART_ID,
        "MART__API_KEY": "sandbox",
        "BATCH__RECORDS": "20",
        "BATCH__GROUP_BY": "subscription",
        "HTTP__PORT": "0",
        "LOG__FORMAT": "json",
    }


def _introduce(stage: Stage, screen: Screen) -> None:
    screen.say("From scorings on four engines, through Kafka, to rows in a data mart:", "bold")
    screen.pairs(
        {
            "broker": f"embedded, {stage.broker.bootstrap}",
            "topics": f"{TOPIC}, {LETTERS}",
            "data mart": f"sandbox, {stage.sandbox.url}",
            **{engine: f"engine, {url}" for engine, url in stage.engines.items()},
            "workers": f"payload-worker run, processes {' and '.join(map(str, stage.workers.pids))}",
        }
    )


def _produce(stage: Stage, screen: Screen, signals: Signals, events: int) -> None:
    looked = time.monotonic()
    for planned in plan(events):
        signals.check()
        stage.services.score(planned)
        if time.monotonic() - looked >= _LOOK_SECONDS:
            screen.show(stage.count())
            looked = time.monotonic()
    stage.services.flush()


def _await(stage: Stage, screen: Screen, signals: Signals, events: int) -> None:
    """Until every event has met its fate, or nothing has moved for long, or a worker is gone."""
    count, moved = Count(), time.monotonic()
    while count.settled < events and stage.workers.running() and time.monotonic() - moved < _STALLED_SECONDS:
        signals.check()
        time.sleep(_LOOK_SECONDS)
        before, count = count, stage.count()
        moved = moved if count == before else time.monotonic()
        screen.show(count)


def _close(stage: Stage, screen: Screen, events: int) -> int:
    """End the workers, open the books."""
    problems = [] if stage.workers.running() else ["a worker ended before it was asked to"]
    problems += stage.workers.stop(_STOP_SECONDS)
    problems += uncommitted(*ends.positions(stage.broker.bootstrap, GROUP, TOPIC))
    if len(stage.services.sent) != events:
        problems.append(f"the broker acknowledged {len(stage.services.sent):,} of {events:,} events")
    found = _account(stage)
    screen.books(found, stage.troubles.met(), ends.repeated(stage.sandbox, stage.seeded))
    code = conclude(found, problems, screen)
    if code:
        screen.say(stage.workers.logs())
    return code


def _account(stage: Stage) -> Account:
    stage.letters.read_all()
    return account(stage.services.sent, ends.stored(stage.sandbox, stage.seeded), stage.letters.found)


def conclude(found: Account, problems: Sequence[str], screen: Screen) -> int:
    """Say what the books say, and return the exit code; `problems` are what went wrong beside events."""
    if problems or not found.balanced:
        screen.faults(found, problems)
        return 1
    screen.balance(found)
    screen.next_steps()
    return 0
