"""Batches that were taken and are not stored yet: held like those in flight, and settled by their request's end."""

from __future__ import annotations

import pytest

from tests.flow.build import policy
from tests.flow.mart import ACCEPT, CLAIM, FAIL, HALT, OTHER, Mart
from worker.flow.flow import Flow
from worker.flow.following import SLOW
from worker.flow.jobs import Letter, Post, Posted
from worker.flow.requests import lost
from worker.flow.verdict import Answer, Verdict
from worker.model import Disposition

FOLLOW = Answer(Verdict.FOLLOW, "followed", 202, request="r-1")
STORED = Answer(Verdict.ACCEPTED, "accepted", 200, request="r-1")
FAILED = Answer(Verdict.SPLIT, "rejected", 200, body="AIQCS0004E", request="r-1")


def taking(mart: Mart, seconds: float = 1.0) -> list[Post]:
    """The posts that are due, each taken."""
    mart.now += seconds
    posts = [job for job in mart.flow.due(mart.now) if isinstance(job, Post)]
    for post in posts:
        mart.flow.settle(Posted(post, FOLLOW), mart.now)
    return posts


def end(mart: Mart, post: Post, answer: Answer) -> None:
    mart.flow.settle(Posted(post, answer), mart.now)


def flow(*, batch: int, in_flight: int = 3, records: int = 100) -> Mart:
    return Mart(Flow(policy(by_subscription=True, batch=batch, in_flight=in_flight, records=records)))


def test_what_is_taken_is_open_until_its_request_is_active() -> None:
    mart = flow(batch=2)
    mart.read(0, 1)
    (post,) = taking(mart)
    assert (mart.flow.open_records, mart.flow.in_flight, mart.flow.posts_in_flight) == (2, 1, 0)
    assert mart.flow.committable(again=True) == {CLAIM: 0}
    end(mart, post, STORED)
    assert mart.flow.idle
    assert mart.flow.in_flight == 0
    assert mart.flow.committable() == {CLAIM: 2}
    assert mart.flow.account.tally.delivered == 2


def test_what_is_followed_takes_nothing_of_the_posts_in_flight() -> None:
    mart = flow(batch=1, in_flight=2, records=10)
    mart.read(*range(10))
    taken = [post for _ in range(5) for post in taking(mart)]
    assert len(taken) == 10
    assert mart.flow.room == 0
    end(mart, taken[7], STORED)
    assert mart.flow.room == 1
    assert mart.flow.committable(again=True) == {CLAIM: 0}


def test_a_request_that_fails_splits_its_batch_and_the_lone_record_is_dead_lettered_with_its_codes() -> None:
    mart = flow(batch=8)
    mart.read(*range(8))
    bad = 5
    for _ in range(30):
        for post in taking(mart):
            offsets = [each.envelope.offset for each in post.batch.rows]
            end(mart, post, FAILED if bad in offsets else STORED)
        if mart.flow.account.refused:
            break
    (rejection,) = mart.flow.account.refused
    assert (rejection.envelope.offset, rejection.refusal.disposition) == (bad, Disposition.REJECTED)
    assert (rejection.body, rejection.status) == ("AIQCS0004E", 200)
    assert rejection.refusal.detail == "the data mart took this record alone, and could not store it"
    assert rejection.attempts == 4
    (letter,) = mart.flow.due(mart.now)
    assert isinstance(letter, Letter)
    assert mart.flow.account.tally.delivered == 7


def test_a_request_that_is_lost_is_posted_again_and_its_end_counts_as_unseen() -> None:
    mart = flow(batch=1)
    mart.read(0)
    (post,) = taking(mart)
    end(mart, post, lost("r-1"))
    assert mart.flow.open_records == 1
    (again,) = taking(mart)
    assert (again.batch.attempts, again.batch.unseen, again.batch.rows) == (1, True, post.batch.rows)
    end(mart, again, STORED)
    assert mart.flow.idle
    assert mart.flow.account.tally.retries == {"request-lost": 1}


