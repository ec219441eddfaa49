"""How many posts are in flight follows the endpoint: as good as the best fixed number on each, without being told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flow.build import policy
from tests.flow.endpoint import Simulation, best_fixed, shared, steady, throttling
from tests.flow.mart import ACCEPT, FAIL, LOST, REFUSE, Mart, failing, isolate
from worker.flow.concurrency import START, Limiter, Load, load
from worker.flow.flow import Flow
from worker.flow.jobs import Post
from worker.flow.verdict import Answer, Verdict, no_answer

if TYPE_CHECKING:
    from tests.flow.endpoint import Endpoint

BUDGET = 32
THROTTLED = Answer(Verdict.THROTTLE, "throttled", 429)


@dataclass(frozen=True)
class Case:
    """An endpoint, and seconds in which a limiter has long found its limit."""

    name: str
    endpoint: Endpoint
    seconds: float


CASES = {
    case.name: case
    for case in (
        Case("1 ms", steady(0.001), 0.5),
        Case("20 ms", steady(0.02), 10),
        Case("200 ms", steady(0.2), 40),
        Case("20 ms, the rate stays beyond 8", shared(0.02, 8), 20),
        Case("200 ms, the rate stays beyond 20", shared(0.2, 20), 60),
        Case("1 ms, one at a time", shared(0.001, 1), 1),
        Case("20 ms, the rate falls beyond 8", shared(0.02, 8, 2), 20),
        Case("200 ms, the rate falls beyond 20", shared(0.2, 20, 2), 60),
        Case("20 ms, 429 beyond 10", throttling(0.02, 10), 40),
        Case("200 ms, 429 beyond 20", throttling(0.2, 20), 60),
    )
}


@cache
def best(name: str, scatter: float) -> float:
    case = CASES[name]
    return best_fixed(case.endpoint, case.seconds / 4, scatter, BUDGET)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), scatter=st.sampled_from([0.0, 0.05, 0.1]))
def test_it_is_within_a_tenth_of_the_best_fixed_number_on_every_endpoint(name: str, seed: int, scatter: float) -> None:
    case = CASES[name]
    made = Simulation(case.endpoint, Limiter(BUDGET), seed, scatter)
    made.run(case.seconds / 2)
    assert made.run(case.seconds / 2) >= 0.9 * best(name, scatter)


@pytest.mark.parametrize("name", ["20 ms", "20 ms, the rate stays beyond 8", "20 ms, the rate falls beyond 8"])
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_round_trips_that_scatter_widely_only_make_it_slower_to_find(name: str, seed: int) -> None:
    """A scatter of 0.4: one of a hundred takes six times as long as another."""
    made = Simulation(CASES[name].endpoint, Limiter(BUDGET), seed, 0.4)
    made.run(60)
    assert made.run(60) >= 0.85 * best(name, 0.4)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_posts_of_a_hundred_sizes_do_not_mislead_it(seed: int) -> None:
    limiter = Limiter(BUDGET)
    Simulation(shared(0.02, 8), limiter, seed, 0.05, mixed=True).run(20)
    assert 6 <= limiter.limit <= 14
    limiter = Limiter(BUDGET)
    Simulation(steady(0.02), limiter, seed, 0.05, mixed=True).run(20)
    assert limiter.limit >= 0.7 * BUDGET


def test_it_keeps_latency_low_where_more_posts_bring_nothing() -> None:
    limiter = Limiter(BUDGET)
    made = Simulation(shared(0.02, 8), limiter, scatter=0.1)
    made.run(10)
    seen = []
    for _ in range(100):
        made.run(0.1)
        seen.append(limiter.limit)
    assert sum(seen) / len(seen) < 11


def test_it_follows_an_endpoint_that_changes() -> None:
    limiter = Limiter(BUDGET)
    made = Simulation(shared(0.02, 4), limiter, scatter=0.1)
    made.run(20)
    assert limiter.limit <= 6
    made.endpoint = steady(0.2)
    made.run(40)
    assert limiter.limit >= 0.7 * BUDGET
    made.endpoint = shared(0.02, 4)
    made.run(40)
    assert limiter.limit <= 6


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), rate=st.floats(1, 150))
def test_with_little_to_post_the_limit_stays(seed: int, rate: float) -> None:
    """At 150 posts a second of 20 ms each, three are in flight."""
    limiter = Limiter(BUDGET)
    Simulation(steady(0.02), limiter, seed, 0.1, rate=rate).run(10)
    assert limiter.limit == START


def test_what_was_throttled_is_tried_again_ever_more_seldom() -> None:
    limiter = Limiter(BUDGET)
    made = Simulation(throttling(0.02, 10), limiter)
    made.run(30)
    early = made.refused
    made.run(600)
    assert 0 < made.refused - early <= 8
    made.endpoint = steady(0.02)
    made.run(700)
    assert limiter.limit >= 0.7 * BUDGET, "once it takes more, it is given more"


# --- cuts ------------------------------------------------------------------------------------------------------------


def end(limiter: Limiter, found: Load, started: float, now: float, in_flight: int = 20) -> None:
    limiter.settle(found, started=started, size=1000, in_flight=in_flight, now=now)


@pytest.mark.parametrize("found", [Load.TOO_MUCH, Load.LATE])
def test_it_is_cut_once_a_round_trip_to_a_share_of_what_was_in_flight(found: Load) -> None:
    limiter = Limiter(20)
    limiter.limit = 20
    for _ in range(20):
        end(limiter, found, started=0.0, now=1.0)
    assert limiter.limit == 14
    end(limiter, found, started=0.9, now=2.0, in_flight=14)
    assert limiter.limit == 14, "it had started before the cut"
    end(limiter, found, started=1.5, now=2.0, in_flight=10)
    assert limiter.limit == 7, "of what was in flight, not of what might have been"
    for now in range(3, 40):
        end(limiter, found, started=now, now=now, in_flight=limiter.limit)
    assert limiter.limit == 1


@given(
    budget=st.integers(1, 64),
    ends=st.lists(st.tuples(st.sampled_from(list(Load)), st.floats(0, 5), st.integers(1, 10**6), st.booleans())),
)
def test_it_never_leaves_its_bounds(budget: int, ends: list[tuple[Load, float, int, bool]]) -> None:
    limiter, now = Limiter(budget), 0.0
    for found, seconds, size, wanted in ends:
        now += seconds / 3
        limiter.wanted = wanted
        limiter.settle(found, started=now - seconds, size=size, in_flight=limiter.limit, now=now)
        assert 1 <= limiter.limit <= budget


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ACCEPT, Load.CARRIED),
        (THROTTLED, Load.TOO_MUCH),
        (Answer(Verdict.RETRY, "server-error", 503, retry_after=1.0), Load.TOO_MUCH),
        (no_answer("timeout", sent=True), Load.LATE),
        (no_answer("connect-timeout", sent=False), Load.LATE),
        (Answer(Verdict.RETRY, "timeout", 408), Load.LATE),
        (Answer(Verdict.RETRY, "gateway", 504), Load.LATE),
        (Answer(Verdict.ACCEPTED, "accepted", 202, retry_after=1.0), Load.CARRIED),
        (Answer(Verdict.SPLIT, "rejected", 400, retry_after=1.0), Load.UNKNOWN),
        (FAIL, Load.UNKNOWN),
        (LOST, Load.UNKNOWN),
        (REFUSE, Load.UNKNOWN),
    ],
)
def test_what_an_answer_says_of_the_load(answer: Answer, expected: Load) -> None:
    assert load(answer) is expected


# --- in the flow -----------------------------------------------------------------------------------------------------


def due(mart: Mart) -> list[Post]:
    return [job for job in mart.flow.due(mart.now + 1) if isinstance(job, Post)]


def test_no_more_posts_start_than_the_limit_allows() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=40)))
    mart.read(*range(40))
    assert mart.flow.posts_limit == START
    assert len(due(mart)) == START
    assert due(mart) == []


def test_more_posts_start_once_more_are_carried_as_fast() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=30, records=10_000)))
    mart.read(*range(5_000))
    while not mart.flow.idle:
        jobs = due(mart)
        mart.now += 2
        for job in jobs:
            mart.answer(job, ACCEPT)
    assert mart.flow.posts_limit >= 20


def test_a_429_leaves_fewer_posts() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=10)))
    mart.read(*range(20))
    assert mart.turn(THROTTLED) == START
    assert mart.flow.posts_limit == 4
    mart.drain(ACCEPT)
    assert sorted(mart.stored) == list(range(20))


def test_isolated_lanes_leave_half_of_the_limit_to_the_others() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=40, records=10_000)))
    offset = isolate(mart, 0)
    mart.turn(failing(0, 1), seconds=20)
    mart.read(*range(offset, offset + 100), subscription="sick")
    mart.read(*range(offset + 100, offset + 200), subscription="well")
    mart.now += 20
    jobs = due(mart)
    assert len(jobs) == mart.flow.posts_limit
    sick = sum(job.batch.rows[0].subscription_id == "sick" for job in jobs)
    assert 1 <= sick <= len(jobs) // 2
