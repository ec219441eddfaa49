"""Plays scenarios on a broker; whatever happens in one is a row of the table."""

from __future__ import annotations

import sys
import time
import traceback
from typing import TYPE_CHECKING

from chaos.outcome import Outcome, Row
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kafka.broker import Broker


def play(scenario: Scenario, broker: Broker, *, full: bool, seed: int, code: Path | None = None) -> Iterator[Row]:
    """A row for each outcome; an exception is a failed one, and its trace goes to standard error."""
    began = time.monotonic()
    outcomes = _outcomes(scenario, Place(broker, full, f"{seed}/{scenario.name}", code))
    for outcome in outcomes:
        now = time.monotonic()
        yield Row(scenario=scenario.name, claim=scenario.claim, outcome=outcome, seconds=outcome.seconds or now - began)
        began = now


def _outcomes(scenario: Scenario, place: Place) -> Iterator[Outcome]:
    try:
        yield from scenario.play(place)
    except Exception as error:  # noqa: BLE001 - a scenario that breaks is one that failed
        traceback.print_exc(file=sys.stderr)
        yield Outcome(faults=(f"broke: {type(error).__name__}: {error}"[:500],))
