"""A 404: the subscription is gone, or the directory is older than the data mart; one newer directory decides."""

from __future__ import annotations

from dataclasses import replace

from tests.flow.build import policy, row
from tests.flow.mart import ACCEPT, CLAIM, CONFLICT, FAIL, GONE, LOST, OTHER, REFUSE, Mart, answering
from worker.flow.flow import Flow
from worker.flow.jobs import Post
from worker.model import Disposition


def started(*offsets: int, batch: int = 5) -> Mart:
    mart = Mart(Flow(policy(batch=batch)))
    mart.read(*offsets)
    return mart


def refresh(mart: Mart, *, known: bool = True) -> list[int]:
    """As the loop does with a new directory: walk the parked records again; the offsets that were parked."""
    mart.now += 1
    waiting = mart.flow.unpark(mart.now)
    if known:
        mart.flow.admit([row(each.envelope) for each in waiting], [], mart.now)
    else:
        mart.flow.admit([], waiting, mart.now)
    return [each.envelope.offset for each in waiting]


def noted(mart: Mart) -> set[object]:
    """What the flow still remembers of records that were not found."""
    return set(mart.flow._posting._outcomes._not_found)  # noqa: SLF001 - a leak shows nowhere else


def test_a_404_asks_for_a_newer_directory_and_dead_letters_nothing_yet() -> None:
    mart = started(0)
    mart.turn(GONE)
    assert mart.letters == {}
    assert mart.flow.wants_directory
    assert mart.flow.open_records == 1
    assert mart.flow.committable() == {CLAIM: 0}
    assert mart.flow.account.refused == []


def test_only_a_directory_begun_after_the_404_is_new() -> None:
    mart = started(0)
    mart.turn(GONE)
    assert mart.flow.unpark(mart.now - 0.1) == []
    assert refresh(mart) == [0]


def test_what_gets_a_404_with_the_newer_directory_too_is_dead_lettered_with_the_data_marts_answer() -> None:
    mart = started(0)
    mart.turn(replace(GONE, body="AIQCS0013E"))
    refresh(mart)
    mart.turn(replace(GONE, body="AIQCS0013E"))
    assert not mart.flow.wants_directory
    mart.drain(GONE)
    assert mart.letters == {0: Disposition.UNKNOWN_SUBSCRIPTION}
    (told,) = mart.flow.account.refused
    assert (told.status, told.body) == (404, "AIQCS0013E")
    assert noted(mart) == set()


def test_what_the_newer_directory_does_not_know_is_dead_lettered_without_another_post() -> None:
    mart = started(0)
    mart.turn(GONE)
    refresh(mart, known=False)
    mart.drain(ACCEPT)
    assert mart.posts == [[0]]
    assert mart.letters == {0: Disposition.UNKNOWN_SUBSCRIPTION}
    assert noted(mart) == set()


def test_what_is_stored_with_the_newer_directory_is_stored_once_and_nothing_is_dead_lettered() -> None:
    mart = started(0)
    mart.turn(GONE)
    refresh(mart)
    mart.drain(ACCEPT)
    assert (mart.stored, mart.letters) == ({0: 1}, {})
    assert mart.flow.committable() == {CLAIM: 1}
    assert noted(mart) == set()


def test_the_record_that_is_gone_is_found_among_its_neighbours_and_they_are_stored() -> None:
    mart = started(*range(5))
    for _ in range(10):
        mart.turn(answering(GONE, 3))
    assert sorted(mart.stored) == [0, 1, 2, 4]
    assert refresh(mart) == [3]
    mart.drain(answering(GONE, 3))
    assert mart.letters == {3: Disposition.UNKNOWN_SUBSCRIPTION}


def test_a_second_404_may_come_among_new_neighbours_and_still_is_the_second() -> None:
    mart = started(0, batch=4)
    mart.turn(GONE)
    mart.read(1, 2, 3)
    refresh(mart)
    mart.drain(answering(GONE, 0))
    assert mart.posts[1:] != [[0]], "it was posted together with others"
    assert mart.letters == {0: Disposition.UNKNOWN_SUBSCRIPTION}
    assert sorted(mart.stored) == [1, 2, 3]


def test_an_outage_between_the_two_does_not_make_it_forget() -> None:
    mart = started(0)
    mart.turn(GONE)
    refresh(mart)
    for _ in range(6):
        mart.turn(FAIL, seconds=15)
    assert mart.letters == {}
    mart.now += 60
    mart.drain(GONE)
    assert mart.letters == {0: Disposition.UNKNOWN_SUBSCRIPTION}
    assert noted(mart) == set()


def test_a_refusal_of_another_kind_is_that_and_what_was_noted_is_forgotten() -> None:
    mart = started(0)
    mart.turn(GONE)
    refresh(mart)
    mart.drain(REFUSE)
    assert mart.letters == {0: Disposition.REJECTED}
    assert noted(mart) == set()


def test_each_record_has_its_own_second_chance() -> None:
    mart = started(0, 1, batch=1)
    mart.turn(GONE)
    assert refresh(mart) == [0, 1]
    mart.read(2)
    mart.turn(GONE)
    assert refresh(mart) == [2]
    mart.drain(GONE)
    assert set(mart.letters) == {0, 1, 2}
    assert len(mart.posts) == 6


def test_a_record_that_comes_again_with_a_new_claim_begins_anew() -> None:
    mart = started(0)
    mart.turn(GONE)
    mart.flow.release([CLAIM])
    assert noted(mart) == set()
    assert not mart.flow.wants_directory
    mart.flow.assign([OTHER])
    mart.read(0, claim=OTHER)
    mart.turn(GONE)
    assert mart.letters == {}
    assert mart.flow.wants_directory


def test_a_404_that_comes_after_its_claim_has_gone_leaves_nothing_behind() -> None:
    mart = started(0)
    (post,) = mart.flow.due(1.0)
    assert isinstance(post, Post)
    mart.flow.release([CLAIM])
    mart.answer(post, GONE)
    assert not mart.flow.wants_directory
    assert noted(mart) == set()


def test_a_record_that_turns_out_to_be_stored_already_leaves_nothing_behind() -> None:
    mart = started(0)
    mart.turn(GONE)
    refresh(mart)
    mart.turn(LOST)
    mart.drain(CONFLICT)
    assert mart.flow.account.tally.duplicates == 1
    assert noted(mart) == set()


def test_a_removed_subscription_with_much_traffic_leaves_nothing_behind_and_loses_nothing() -> None:
    mart = Mart(Flow(policy(batch=10, records=200)))
    for offset in range(0, 400, 4):
        mart.read(offset, offset + 1, subscription="gone")
        mart.read(offset + 2, offset + 3, subscription="well")
        mart.turn(lambda offsets: GONE if any(each % 4 < 2 for each in offsets) else ACCEPT)
        if offset % 40 == 36:
            refresh(mart)
    for _ in range(300):
        mart.turn(lambda offsets: GONE if any(each % 4 < 2 for each in offsets) else ACCEPT)
        refresh(mart)
        if mart.flow.idle:
            break
    assert set(mart.stored) == {each for each in range(400) if each % 4 >= 2}
    assert set(mart.letters) == {each for each in range(400) if each % 4 < 2}
    assert noted(mart) == set()
