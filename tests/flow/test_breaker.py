"""When posts may start: a breaker driven at random against what it promises, and its waits one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.flow.breaker import Breaker, BreakerPolicy, Passage


def breaker(failures: int = 3) -> Breaker:
    return Breaker(BreakerPolicy(failures, lambda probe: 10.0 * probe))


def test_it_opens_at_the_failure_of_that_number_in_a_row_and_says_so_once() -> None:
    tested = breaker(3)
    assert [tested.failed("x", 0, probe=False) for _ in range(5)] == [False, False, True, False, False]
    assert tested.reason == "x"
    tested = breaker(3)
    for _ in range(10):
        assert not tested.failed("x", 0, probe=False)
        assert not tested.failed("x", 0, probe=False)
        assert not tested.passed()
    assert tested.closed


def test_each_failed_probe_waits_longer_and_a_passed_one_closes() -> None:
    tested = breaker(1)
    assert tested.failed("x", 0, probe=False)
    now = 0.0
    for probe in (1, 2, 3):
        assert tested.passage(now + 10 * probe - 0.001) is Passage.NONE
        now += 10 * probe
        assert tested.passage(now) is Passage.ONE
        assert tested.started()
        assert tested.passage(now + 1000) is Passage.NONE, "one probe at a time"
        assert not tested.failed("y", now, probe=True)
    assert tested.passed()
    assert (tested.closed, tested.reason, tested.passage(now)) == (True, None, Passage.ALL)
    assert tested.failed("x", now, probe=False)
    assert tested.passage(now + 10) is Passage.ONE, "a new outage begins with the first wait"


def test_posts_that_started_before_it_opened_push_nothing_back() -> None:
    tested = breaker(1)
    tested.trip("x", 0, probe=False)
    for _ in range(50):
        tested.failed("late", 9.9, probe=False)
    assert tested.passage(10) is Passage.ONE


def test_a_late_failure_does_not_take_the_probes_place() -> None:
    tested = breaker(1)
    tested.trip("x", 0, probe=False)
    assert tested.started()
    tested.failed("late", 10, probe=False)
    tested.ended(probe=False)
    assert tested.passage(1000) is Passage.NONE


def test_an_inconclusive_probe_lets_the_next_one_start() -> None:
    tested = breaker(1)
    tested.trip("x", 0, probe=False)
    assert tested.started()
    tested.ended(probe=True)
    assert tested.passage(10) is Passage.ONE


def test_a_hold_stops_all_and_only_grows() -> None:
    tested = breaker()
    tested.hold(5)
    tested.hold(3)
    assert (tested.passage(4.9), tested.held(4), tested.passage(5), tested.held(6)) == (
        Passage.NONE,
        1,
        Passage.ALL,
        0,
    )
    tested.trip("x", 0, probe=False)
    tested.hold(100)
    assert tested.passage(99) is Passage.NONE
    assert tested.passage(100) is Passage.ONE


@given(st.integers(1, 4), st.lists(st.sampled_from(["start", "pass", "fail", "end", "trip", "wait"]), max_size=60))
def test_in_any_order_there_is_one_probe_at_most_and_closed_means_all(failures: int, steps: list[str]) -> None:
    tested, now, flying = breaker(failures), 0.0, list[bool]()
    for step in steps:
        now += 1.0
        allowed = tested.passage(now)
        if step == "start" and allowed is not Passage.NONE:
            flying.append(tested.started())
        elif step == "wait":
            now += 50
        elif flying and step != "start":
            probe = flying.pop(0)
            if step == "pass":
                tested.passed()
                flying = [False for _ in flying]
            elif step == "fail":
                tested.failed("x", now, probe=probe)
            elif step == "trip":
                tested.trip("x", now, probe=probe)
            else:
                tested.ended(probe=probe)
        assert sum(flying) <= 1
        assert (tested.reason is None) is tested.closed
        assert (tested.passage(now) is Passage.ALL) is tested.closed
        if sum(flying) == 1 and not tested.closed:
            assert tested.passage(now + 1e6) is Passage.NONE
        if not any(flying):
            assert tested.passage(now + 1e6) is not Passage.NONE, "it always opens again"
