"""What the flow promises, scenario by scenario; time is a number that the test moves."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.flow.build import envelope, policy, rejection
from tests.flow.mart import ACCEPT, CLAIM, CONFLICT, FAIL, HALT, LOST, REFRESH, REFUSE, Mart, failing, isolate, refusing
from worker.flow.flood import FloodPolicy
from worker.flow.flow import Flow
from worker.flow.jobs import Letter, Lettered, Post, Posted
from worker.flow.verdict import Answer, Verdict
from worker.model import Claim, Disposition, Envelope


def test_a_commit_waits_for_the_oldest_unsettled_offset() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=2)))
    mart.read(10, 11)
    mart.turn(lambda offsets: FAIL if 10 in offsets else ACCEPT)
    assert mart.stored == {11: 1}
    assert mart.flow.committable() == {CLAIM: 10}
    mart.drain(ACCEPT)
    assert mart.flow.committable() == {CLAIM: 12}


def test_a_lane_closes_when_full_or_when_its_first_record_has_lingered() -> None:
    mart = Mart(Flow(policy(batch=3)))
    mart.read(0, 1, 2, 3)
    mart.turn(ACCEPT, seconds=0.01)
    assert mart.posts == [[0, 1, 2]]
    mart.turn(ACCEPT, seconds=0.05)
    assert mart.posts == [[0, 1, 2]]
    mart.turn(ACCEPT, seconds=0.1)
    assert mart.posts == [[0, 1, 2], [3]]


@pytest.mark.parametrize("bad", [0, 7, 250, 499])
def test_bisection_finds_the_one_bad_record_of_five_hundred_in_18_more_posts(bad: int) -> None:
    mart = Mart(Flow(policy(batch=500, records=500)))
    mart.read(*range(500))
    mart.drain(refusing(bad))
    assert mart.letters == {bad: Disposition.REJECTED}
    assert mart.stored == Counter(set(range(500)) - {bad})
    assert len(mart.posts) - 1 <= 18


def test_an_outage_dead_letters_nothing_and_probes_one_at_a_time() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=3)))
    mart.read(*range(20))
    for _ in range(200):
        mart.turn(FAIL, seconds=5)
    assert mart.letters == {}
    assert mart.flow.committable() == {CLAIM: 0}
    assert mart.flow.blocked(mart.now) == "server-error"
    assert len(mart.posts) <= 3 + 200
    mart.drain(ACCEPT)
    assert mart.stored == Counter(range(20))
    assert mart.flow.blocked(mart.now) is None


def test_a_record_that_alone_makes_the_server_fail_is_found_and_dead_lettered() -> None:
    mart = Mart(Flow(policy(batch=10, attempts=4)))
    mart.read(*range(10))
    for more in range(10, 400):
        mart.read(more)
        mart.turn(failing(3))
    mart.drain(failing(3))
    assert mart.letters == {3: Disposition.SERVER_ERROR}
    assert mart.stored == Counter(set(range(400)) - {3})


def test_a_subscription_that_fails_while_others_pass_waits_alone_and_is_not_dead_lettered() -> None:
    mart = Mart(Flow(policy(batch=4, records=1000)))
    for offset in range(0, 600, 2):
        mart.read(offset, subscription="sick")
        mart.read(offset + 1, subscription="well")
        mart.turn(lambda offsets: FAIL if any(each % 2 == 0 for each in offsets) else ACCEPT)
    assert mart.letters == {}
    assert set(mart.stored) >= set(range(1, 500, 2))
    mart.drain(ACCEPT)
    assert mart.stored == Counter(range(600))


def test_an_outage_that_begins_between_two_posts_blames_no_record() -> None:
    """One record fails first, another is stored just after, then nothing passes for hours."""
    mart = Mart(Flow(policy(batch=1, in_flight=2, attempts=4)))
    mart.read(0, 1)
    mart.turn(failing(0))
    for _ in range(500):
        mart.turn(FAIL, seconds=20)
    assert mart.letters == {}


def test_a_halt_posts_nothing_but_probes_and_recovers_by_itself() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=3)))
    mart.read(*range(9))
    mart.turn(HALT)
    assert len(mart.posts) == 3
    assert mart.flow.blocked(mart.now) == "forbidden"
    mart.turn(HALT, seconds=0.5)
    assert len(mart.posts) == 3
    mart.turn(HALT, seconds=60)
    assert len(mart.posts) == 4
    mart.now += 60
    mart.drain(ACCEPT)
    assert mart.stored == Counter(range(9))
    assert mart.letters == {}


def test_a_refused_token_is_tried_once_more_and_then_halts() -> None:
    mart = Mart(Flow(policy(batch=9)))
    mart.read(*range(9))
    mart.turn(REFRESH)
    assert mart.flow.blocked(mart.now) is None
    mart.turn(REFRESH)
    assert mart.flow.blocked(mart.now) == "unauthorised"
    mart.now += 60
    mart.drain(ACCEPT)
    assert mart.stored == Counter(range(9))


def test_nothing_is_posted_before_retry_after_has_passed_in_any_lane() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=3, by_subscription=True)))
    mart.read(0, subscription="a")
    mart.turn(Answer(Verdict.THROTTLE, "throttled", 429, retry_after=7.0))
    mart.read(1, subscription="b")
    mart.turn(ACCEPT, seconds=6.9)
    assert mart.posts == [[0]]
    mart.turn(ACCEPT, seconds=0.2)
    mart.turn(ACCEPT, seconds=0)
    assert sorted(mart.posts) == [[0], [0], [1]]


def test_retry_after_is_capped() -> None:
    mart = Mart(Flow(policy(batch=1)))
    mart.read(0)
    mart.turn(Answer(Verdict.THROTTLE, "throttled", 429, retry_after=86_400.0))
    mart.turn(ACCEPT, seconds=61)
    assert mart.stored == {0: 1}


def test_a_conflict_after_an_unseen_end_means_that_it_is_stored_already() -> None:
    mart = Mart(Flow(policy(batch=1)))
    mart.read(0)
    mart.turn(LOST)
    mart.drain(CONFLICT)
    assert mart.letters == {}
    assert mart.flow.account.tally.duplicates == 1
    mart.read(1)
    mart.drain(CONFLICT)
    assert mart.letters == {1: Disposition.REJECTED}


def test_a_size_that_was_too_large_is_remembered() -> None:
    large = Answer(Verdict.TOO_LARGE, "too-large", 413, Disposition.TOO_LARGE)
    mart = Mart(Flow(policy(batch=8, in_flight=1)))
    mart.read(*range(32))
    mart.drain(lambda offsets: large if len(offsets) > 4 else ACCEPT)
    assert sum(len(post) > 4 for post in mart.posts) == 1
    assert mart.stored == Counter(range(32))


def test_a_dead_letter_that_fails_is_held_and_tried_again() -> None:
    flow = Flow(policy())
    flow.assign([CLAIM])
    flow.admit([], [rejection(each) for each in flow.begin([envelope(CLAIM, 5)])], 0.0)
    (letter,) = flow.due(0.0)
    assert isinstance(letter, Letter)
    flow.settle(Lettered(letter, "no such topic"), 0.0)
    assert flow.due(0.5) == []
    assert flow.committable() == {CLAIM: 5}
    (again,) = flow.due(1.0)
    assert isinstance(again, Letter)
    flow.settle(Lettered(again, None), 1.0)
    assert flow.committable() == {CLAIM: 6}


def test_what_is_passed_over_is_settled_without_a_post_or_a_letter() -> None:
    flow, claim = Flow(policy(flood=FloodPolicy(0.5, 4, 4))), Claim("t", 0)
    flow.assign([claim])
    read = flow.begin([envelope(claim, number) for number in range(5)])
    flow.pass_over(read[:4])
    flow.admit([], [rejection(read[4])], 0.0)  # of the last four one, which is no flood
    assert flow.committable() == {claim: 4}
    assert flow.stopped is None
    assert [job.rejection.envelope.offset for job in flow.due(0.0) if isinstance(job, Letter)] == [4]


def test_a_late_result_for_a_revoked_claim_settles_nothing_of_the_next_claim() -> None:
    mart = Mart(Flow(policy(batch=1)))
    mart.read(0)
    (post,) = mart.flow.due(1.0)
    assert isinstance(post, Post)
    mart.flow.release([CLAIM])
    renewed = Claim("t", 0, 2)
    mart.flow.assign([renewed])
    mart.flow.begin([envelope(renewed, 0)])
    mart.flow.settle(Posted(post, ACCEPT), 1.0)
    assert mart.flow.committable() == {renewed: 0}
    assert mart.flow.open_records == 1


def test_parked_records_are_given_back_only_by_a_fetch_begun_after_they_came() -> None:
    flow = Flow(policy())
    flow.assign([CLAIM])
    first, second = flow.begin([envelope(CLAIM, 0), envelope(CLAIM, 1)])
    flow.park([rejection(first)], 10.0)
    flow.park([rejection(second)], 20.0)
    assert flow.unpark(9.0) == []
    assert [each.envelope for each in flow.unpark(15.0)] == [first]
    assert flow.wants_directory


def test_a_full_parking_lot_stops_reading_the_partitions_that_filled_it_and_no_other() -> None:
    flow = Flow(policy(records=20))
    other = Claim("t", 1)
    flow.assign([CLAIM, other])
    flow.park([rejection(each) for each in flow.begin([envelope(CLAIM, n) for n in range(10)])], 0.0)
    assert flow.crowding
    flow.make_room()
    assert flow.crowded == {CLAIM}
    assert flow.room == 10
    assert [each.envelope.offset for each in flow.unpark(1.0)] == list(range(10))
    flow.make_room()
    assert flow.crowded == set()


def test_halves_are_cut_between_subscriptions() -> None:
    mart = Mart(Flow(policy(batch=6, in_flight=1)))
    for offset in range(6):
        mart.read(offset, subscription="a" if offset in (0, 3) else "b")
    mart.drain(lambda offsets: REFUSE if set(offsets) == set(range(6)) else ACCEPT)
    assert sorted(map(sorted, mart.posts[1:])) == [[0, 3], [1, 2, 4, 5]]


def test_what_was_committed_is_not_offered_again_but_for_the_last_commit() -> None:
    mart = Mart(Flow(policy(batch=1)))
    mart.read(0, 1)
    mart.drain(ACCEPT)
    marks = mart.flow.committable()
    assert marks == {CLAIM: 2}
    mart.flow.committed(marks)
    assert mart.flow.committable() == {}
    assert mart.flow.committable(again=True) == {CLAIM: 2}
    mart.flow.committed(dict.fromkeys(marks))
    assert mart.flow.committable() == {CLAIM: 2}


@pytest.mark.parametrize("by_subscription", [True, False])
def test_a_lane_that_always_has_a_full_batch_does_not_starve_another(by_subscription: bool) -> None:  # noqa: FBT001
    mart = Mart(Flow(policy(batch=2, records=1000, in_flight=3, by_subscription=by_subscription)))
    if not by_subscription:
        isolate(mart, 0)
    mart.read(9_000_000, subscription="sick")
    busy: list[Post] = []
    offset = 9_000_001
    posted = False
    for _ in range(200):
        mart.read(*range(offset, offset + 20), subscription="well") if mart.flow.room > 20 else None
        offset += 20
        mart.now += 0.5
        busy += [job for job in mart.flow.due(mart.now) if isinstance(job, Post)]
        posted = posted or any(row.subscription_id == "sick" for post in busy for row in post.batch.rows)
        mart.flow.settle(Posted(busy.pop(0), ACCEPT), mart.now)
    assert posted


def test_what_is_refused_at_the_edge_whatever_it_is_halts_and_dead_letters_nothing() -> None:
    page = Answer(Verdict.SPLIT_EDGE, "edge-403", 403, Disposition.REJECTED_EDGE)
    mart = Mart(Flow(policy(batch=8, records=100)))
    mart.read(*range(64))
    for _ in range(100):
        mart.turn(page, seconds=5)
    assert mart.letters == {}
    assert mart.flow.blocked(mart.now) == "edge-403"
    mart.now += 60
    mart.drain(lambda offsets: page if 13 in offsets else ACCEPT)
    assert mart.letters == {13: Disposition.REJECTED_EDGE}
    assert mart.stored == Counter(set(range(64)) - {13})


def test_a_brown_out_dead_letters_no_good_record() -> None:
    """Every other post fails at random for a long time; no record is at fault."""
    chance = random.Random(7)  # noqa: S311 - a seed, not a secret
    mart = Mart(Flow(policy(batch=5, records=100, attempts=8)))
    for offset in range(0, 4000, 4):
        mart.read(*range(offset, offset + 4)) if mart.flow.room > 4 else None
        mart.turn(lambda _: FAIL if chance.random() < 0.5 else ACCEPT, seconds=0.5)
    mart.drain(ACCEPT)
    assert mart.letters == {}


def test_keys_and_headers_count_as_bytes_that_are_open() -> None:
    flow = Flow(policy())
    flow.assign([CLAIM])
    flow.begin([Envelope(CLAIM, 0, 0, b"k" * 10, b"v" * 100, [("h" * 5, b"x" * 1000), ("i", None)])])
    assert flow.open_bytes == 10 + 100 + 5 + 1000 + 1


def test_one_subscriptions_outage_is_told_once_it_has_filled_all_room() -> None:
    mart = Mart(Flow(policy(batch=4, records=40)))
    for offset in range(0, 200, 2):
        if mart.flow.room > 1:
            mart.read(offset, subscription="sick")
            mart.read(offset + 1, subscription="well")
        mart.turn(lambda offsets: FAIL if any(each % 2 == 0 for each in offsets) else ACCEPT)
    assert mart.flow.room < 2
    mart.read(*range(1001, 1001 + 2 * mart.flow.room, 2), subscription="sick")
    assert mart.flow.blocked(mart.now) == "server-error"
    assert mart.letters == {}


def test_rows_of_a_revoked_claim_are_not_posted() -> None:
    """Those that wait, those that wait again, and those whose post is under way when the claim goes."""
    mart = Mart(Flow(policy(batch=1, in_flight=2)))
    mart.read(0, 1, 2)
    mart.turn(lambda offsets: FAIL if 0 in offsets else REFRESH)
    mart.read(3)
    under_way = [job for job in mart.flow.due(mart.now) if isinstance(job, Post)]
    assert under_way
    mart.flow.release([CLAIM])
    for post in under_way:
        mart.flow.settle(Posted(post, FAIL), mart.now)
    assert mart.flow.due(mart.now + 60) == []
    assert mart.flow.in_flight == 0
