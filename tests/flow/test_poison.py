"""A record, a subscription, a mart that fails, always or now and then: who is blamed, and who waits."""

from __future__ import annotations

import pytest

from tests.flow.build import policy
from tests.flow.mart import ACCEPT, FAIL, Mart, failing
from tests.flow.simulated import Simulation, brown_out, poisonous, sick
from worker.flow.blame import ALONE
from worker.flow.flow import Flow
from worker.flow.jobs import Letter, Post
from worker.flow.verdict import Answer, Verdict
from worker.model import Disposition

ATTEMPTS = 4
BAD = (0, 9_999)
MODES = pytest.mark.parametrize("by_subscription", [False, True], ids=["mart", "subscription"])


# --- a lone poison in a quiet lane --------------------------------------------------------------------------------


def quiet(*, by_subscription: bool = False) -> Mart:
    """One record of a subscription that has no other."""
    mart = Mart(Flow(policy(attempts=ATTEMPTS, records=10_000, by_subscription=by_subscription)))
    mart.read(0, subscription="quiet")
    return mart


def others_pass(mart: Mart, turns: int, first: int = 1) -> None:
    """In each turn first another record passes, then the bad ones fail again: after as long as they wait at most."""
    for offset in range(first, first + turns):
        mart.read(offset, subscription="well")
        mart.turn(failing(*BAD), seconds=0.2)
        mart.turn(failing(*BAD), seconds=11)


@MODES
def test_a_lone_poison_is_dead_lettered_after_thirty_times_the_patience_while_others_pass(
    by_subscription: bool,  # noqa: FBT001 - drawn by the parametrisation
) -> None:
    mart = quiet(by_subscription=by_subscription)
    others_pass(mart, ATTEMPTS * ALONE)
    assert mart.letters == {}, "not before: the first failure can contradict nobody"
    others_pass(mart, 2 * ATTEMPTS, first=1000)
    assert mart.letters == {0: Disposition.SERVER_ERROR}
    (told,) = mart.flow.account.refused
    assert told.attempts == sum(0 in post for post in mart.posts) > ATTEMPTS * ALONE
    assert mart.flow.committable(again=True)


@MODES
def test_a_lone_poison_waits_for_ever_while_nobody_else_passes(
    by_subscription: bool,  # noqa: FBT001 - as above
) -> None:
    mart = quiet(by_subscription=by_subscription)
    mart.read(1, subscription="well")
    for _ in range(6 * ATTEMPTS * ALONE):
        mart.turn(FAIL, seconds=11)
    assert mart.letters == {}
    assert not mart.stored


