"""`run --dry-run`: everything is said, and nothing is done."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.replay.conftest import wait_for
from tests.way.events import confluent, custom
from tests.way.stage import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.replay.conftest import Command, Past
    from tests.way.stage import Stage

pytestmark = pytest.mark.kafka


def test_a_shadow_says_what_would_be_done_and_does_nothing(past: Past) -> None:
    past.stage.produce([b"\x00no avro"] * 3)
    shadow = past.begin("run", "--dry-run", "--to-end")
    assert shadow.ended() == 0, shadow.err
    told = [line.split() for line in shadow.out.splitlines()]
    assert ["read", "603"] in told
    assert ["would", "be", "posted", "600"] in [line[:4] for line in told]
    assert ["would", "be", "refused", "3"] in told
    assert f"as {past.stage.topic}[" in shadow.out
    assert past.stage.sandbox.stats()["posts"] == 0
    assert past.stage.committed() == 0
    assert past.stage.dead_letters(0) == []


def test_a_shadow_begins_where_the_group_would_go_on(past: Past) -> None:
    with past.stage.worker() as worker:
        until(lambda: past.stage.committed() == 600, "the live group's commits")
        worker.stop()
    past.stage.produce([confluent(custom())] * 7)
    shadow = past.begin("run", "--dry-run", "--to-end")
    assert shadow.ended() == 0, shadow.err
    assert ["read", "7"] in [line.split() for line in shadow.out.splitlines()]


def test_a_shadow_without_an_end_goes_on_until_it_is_told_to_stop(stage: Stage, begin: Callable[..., Command]) -> None:
    shadow = begin("run", "--dry-run")
    wait_for(shadow, "partitions.assigned")
    stage.produce([confluent(custom())] * 5)
    with stage.worker() as worker:  # what comes meanwhile is the live group's as ever
        until(lambda: stage.committed() == 5, "the live group's commits")
        assert len(worker.lines("partitions.assigned")) == 1
    shadow.signal(signal.SIGTERM)
    assert shadow.ended() == 0, shadow.err
    assert ["read", "5"] in [line.split() for line in shadow.out.splitlines()]
