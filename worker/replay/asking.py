"""What was typed for a replay, made sense of; what makes none is a wrong use of the command (2)."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from worker.topics.spans import Bounds
from worker.topics.times import instant, shown

if TYPE_CHECKING:
    from pathlib import Path

OFFSETS = "offsets are a partition's: give --partition, and --topic where several are set"


def bounds_of(
    since: str | None, until: str | None, partition: int | None, offset_from: int | None, offset_to: int | None
) -> Bounds:
    """What was asked for; ends with 2 where it makes no sense."""
    if since is None and offset_from is None:
        raise typer.BadParameter("say where to begin: --from TIME, or --offset-from with --partition")
    now = datetime.now(UTC)
    try:
        begin, end = (None if each is None else instant(each, now) for each in (since, until))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if begin is not None and end is not None and begin >= end:
        raise typer.BadParameter(f"--from {shown(begin)} is not before --to {shown(end)}")
    if partition is None and (offset_from, offset_to) != (None, None):
        raise typer.BadParameter(OFFSETS)
    if offset_from is not None and offset_to is not None and offset_from >= offset_to:
        raise typer.BadParameter("--offset-from is not before --offset-to")
    return Bounds(begin, end, offset_from, offset_to, partition)


def topics_of(known: list[str], topic: str | None, bounds: Bounds) -> tuple[str, ...]:
    """The topics that are meant, of those that are `known`; ends with 2 where it makes no sense."""
    if topic is not None and topic not in known:
        raise typer.BadParameter(f"--topic {topic} is none of kafka.topics: {', '.join(known)}")
    topics = tuple(known) if topic is None else (topic,)
    if len(topics) > 1 and (bounds.offset_from, bounds.offset_to) != (None, None):
        raise typer.BadParameter(OFFSETS)
    return topics


def again(
    bounds: Bounds,
    topic: str | None,
    subscription: str | None,
    binding: str | None,
    into: str | None,
    *,
    letters: bool,
    rate: float | None = None,
    config: Path | None = None,
) -> str:
    """The command that goes on with the same replay: with `now` written out, for it would be another one later."""
    flags = {
        "--from": None if bounds.since is None else shown(bounds.since),
        "--to": None if bounds.until is None else shown(bounds.until),
        "--topic": topic,
        "--partition": bounds.partition,
        "--offset-from": bounds.offset_from,
        "--offset-to": bounds.offset_to,
        "--subscription": subscription,
        "--binding": binding,
        "--into": into,
        "--rate": None if rate is None else f"{rate:.15g}",
        "--config": config,
    }
    given = [f"{flag} {shlex.quote(str(value))}" for flag, value in flags.items() if value is not None]
    return " ".join(["payload-worker replay", *given, *(["--dead-letter"] if letters else [])])
