"""The runbook's procedures for what the operators' commands bring back: dead letters, and what is not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.way.events import confluent, custom, event, many
from tests.way.registry import codes
from tests.way.stage import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runbook.play import Play
    from tests.way.stage import Stage

pytestmark = pytest.mark.kafka

COUNT = 60
TAKEN_ONLY = {"match": {"path": "scoring_payloads$"}, "times": 1, "action": {"status": 202}}
"""The data mart says 202 to one post, and stores nothing of it."""


def test_dead_letters_of_a_missing_subscription_are_explained_and_sent_back_once_it_is_there(
    stage: Stage, begin: Callable[[str], Play]
) -> None:
    body = custom()
    play = begin("The dead-letter topic fills")
    play.variables["CODE"] = "unknown-asset"
    play.start()
    stage.produce(confluent(event("newcomer", body["request"], body["response"])) for _ in range(COUNT))
    play.see()
    until(lambda: stage.committed() == COUNT, "all of them in the dead-letter topic")
    play.look()
    play.do(lambda: stage.subscribe("custom", "newcomer"))
    until(lambda: stage.sandbox.stats()["distinct"] == COUNT, "all of them stored")
    play.over()
    play.settled()
    assert codes(stage.dead_letters(COUNT)) == {("unknown-asset", "unknown-asset"): COUNT}


def test_what_was_taken_and_never_stored_is_found_and_sent_again(stage: Stage, begin: Callable[[str], Play]) -> None:
    stage.settings["BATCH__RECORDS"] = "20"
    stage.sandbox.fault(TAKEN_ONLY)
    play = begin("Something seems missing")
    now = datetime.now(UTC)
    play.variables |= {"FROM": (now - timedelta(hours=1)).isoformat(), "TO": (now + timedelta(hours=1)).isoformat()}
    play.variables |= {"OFFSET": "0", "WAIT": "2"}
    play.start()
    stage.produce(map(confluent, many(COUNT)), partition=0)
    until(lambda: stage.committed() == COUNT, "all committed")
    assert stage.sandbox.stats()["distinct"] == COUNT - 20
    play.see()
    play.look()
    play.do()
    play.over()
    play.settled()
    assert stage.sandbox.stats()["distinct"] == COUNT
