"""Each scenario in its short form, as `make chaos` plays it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from chaos.play import play
from chaos.scenarios import scenarios

if TYPE_CHECKING:
    from chaos.scenario import Scenario
    from tests.kafka.broker import Broker

SEED = int(os.environ.get("CHAOS_SEED", "1"))


@pytest.mark.kafka
@pytest.mark.parametrize("scenario", scenarios(), ids=lambda each: each.name)
def test_the_books_balance_after(scenario: Scenario, broker: Broker) -> None:
    rows = list(play(scenario, broker, full=False, seed=SEED))
    assert rows
    assert {row.name: row.outcome.faults for row in rows if not row.outcome.passed} == {}