def test_failures_during_an_outage_of_all_do_not_count_against_a_lone_record() -> None:
    """Half as many as needed, a long outage, and only then the other half."""
    mart = quiet()
    others_pass(mart, ATTEMPTS * ALONE // 2)
    mart.read(900, subscription="well")
    for _ in range(3 * ATTEMPTS * ALONE):
        mart.turn(FAIL, seconds=11)
    assert mart.letters == {}
    others_pass(mart, ATTEMPTS * ALONE // 2 - 4 * ATTEMPTS, first=1000)
    assert mart.letters == {}
    others_pass(mart, 8 * ATTEMPTS, first=2000)
    assert mart.letters == {0: Disposition.SERVER_ERROR}


def test_two_lone_records_of_a_subscription_have_each_the_whole_patience() -> None:
    mart = Mart(Flow(policy(attempts=ATTEMPTS, records=20_000)))
    mart.read(*BAD, subscription="quiet")
    others_pass(mart, 3 * ATTEMPTS * ALONE, first=10_000)
    assert set(mart.letters) == set(BAD)
    for told in mart.flow.account.refused:
        assert mart.posts.count([told.envelope.offset]) >= ATTEMPTS * ALONE


def test_a_quiet_subscription_that_recovers_in_time_loses_nothing() -> None:
    mart = quiet()
    others_pass(mart, ATTEMPTS * ALONE - 1)
    mart.drain(ACCEPT)
    assert mart.letters == {}
    assert mart.stored[0] == 1


# --- a sick subscription --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 1.0, 10.0])
def test_two_hours_of_a_subscriptions_outage_cost_next_to_none_of_its_records(rate: float) -> None:
    made = Simulation(7, {"sick": rate, "well": 5.0}, sick("sick")).run(7200)
    assert made.lettered() <= 1
    assert made.lettered("well") == 0
    made.answer = brown_out(0)
    made.run(600, reading=False)
    assert made.flow.idle
    assert made.stored.total() + made.lettered() == made.read.total()


@pytest.mark.parametrize(("burst", "rate"), [(1500, 0.5), (6000, 5.0)])
def test_a_burst_of_a_sick_subscription_does_not_stop_the_others(burst: int, rate: float) -> None:
    made = Simulation(7, {"well": rate}, sick("sick"))
    made.put("sick", burst)
    made.run(1800)
    assert made.stored["well"] > 0
    assert made.stored["well"] >= made.read["well"] - 100


# --- several poisonous records --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 5.0])
@pytest.mark.parametrize("count", [1, 3, 12])
def test_poisonous_records_are_found_and_only_they_are_dead_lettered(count: int, rate: float) -> None:
    made = Simulation(7, {"s": rate}, poisonous(*range(count)))
    made.put("s", count)
    made.run(900)
    assert set(made.letters) == set(range(count))
    assert made.stored["s"] >= made.read["s"] - count - 10


@pytest.mark.parametrize("count", [5, 12])
def test_poisonous_records_in_a_slow_topic_do_not_stop_the_good_ones(count: int) -> None:
    """Three records a minute: five failures come in a row without a success between them."""
    made = Simulation(7, {"s": 0.05}, poisonous(*range(count)))
    made.put("s", count)
    made.run(3600)
    assert made.stored["s"] >= made.read["s"] - count - 10
    assert set(made.letters) == set(range(count))


# --- brown-outs ---------------------------------------------------------------------------------------------------


def _brown_out(share: float, *, by_subscription: bool, seconds: float = 900) -> Simulation:
    streams = {f"s-{number}": 500.0 for number in range(4)}
    made = Simulation(7, streams, brown_out(share), by_subscription).run(seconds)
    made.answer = brown_out(0)
    made.run(600, reading=False)
    assert made.stored.total() + made.lettered() == made.read.total()
    return made


@MODES
@pytest.mark.parametrize("share", [0.3, 0.5])
def test_a_brown_out_of_half_of_the_posts_blames_no_good_record(
    share: float,
    by_subscription: bool,  # noqa: FBT001 - as above
) -> None:
    assert _brown_out(share, by_subscription=by_subscription, seconds=300).lettered() == 0


@MODES
def test_a_brown_out_of_two_thirds_of_the_posts_blames_no_good_record(
    by_subscription: bool,  # noqa: FBT001 - as above
) -> None:
    assert _brown_out(0.67, by_subscription=by_subscription).lettered() == 0


def test_a_brown_out_of_four_fifths_of_the_posts_blames_no_good_record() -> None:
    assert _brown_out(0.8, by_subscription=True).lettered() == 0


def test_a_record_that_a_firewall_refuses_halts_nothing_for_good_whichever_half_is_answered_first() -> None:
    page = Answer(Verdict.SPLIT_EDGE, "edge-403", 403, Disposition.REJECTED_EDGE)
    mart = Mart(Flow(policy(batch=2, records=10_000, in_flight=2)))

    def firewall(offsets: list[int]) -> Answer:
        return page if 0 in offsets else ACCEPT

    def is_bad(job: Post | Letter) -> bool:
        return isinstance(job, Post) and any(row.envelope.offset == 0 for row in job.batch.rows)

    mart.read(0, 1)
    mart.turn(firewall)
    for half in sorted(mart.flow.due(mart.now), key=is_bad, reverse=True):
        assert isinstance(half, Post)
        mart.now += 0.01
        mart.answer(half, firewall)
    mart.turn(firewall)  # alone now: a halt
    assert mart.flow.blocked(mart.now) == "edge-403"
    mart.read(*range(2, 200))
    for _ in range(300):
        mart.turn(firewall, seconds=60)
    assert mart.flow.idle
    assert mart.letters == {0: Disposition.REJECTED_EDGE}


def test_a_record_that_alone_draws_an_answer_that_is_in_no_table_is_dead_lettered_while_others_pass() -> None:
    odd = Answer(Verdict.HALT, "unexpected-451", 451)
    mart = Mart(Flow(policy(batch=1, records=10_000)))
    for number in range(200):
        mart.read(*range(number * 2, number * 2 + 2))
        mart.turn(lambda offsets: odd if 0 in offsets else ACCEPT, seconds=15)
    for _ in range(200):
        mart.turn(lambda offsets: odd if 0 in offsets else ACCEPT, seconds=15)
    assert mart.flow.idle
    assert mart.letters == {0: Disposition.SERVER_ERROR}


def test_credentials_that_are_refused_now_and_then_blame_no_record() -> None:
    refused = Answer(Verdict.HALT, "forbidden", 403)
    mart = Mart(Flow(policy(batch=1, records=10_000)))
    mart.read(*range(20))
    for _ in range(300):
        mart.turn(lambda offsets: refused if 0 in offsets else ACCEPT, seconds=15)
    assert mart.letters == {}
    assert not mart.flow.idle


def test_many_isolated_subscriptions_leave_half_of_the_posts_to_the_others() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=6, records=10_000)))
    for number in range(60):
        mart.read(number * 2, subscription=f"sick-{number}")
        mart.read(number * 2 + 1, subscription=f"well-{number}")
    for _ in range(60):
        mart.turn(lambda offsets: FAIL if any(offset % 2 == 0 for offset in offsets) else ACCEPT, seconds=5)
    posts = [job for job in mart.flow.due(mart.now + 60) if isinstance(job, Post)]
    assert sum(post.lane.key.startswith("sick") for post in posts) <= 3