def test_an_end_that_comes_for_a_claim_that_is_gone_changes_nothing() -> None:
    mart = flow(batch=1)
    mart.read(0)
    (post,) = taking(mart)
    mart.flow.release([CLAIM])
    assert (mart.flow.in_flight, mart.flow.open_records) == (0, 0), "a later revocation need not wait for it"
    end(mart, post, FAILED)
    assert (mart.flow.account.refused, mart.flow.account.tally.delivered) == ([], 0)
    assert mart.flow.due(mart.now) == []


def test_a_batch_of_two_claims_is_followed_for_the_one_that_is_left() -> None:
    mart = flow(batch=2)
    mart.flow.assign([OTHER])
    mart.read(0)
    mart.read(0, claim=OTHER)
    (post,) = taking(mart)
    mart.flow.release([CLAIM])
    assert mart.flow.in_flight == 1
    end(mart, post, lost("r-1"))
    (again,) = taking(mart)
    assert [row.envelope.claim for row in again.batch.rows] == [OTHER]


def test_a_dropped_probe_lets_the_next_one_start() -> None:
    """Else the lane of a subscription that had failed would stay shut for good."""
    mart = flow(batch=1)
    mart.flow.assign([OTHER])
    mart.read(0, 1)
    mart.turn(FAIL)
    assert mart.noticed("circuit.opened")
    mart.read(0, claim=OTHER)
    probes = [post for _ in range(3) for post in taking(mart, 10)]
    assert len(probes) == 1
    probed = probes[0].batch.rows[0].envelope.claim
    left = OTHER if probed is CLAIM else CLAIM
    mart.flow.release([probed])
    (next_one,) = taking(mart, 10)
    assert next_one.batch.rows[0].envelope.claim is left
    end(mart, next_one, STORED)
    assert mart.noticed("circuit.closed")


def test_a_202_ends_a_halt_and_not_an_outage() -> None:
    """Address and credentials are well; whether anything is stored is still to be seen."""
    mart = flow(batch=1, in_flight=1)
    mart.read(0)
    mart.turn(HALT)
    (post,) = taking(mart, 10)
    assert mart.noticed("halt.ended")
    end(mart, post, lost("r-1"))
    (post,) = taking(mart, 10)
    end(mart, post, lost("r-1"))
    assert mart.noticed("circuit.opened") == [{"lane": "s-0", "reason": "request-lost"}]
    (post,) = taking(mart, 10)
    assert not mart.noticed("circuit.closed")
    assert taking(mart, 100) == [], "one probe at a time"
    end(mart, post, STORED)
    assert mart.noticed("circuit.closed")


def test_a_record_that_is_followed_says_so() -> None:
    mart = flow(batch=1, in_flight=5)
    mart.read(*range(5))
    posts = taking(mart)
    for post in posts:
        if post.batch.rows[0].envelope.offset != 0:
            end(mart, post, STORED)
    mart.flow.look(mart.now)
    mart.now += 31
    mart.flow.look(mart.now)
    (told,) = mart.noticed("partition.held_up")
    assert told["reason"] == "the data mart has taken it and not stored it yet: request r-1"


@pytest.mark.parametrize(("seconds", "paused"), [(SLOW - 1, False), (SLOW, True)])
def test_a_subscription_whose_requests_are_slow_does_not_crowd_out_the_others(seconds: float, *, paused: bool) -> None:
    mart = flow(batch=1, in_flight=10, records=20)
    mart.flow.assign([OTHER])
    mart.read(*range(10))
    posts = [*taking(mart), *taking(mart, 0)]
    assert len(posts) == 10
    mart.now += seconds
    mart.flow.look(mart.now)
    assert (CLAIM in mart.flow.crowded) is paused
    for post in posts:
        end(mart, post, STORED)
    mart.flow.look(mart.now)
    assert not mart.flow.crowded


def test_a_lane_is_kept_while_something_of_it_is_followed() -> None:
    """What comes back must find the breaker that it is to open."""
    mart = flow(batch=1, in_flight=3)
    mart.read(0, 1)
    first, second = taking(mart)
    end(mart, first, STORED)
    mart.read(2)
    (third,) = taking(mart)
    assert third.lane is second.lane
    end(mart, second, STORED)
    end(mart, third, STORED)
    mart.read(3)
    mart.turn(ACCEPT)
    assert mart.flow.idle
