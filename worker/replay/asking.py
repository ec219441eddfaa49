"""What was typed for a replay, made sense of; what makes none is a wrong use of the command (2)."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from worker.topics.times import shown

if TYPE_CHECKING:
    from pathlib import Path

    from worker.topics.spans import Bounds


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
