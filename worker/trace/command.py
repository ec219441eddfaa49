"""`payload-worker trace`: what was typed, made sense of; and how it ends."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from worker.audit.command import ended_well
from worker.console import AsJson, ConfigFile, fail, progress, settings_of
from worker.topics.asking import bounds_of
from worker.topics.times import instant
from worker.trace.tracing import GoneError, Tracer

NOTHING = 1
"""The exit code where no such event is found."""

_DAY = 24 * 3600 * 1000
"""Milliseconds before `--to` from which on an id is searched, unless `--from` says otherwise."""


def trace(
    what: Annotated[str, typer.Argument(metavar="EVENT", help="A scoring id, or topic:partition:offset.")],
    since: Annotated[
        str | None, typer.Option("--from", help="Where to begin to search; ISO 8601.", show_default="24 h before --to")
    ] = None,
    until: Annotated[str, typer.Option("--to", help="Where to end it.")] = "now",
    config: ConfigFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell the life of one event: where it lies, for whom it is, what became of it. Prints nothing of its payload.

    Exit 1 if no such event is found.
    """
    bounds = bounds_of(since, until, begins=False)
    if bounds.since is None:
        end = bounds.until if bounds.until is not None else instant("now", datetime.now(UTC))
        bounds = replace(bounds, since=end - _DAY)
    settings = settings_of(config)
    with ended_well(settings) as mart, progress() as bar, closing(Tracer(settings, mart, bar)) as tracer:
        try:
            found = tracer.trace(what, bounds)
        except GoneError as gone:
            fail(NOTHING, f"{gone}, so that its event is not in Kafka; dlq show tells what the letter has")
    if as_json:
        typer.echo(json.dumps([each.document() for each in found]))
    else:
        for each in found:
            typer.echo("\n".join(each.lines()))
    if not found:
        fail(NOTHING, f"{what}: no such event was found; widen --from and --to, or give topic:partition:offset")
