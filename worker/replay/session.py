"""A replay or a shadow run from its plan to its exit code: shown, asked for, done, and told."""

from __future__ import annotations

import shlex
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
import structlog
import typer

from worker.console import CONFIG, DATA, UNAVAILABLE, assure, fail, progress
from worker.edges.claims import SourceError
from worker.edges.cluster import ClientError, ClusterError
from worker.edges.fetching import fetch_directory
from worker.edges.registry import RegistryError
from worker.edges.schemas import SchemaDirectoryError
from worker.mart.client import MartClient, MartError, TokenError, token_source
from worker.replay.bar import Bar
from worker.replay.chosen import Choice
from worker.replay.outcome import plan_lines
from worker.replay.plan import Asked
from worker.replay.planning import from_where_it_is, in_group, plan
from worker.replay.working import Bounded, Manner
from worker.telemetry import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from worker.config import Settings
    from worker.replay.outcome import Outcome
    from worker.replay.plan import Plan
    from worker.topics.spans import Bounds

OK, UNSETTLED = 0, 75
_REFUSED = (401, 403)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be replayed, and how; `again` is the command that goes on with it."""

    settings: Settings
    topics: tuple[str, ...]
    bounds: Bounds
    subscription: str | None
    binding: str | None
    rate: float
    letters: bool
    restart: bool
    dry: bool
    again: str

    @property
    def asked(self) -> Asked:
        """What makes it this replay and no other."""
        mart = self.settings.mart
        place = mart.api, mart.url, mart.data_mart_id
        return Asked(self.topics, self.bounds, place, self.subscription, self.binding, self.letters)


@dataclass(frozen=True, slots=True)
class Shadow:
    """A shadow run: until it is stopped, or to the end of the log as it is now; `config`: the settings' file."""

    settings: Settings
    endless: bool
    config: Path | None = None

    @property
    def again(self) -> str:
        """The command that does it."""
        flags = [*([] if self.endless else ["--to-end"]), *(["--config", str(self.config)] if self.config else [])]
        return shlex.join(["payload-worker", "run", "--dry-run", *flags])


def replayed(order: Order, *, yes: bool, as_json: bool) -> int:
    """Replay; the exit code. Ends the program where it cannot be begun."""
    with telling():
        found = plan(order.settings.kafka, order.asked, restart=order.restart)
        choice = _choice(order)
    _show(order, found)
    if not found.left:
        _say("nothing to replay" + (": all of it is done, and --restart does it again" if found.resumes else ""))
        return OK
    if not order.dry:
        assure(f"Post this to the data mart {order.settings.mart.data_mart_id}?", yes=yes)
    group = None if order.dry else found.group
    manner = Manner(found.left, group, order.restart, choice, order.rate, order.dry, order.letters)
    return conclude(_run(order.settings, manner, "replay"), order.again, as_json=as_json)


def shadowed(shadow: Shadow) -> int:
    """Do what the worker would do, but for posts, letters and commits; the exit code."""
    with telling():
        spans = from_where_it_is(shadow.settings.kafka, endless=shadow.endless)
    kafka = in_group(shadow.settings.kafka, f"{shadow.settings.kafka.group_id}.dry-run")
    settings = shadow.settings.model_copy(update={"kafka": kafka})
    _say("dry run: nothing is posted, dead-lettered or committed")
    ran = _run(settings, Manner([span for span in spans if span.count], dry=True), "dry run")
    stopped = OK if shadow.endless else UNSETTLED
    return conclude(ran, shadow.again, refused=OK, stopped=stopped)


def _choice(order: Order) -> Choice:
    """Which events are wanted; ends with 65 where the data mart has no such thing, raises where it cannot be asked."""
    mart = order.settings.mart
    client = MartClient(mart, token_source(mart))
    choice = Choice(order.subscription, order.binding)
    try:
        missing = choice.missing(fetch_directory(client, 0))
    finally:
        client.close()
    if missing is not None:
        fail(DATA, f"{missing} in the data mart {mart.data_mart_id}; nothing was replayed")
    return choice


@contextmanager
def telling() -> Iterator[None]:
    """What cannot be had ends the program with a line and a code."""
    try:
        yield
    except (SchemaDirectoryError, RegistryError, ClientError) as error:
        fail(CONFIG, error)
    except TokenError as error:
        fail(CONFIG if error.refused else UNAVAILABLE, error)
    except MartError as error:
        fail(CONFIG if error.status in _REFUSED else UNAVAILABLE, error)
    except (ClusterError, SourceError) as error:
        fail(UNAVAILABLE, error)


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that is over: `settled` if all that it read is; `failed`: why it could not go on."""

    outcome: Outcome
    signals: list[int]
    settled: bool
    failed: str | None = None


def _run(settings: Settings, manner: Manner, name: str) -> Ran:
    """Run it under a progress bar, and tell what came of it in the log."""
    settled, failed = False, None
    with telling(), progress() as bars:
        configure_logging(settings.log)  # here, for the bar to make way for its lines
        bounded = Bounded(settings, manner, time.monotonic)
        bounded.show(Bar(bars, name, manner.spans, lambda: bounded.outcome))
        log.info("replay.began", spans=[str(span) for span in manner.spans], group=manner.group, dry_run=manner.dry)
        try:
            settled = bounded.run()
        except SourceError as error:
            failed = str(error)
    outcome = bounded.outcome
    log.info("replay.ended", ended=outcome.ended, **outcome.fields())
    return Ran(outcome, bounded.signals, settled, failed)


def conclude(ran: Ran, again: str, *, as_json: bool = False, refused: int = DATA, stopped: int = UNSETTLED) -> int:
    """Tell what came of it, and the exit code: `refused` where events were, `stopped` where it was told to stop."""
    outcome = ran.outcome
    typer.echo(orjson.dumps(outcome.as_json()).decode() if as_json else "\n".join(outcome.lines()))
    if ran.failed is not None:
        fail(UNAVAILABLE, ran.failed)
    if len(ran.signals) > 1 and not ran.settled:
        return 128 + ran.signals[-1]
    if outcome.flood is not None:
        stop = outcome.flood
        many = f"{stop.refused} of the last {stop.of} events were refused for {stop.code}"
        fail(DATA, f"ended by the flood guard: {many}. Nothing is lost; once that is settled: {again}")
    if not (outcome.ended and ran.settled):
        if stopped == UNSETTLED:
            _say(f"stopped before its end; to go on: {again}")
        return stopped
    if outcome.alone:
        _say(f"payload-worker: {_halves(outcome.alone, bounded=refused == DATA)}")
        return refused
    return refused if outcome.refused and not outcome.lettered else OK


def _halves(count: int, *, bounded: bool) -> str:
    """What is to be said of halves of scorings whose others were not read."""
    told = f"{count:,} halves of scorings were left: their others lie outside of what was read, or never came"
    return f"{told}; widen --from and --to by events.pairing_seconds" if bounded else told


def _show(order: Order, found: Plan) -> None:
    chosen = [f"subscription {order.subscription}"] if order.subscription else []
    chosen += [f"binding {order.binding}"] if order.binding else []
    what = f", only {' of '.join(chosen)}" if chosen else ""
    mart = order.settings.mart
    _say(f"replay of {', '.join(order.topics)} to the data mart {mart.data_mart_id} at {mart.url}{what}")
    _say(f"  {'dry run: nothing is posted' if order.dry else f'its place is kept in the group {found.group}'}")
    for line in plan_lines(found):
        _say(line)


def _say(line: str) -> None:
    typer.echo(line, err=True)
