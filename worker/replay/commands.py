"""`payload-worker replay`, as it is typed, and what `run --dry-run` does."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from worker.console import AsJson, ConfigFile, DryRun, Yes, settings_of

RATE = 10_000
"""Events a second that leave a live worker of the same machine nine tenths of its rate (`python -m bench replay`)."""


def replay(  # noqa: PLR0917 - typer turns parameters into flags
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="ISO 8601 with a zone, as 2026-11-22T10:00:00Z.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="The same, or `now`; exclusive. Left out: all there is.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="One of kafka.topics; left out: all of them.")] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this one.")] = None,
    offset_from: Annotated[int | None, typer.Option(min=0, help="The first offset, of --partition.")] = None,
    offset_to: Annotated[int | None, typer.Option(min=0, help="The one behind the last, of --partition.")] = None,
    subscription: Annotated[str | None, typer.Option(metavar="ID", help="Only events of this one.")] = None,
    binding: Annotated[str | None, typer.Option(metavar="ID|NAME", help="Only events of this one.")] = None,
    into: Annotated[
        str | None, typer.Option(metavar="DATA_MART", help="Another data mart's id, at the same address.")
    ] = None,
    rate: Annotated[float, typer.Option(min=1, help="Events a second, at most.")] = RATE,
    config: ConfigFile = None,
    *,
    dead_letter: Annotated[bool, typer.Option("--dead-letter", help="Dead-letter what is refused, again.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew where an earlier run has stopped.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Post events again that lie in Kafka, of a time or of offsets; the live group is not touched.

    Scoring ids are the same again, so what the data mart has does not change.
    """
    from worker.replay.asking import again  # noqa: PLC0415 - so that --help answers at once
    from worker.replay.session import Order, replayed  # noqa: PLC0415
    from worker.topics.asking import bounds_of, topics_of  # noqa: PLC0415

    if not math.isfinite(rate):
        raise typer.BadParameter("--rate is a number of events a second; without a bound: give a large one")
    settings = settings_of(config)
    if into is not None:
        settings = settings.model_copy(update={"mart": settings.mart.model_copy(update={"data_mart_id": into})})
    bounds = bounds_of(since, until, partition, offset_from, offset_to)
    topics = topics_of(settings.kafka.topics, topic, bounds)
    order = Order(
        settings=settings,
        topics=topics,
        bounds=bounds,
        subscription=subscription,
        binding=binding,
        rate=rate,
        letters=dead_letter,
        restart=restart,
        dry=dry_run,
        again=again(
            bounds,
            topic,
            subscription,
            binding,
            into,
            letters=dead_letter,
            rate=None if rate == RATE else rate,
            config=config,
        ),
    )
    raise typer.Exit(replayed(order, yes=yes, as_json=as_json))


def shadow(config: ConfigFile, *, to_end: bool) -> None:
    """What `run --dry-run` does; ends with its exit code."""
    from worker.replay.session import Shadow, shadowed  # noqa: PLC0415

    raise typer.Exit(shadowed(Shadow(settings_of(config), endless=not to_end, config=config)))
