"""Letters: a record that is refused is nowhere until the dead-letter topic has it."""

from __future__ import annotations

from itertools import pairwise

from tests.flow.build import policy
from tests.flow.mart import ACCEPT, CLAIM, OTHER, Mart
from worker.flow.flow import Flow
from worker.flow.jobs import Letter, Lettered
from worker.flow.letters import AT_ONCE


def down(*bad: int, records: int = 100) -> Mart:
    """Refused records, and a dead-letter topic that does not take them."""
    mart = Mart(Flow(policy(records=records)))
    mart.letters_fail = True
    mart.read_bad(*bad)
    return mart


def test_a_letter_is_tried_for_as_long_as_it_takes_and_settled_only_when_acknowledged() -> None:
    mart = down(0)
    for _ in range(200):
        mart.turn(ACCEPT, seconds=60)
        assert mart.flow.committable() in ({}, {CLAIM: 0})
        mart.flow.committed(mart.flow.committable())
    assert mart.flow.account.tally.letter_failures == 200
    assert mart.flow.account.tally.lettered == {}
    mart.letters_fail = False
    mart.turn(ACCEPT, seconds=60)
    assert mart.flow.committable() == {CLAIM: 1}


def test_the_waits_between_two_tries_grow() -> None:
    mart = down(0)
    tries = [mart.now for _ in range(300) if mart.turn(ACCEPT, seconds=0.5)]
    waits = [round(later - earlier) for earlier, later in pairwise(tries)]
    assert waits[:5] == [1, 2, 3, 4, 5]
    assert max(waits) == 10


def test_the_topics_refusal_and_its_recovery_are_told_once() -> None:
    mart = down(0, 1, 2)
    for _ in range(20):
        mart.turn(ACCEPT, seconds=60)
    mart.letters_fail = False
    mart.turn(ACCEPT, seconds=60)
    assert mart.noticed("dead_letter.failing") == [{"error": "down"}]
    assert mart.noticed("dead_letter.recovered") == [{"error": None}]
    assert mart.flow.letter_error is None


def test_good_records_go_on_while_the_topic_is_down() -> None:
    mart = down(0)
    mart.read(1, 2)
    mart.turn(ACCEPT)
    assert sorted(mart.stored) == [1, 2]
    assert mart.flow.committable() == {CLAIM: 0}


def test_letters_of_a_claim_that_is_gone_are_not_written() -> None:
    mart = down(0, 1)
    mart.flow.assign([OTHER])
    mart.read_bad(0, claim=OTHER)
    mart.turn(ACCEPT)
    mart.flow.release([CLAIM])
    jobs = mart.flow.due(mart.now + 60)
    assert [job.rejection.envelope.claim for job in jobs if isinstance(job, Letter)] == [OTHER]


def test_a_letter_that_fails_after_its_claim_has_gone_is_not_tried_again() -> None:
    mart = down(0)
    (letter,) = mart.flow.due(1.0)
    assert isinstance(letter, Letter)
    mart.flow.release([CLAIM])
    mart.flow.settle(Lettered(letter, "down"), 1.0)
    assert mart.flow.due(1000.0) == []
    assert mart.flow.in_flight == 0


def test_one_turn_writes_a_bounded_number_and_the_rest_in_their_order() -> None:
    count = 2 * AT_ONCE + 50
    mart = Mart(Flow(policy(records=count)))
    mart.read_bad(*range(count))
    sizes = [mart.turn(ACCEPT) for _ in range(3)]
    assert sizes == [AT_ONCE, AT_ONCE, 50]
    assert list(mart.letters) == list(range(count))
