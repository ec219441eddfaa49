"""Scorings that come as two records: whose other half the span leaves out is told, and is nobody's dead letter."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from tests.way.clouds import scorings
from worker.flow.jobs import Letter
from worker.model import Claim, Disposition, Envelope, Refusal, Rejection
from worker.replay.outcome import Outcome
from worker.replay.standins import PairedLetters, Unwritten

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.replay.conftest import Command
    from tests.way.stage import Stage

COUNT = 20
WHOLE = Outcome(dry=False, ended=True, read=9, posted=9, batches=1, skipped=0, open=0)


@pytest.mark.parametrize(
    ("outcome", "alone"),
    [
        (replace(WHOLE, halves=1), 1),
        (replace(WHOLE, refused={"validation/unpaired-response": 3, "validation/unpaired-request": 1}), 4),
        (replace(WHOLE, halves=2, refused={"validation/unpaired-response": 3, "decode/no-framing": 9}), 5),
        (replace(WHOLE, refused={"decode/no-framing": 1}), 0),
        (replace(WHOLE, ended=False, halves=1), 0),
    ],
)
def test_halves_that_are_left_at_the_end_are_counted_and_nothing_else_is(outcome: Outcome, alone: int) -> None:
    assert outcome.alone == alone


def letter(code: str) -> Letter:
    envelope = Envelope(Claim("events", 0), 5, 0, None, b"", ())
    return Letter(Rejection(envelope, Refusal(Disposition.VALIDATION, code, "")))


def test_an_unpaired_half_is_acknowledged_without_being_written_and_the_others_are_written() -> None:
    written = Unwritten()
    box = PairedLetters(written)
    for code in ("unpaired-request", "no-rows", "unpaired-response", "duplicate-request"):
        box.send(letter(code))
    assert {each.letter.rejection.refusal.code for each in written.collect()} == {"no-rows", "duplicate-request"}
    assert [each.letter.rejection.refusal.code for each in box.collect()] == ["unpaired-request", "unpaired-response"]


@pytest.mark.kafka
def test_a_span_that_cuts_scorings_in_two_posts_the_whole_ones_and_ends_with_65(
    stage: Stage, begin: Callable[..., Command]
) -> None:
    stage.settings["EVENTS__FORMATS"] = json.dumps({stage.topic: "cloudevents"})
    made = list(scorings(COUNT, random.Random(7)))  # noqa: S311 - a seed, not a secret
    events = [event for scoring in made for event in scoring.events()]
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    for event in events:
        producer.produce(stage.topic, event.value, partition=0, headers=[*event.headers])
    assert producer.flush(30) == 0

    cut = ("--partition", "0", "--offset-from", "1", "--offset-to", str(len(events) - 1))
    command = begin("replay", "--yes", "--json", "--dead-letter", *cut)
    assert command.ended() == 65, command.err
    found = command.found()
    assert (found["read"], found["posted"], found["halves"]) == (2 * COUNT - 2, COUNT - 2, 2)
    assert "2 halves of scorings were left" in command.err
    whole = begin("replay", "--yes", "--json", "--from", "2020-01-01T00:00:00Z")
    assert whole.ended() == 0, whole.err
    assert (whole.found()["posted"], whole.found()["halves"]) == (COUNT, 0)
    assert stage.dead_letters(0) == []
