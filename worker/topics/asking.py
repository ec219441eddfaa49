"""A part of topics as it is asked for on the command line, made sense of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from worker.topics.spans import Bounds
from worker.topics.times import instant, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

OFFSETS = "offsets are a partition's: give --partition, and --topic where several are set"


def bounds_of(
    since: str | None,
    until: str | None,
    partition: int | None = None,
    offset_from: int | None = None,
    offset_to: int | None = None,
    *,
    begins: bool = True,
) -> Bounds:
    """What was asked for; ends with 2 where it makes no sense. `begins`: it must say where to begin."""
    if begins and since is None and offset_from is None:
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


def topics_of(known: Sequence[str], topic: str | None, bounds: Bounds) -> tuple[str, ...]:
    """The topics that are meant, of those that are `known`; ends with 2 where it makes no sense."""
    if topic is not None and topic not in known:
        raise typer.BadParameter(f"--topic {topic} is none of kafka.topics: {', '.join(known)}")
    topics = tuple(known) if topic is None else (topic,)
    if len(topics) > 1 and (bounds.offset_from, bounds.offset_to) != (None, None):
        raise typer.BadParameter(OFFSETS)
    return topics
