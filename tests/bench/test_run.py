"""A thousand events through the whole of it: real Kafka, the sink, a worker."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench.contenders import WORKER
from bench.endpoint import BenchError, Manner, build
from bench.harness import Ground, play
from bench.measure import running
from bench.plan import Turn
from bench.scenarios.backlog import rebalances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka.broker import Broker

EVENTS = 1000
BACKLOG = 100_000
PROMISED = 110_000_000
"""Resident bytes of a worker with its default settings (operations: memory)."""

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(shutil.which("go") is None, reason="the sink is built with Go"),
]


@pytest.fixture(scope="module")
def ground(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ExitStack() as held:
        yield Ground(held, build(tmp_path_factory.mktemp("sink")), broker)


def test_a_run_measures_what_was_stored_each_event_once(ground: Ground) -> None:
    turn = Turn(WORKER, "azure", EVENTS, Manner(latency_ms=5))
    ((number, run),) = play(ground, [turn], 1)
    assert (number, run.contender, run.kind, run.endpoint) == (0, "worker", "azure", "5 ms")
    assert (run.events, run.repeated, run.refused) == (EVENTS, 0, 0)
    assert run.posts >= EVENTS / 500
    assert run.seconds >= 0.005
    assert 20e6 < run.rss <= run.rss_total
    assert run.cpu > 0
    assert run.start_cpu > 0


def test_a_worker_that_drains_a_backlog_takes_no_more_memory_than_promised(ground: Ground) -> None:
    """Of itself it takes two thirds of that; what it keeps too long, or too much of, shows within 100,000 events."""
    turn = Turn(WORKER, "typed", BACKLOG, Manner(latency_ms=20))
    ((_, run),) = play(ground, [turn], 1)
    assert run.rss <= PROMISED


def test_records_that_are_missing_are_an_error(ground: Ground) -> None:
    turn = Turn(WORKER, "sagemaker", EVENTS)
    with ExitStack() as held:
        scene = held.enter_context(running(turn, ground.sink(turn.manner), ground.place(turn)))
        assert scene.drained(EVENTS).records == EVENTS
        assert rebalances(scene) == 0
        with pytest.raises(BenchError, match=f"lost records: .* has {EVENTS} ids"):
            scene.until(lambda count: count.distinct > EVENTS, 0.1, pause=0.05)


def test_a_contender_that_ends_is_an_error_with_its_last_words(ground: Ground) -> None:
    ended = replace(WORKER, name="ended", command=lambda _: ["sh", "-c", "echo last words; exit 3"])
    turn = Turn(ended, "sagemaker", EVENTS)
    with pytest.raises(BenchError, match=r"ended with 3(.|\n)*last words"):
        play(ground, [turn], 1)
