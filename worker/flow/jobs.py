"""What the flow hands out to be done, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.flow.batch import Batch, Lane
    from worker.flow.verdict import Answer
    from worker.model import Rejection


@dataclass(frozen=True, slots=True, eq=False)
class Post:
    """A job: one HTTP attempt for `batch`. `host_probe`, `lane_probe`: this post tests a breaker that is open."""

    lane: Lane
    batch: Batch
    started: float
    host_probe: bool = False
    lane_probe: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A job: one attempt to write a rejection to the dead-letter topic."""

    rejection: Rejection
    attempts: int = 0
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class Posted:
    """The outcome of a post. One with the verdict FOLLOW is followed by a second: the end of its request."""

    post: Post
    answer: Answer


@dataclass(frozen=True, slots=True)
class Lettered:
    """The outcome of a letter: `error` is None if the broker has acknowledged it."""

    letter: Letter
    error: str | None
