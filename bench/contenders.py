"""Who is measured: for each contender the command that runs it, the settings that it needs, and how it is prepared."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench import environments
from bench.endpoint import DATA_MART
from worker.edges.schemas import READER, shipped
from worker.extension import SWITCH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "PAYLOAD_WORKER_"
SCHEMA: Final = shipped() / READER


@dataclass(frozen=True, slots=True)
class Task:
    """What a contender is told: read `topic` from its beginning in a new `group`, post to `url`."""

    bootstrap: str
    topic: str
    group: str
    url: str


def _nothing() -> None:
    """It is there already."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that is measured; `command` and `environment` are made for each task.

    `prepare` comes before: it makes what the command needs, unless it is there, and takes up to some minutes. It raises
    `BenchError` where that cannot be made here: the contender is then reported as not measured, with that reason.
    """

    name: str
    command: Callable[[Task], list[str]]
    environment: Callable[[Task], Mapping[str, str]]
    prepare: Callable[[], None] = _nothing


def _arguments(task: Task) -> list[str]:
    return [task.bootstrap, task.topic, task.group, task.url, str(SCHEMA)]


def _naive(task: Task) -> list[str]:
    return [sys.executable, "-m", "bench.naive", *_arguments(task)]


def _worker(_: Task) -> list[str]:
    return [sys.executable, "-m", "worker", "run"]


def _go(task: Task) -> list[str]:
    return [str(environments.binary()), *_arguments(task)]


def _go_lean(task: Task) -> list[str]:
    return [str(environments.binary()), "-lean", *_arguments(task)]


def _bare(_: Task) -> dict[str, str]:
    """The environment without settings of a worker that somebody may have in theirs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _with_bench(task: Task) -> dict[str, str]:
    """As bare, with this package where a Python of another environment finds it."""
    return _bare(task) | {"PYTHONPATH": str(environments.ROOT)}


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


def _pure(task: Task) -> dict[str, str]:
    return settings(task) | {SWITCH: "1"}


def _peer(name: str) -> Contender:
    """A library's program, run by the Python of its environment (`-P`: it shall not find itself as the library)."""

    def command(task: Task) -> list[str]:
        return [str(environments.python(name)), "-P", "-m", f"bench.peers.{name}", *_arguments(task)]

    return Contender(name, command, _with_bench, partial(environments.make, name))


NAIVE: Final = Contender("naive", _naive, _bare)
WORKER: Final = Contender("worker", _worker, settings)
PEERS: Final = tuple(_peer(name) for name in ("aiokafka", "arroyo", "bytewax", "faststream", "quixstreams"))
"""Each library's program; `python -m bench` compares the worker with the best of these and of `NAIVE`."""

REFERENCE: Final = Contender("go", _go, _bare, environments.build)
"""The same work in Go as one would write it there: franz-go, hamba/avro into values, encoding/json."""

LIMIT: Final = Contender("go-lean", _go_lean, _bare, environments.build)
"""The limit: Go without values in between, JSON written by hand, bodies checked and taken over as they are."""

PURE: Final = Contender("worker-pure", _worker, _pure)
"""The worker without its inner loops in C, as it is where there was no compiler."""

NO_PEERS: Final = frozenset({REFERENCE.name, LIMIT.name, PURE.name})
"""Who is told beside the worker, and is none of the peers that it is held against."""

CONTENDERS: Final = (NAIVE, *PEERS, WORKER, PURE, REFERENCE, LIMIT)
