"""Who is measured: for each contender the command that runs it, and the settings that it needs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.endpoint import DATA_MART

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "PAYLOAD_WORKER_"


@dataclass(frozen=True, slots=True)
class Task:
    """What a contender is told: read `topic` from its beginning in a new `group`, post to `url`."""

    bootstrap: str
    topic: str
    group: str
    url: str


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that is measured; `command` and `environment` are made for each task."""

    name: str
    command: Callable[[Task], list[str]]
    environment: Callable[[Task], Mapping[str, str]]


def _naive(task: Task) -> list[str]:
    return [sys.executable, "-m", "bench.naive", task.bootstrap, task.topic, task.group, task.url]


def _worker(_: Task) -> list[str]:
    return [sys.executable, "-m", "worker", "run"]


def _bare(_: Task) -> dict[str, str]:
    """The environment without settings of a worker that somebody may have in theirs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def settings(task: Task) -> dict[str, str]:
    """The worker's settings for a task: its defaults in everything that costs or saves time."""
    given = {
        "KAFKA__BOOTSTRAP_SERVERS": task.bootstrap,
        "KAFKA__TOPICS": f'["{task.topic}"]',
        "KAFKA__GROUP_ID": task.group,
        "MART__URL": task.url,
        "MART__DATA_MART_ID": DATA_MART,
        "MART__API_KEY": "bench",
        "HTTP__PORT": "0",
        "LOG__FORMAT": "json",
    }
    return _bare(task) | {f"{PREFIX}{name}": value for name, value in given.items()}


NAIVE: Final = Contender("naive", _naive, _bare)
WORKER: Final = Contender("worker", _worker, settings)
CONTENDERS: Final = (NAIVE, WORKER)
