"""The promise checked at run time: a commit that would pass a held record is refused, whatever the ledger says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flow.build import envelope, policy, rejection
from tests.flow.mart import ACCEPT, CLAIM, FAIL, OTHER, Mart, isolate
from worker.flow.flood import Stop
from worker.flow.flow import Flow
from worker.flow.invariant import SHOWN, passed_over
from worker.flow.jobs import Letter
from worker.model import Claim

CLAIMS = [Claim("t", number) for number in range(3)]


def broken(mart: Mart, *offsets: int, claim: Claim = CLAIM) -> None:
    """Settle offsets in the ledger alone, as a fault in the flow would."""
    for offset in offsets:
        mart.flow._ledgers.finish(envelope(claim, offset))  # noqa: SLF001 - there is no proper way to break it


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20)), max_size=30),
    st.dictionaries(st.integers(0, 2), st.integers(0, 20)),
)
def test_what_is_held_below_a_mark_is_found_and_nothing_else(
    held: list[tuple[int, int]], marks: dict[int, int]
) -> None:
    given_marks = {CLAIMS[number]: mark for number, mark in marks.items()}
    found = passed_over(given_marks, [envelope(CLAIMS[number], offset) for number, offset in held])
    for number, claim in enumerate(CLAIMS):
        below = sorted(offset for place, offset in held if place == number and offset < marks.get(number, 0))
        assert list(found.get(claim, ())) == below[:SHOWN]
        assert (claim in found) == bool(below)


def test_a_partition_is_told_from_its_earlier_claim() -> None:
    before, after = Claim("t", 0, 1), Claim("t", 0, 2)
    assert passed_over({after: 5}, [envelope(before, 0)]) == {}


def _in_lane(mart: Mart) -> None:
    mart.read(0, 1)


def _in_flight(mart: Mart) -> None:
    mart.read(0, 1)
    assert mart.flow.due(1.0)


def _waiting_again(mart: Mart) -> None:
    mart.read(0, 1)
    mart.turn(FAIL)


def _isolated(mart: Mart) -> None:
    isolate(mart, 0)


def _letter(mart: Mart) -> None:
    mart.read_bad(0, 1)


def _letter_in_flight(mart: Mart) -> None:
    mart.read_bad(0, 1)
    assert all(isinstance(job, Letter) for job in mart.flow.due(1.0))


def _letter_again(mart: Mart) -> None:
    mart.letters_fail = True
    mart.read_bad(0, 1)
    mart.turn(ACCEPT)


def _parked(mart: Mart) -> None:
    mart.flow.park([rejection(each) for each in mart.flow.begin([envelope(CLAIM, 0), envelope(CLAIM, 1)])], 0.0)


def _kept_back(mart: Mart) -> None:
    mart.read(*range(100, 102), claim=OTHER)
    mart.flow.halt(Stop("x/y", 1, 2))
    mart.read_bad(0, 1)


PLACES = [
    _in_lane,
    _in_flight,
    _waiting_again,
    _isolated,
    _letter,
    _letter_in_flight,
    _letter_again,
    _parked,
    _kept_back,
]


@pytest.mark.parametrize("put", PLACES, ids=lambda put: put.__name__.strip("_"))
def test_a_commit_that_would_pass_a_record_is_refused_wherever_the_record_is_held(put: object) -> None:
    mart = Mart(Flow(policy()))
    mart.flow.assign([OTHER])
    put(mart)  # type: ignore[operator]
    broken(mart, 0)
    assert mart.flow.committable(again=True).get(CLAIM) is None
    assert mart.flow.account.tally.commits_refused == 1
    (told,) = mart.noticed("commit.refused")
    assert told == {"topic": "t", "partition": 0, "position": 1, "unsettled": [0]}


def test_commits_of_other_partitions_go_on() -> None:
    mart = Mart(Flow(policy(batch=2)))
    mart.flow.assign([OTHER])
    mart.read(100, 101, claim=OTHER)
    mart.turn(ACCEPT)
    mart.read(0, 1)
    broken(mart, 0)
    assert mart.flow.committable() == {OTHER: 102}
    assert mart.flow.account.tally.commits_refused == 1


def test_what_was_refused_is_offered_again_once_it_is_true() -> None:
    """The mark was not taken for committed: it stays on offer, and is refused as long as the record is held."""
    mart = Mart(Flow(policy()))
    mart.read_bad(0)
    (letter,) = mart.flow.due(1.0)
    broken(mart, 0)
    for _ in range(2):
        marks = mart.flow.committable()
        assert marks == {}
        mart.flow.committed(marks)
    assert mart.flow.account.tally.commits_refused == 2
    mart.flow._letters._started.discard(letter)  # noqa: SLF001 - it is held no longer
    assert mart.flow.committable() == {CLAIM: 1}


def test_at_most_five_offsets_are_named_the_oldest() -> None:
    mart = Mart(Flow(policy()))
    mart.read(*range(20))
    broken(mart, *range(19))
    mart.flow.committable()
    (told,) = mart.noticed("commit.refused")
    assert told["unsettled"] == [0, 1, 2, 3, 4]


def test_the_outcome_of_a_record_that_the_ledger_has_forgotten_is_an_error_not_a_commit() -> None:
    """Then the worker ends, and reads from the last good commit again."""
    mart = Mart(Flow(policy()))
    mart.read(0)
    broken(mart, 0)
    with pytest.raises(KeyError):
        mart.turn(ACCEPT)


def test_a_sound_flow_is_never_refused() -> None:
    mart = Mart(Flow(policy(records=1000)))
    for offset in range(0, 900, 3):
        mart.read(offset, offset + 1)
        mart.read_bad(offset + 2)
        mart.turn(ACCEPT if offset % 2 else FAIL)
        mart.flow.committed(mart.flow.committable())
    mart.drain(ACCEPT)
    assert mart.flow.account.tally.commits_refused == 0
    assert mart.flow.committable(again=True) == {CLAIM: 900}
