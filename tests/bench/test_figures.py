"""Medians, ratios and goals."""

from __future__ import annotations

import pytest

from bench.compare import judge
from bench.figures import Spread, Verdict, grouped, one, ratio, spread
from bench.scenarios.backlog import quarters, thinned
from bench.watch import Sample
from tests.bench.made import run


def test_a_spread_is_the_median_with_both_ends() -> None:
    assert spread([3, 1, 10]) == Spread(3, 1, 10)
    assert spread([1, 2]) == Spread(1.5, 1, 2)


def test_ratios_are_made_within_a_round_not_of_medians() -> None:
    # the machine was half as fast in the second round, for both
    assert ratio([100, 50, 90], [50, 25, 30]) == Spread(2, 2, 3)


def test_a_ratio_of_unlike_numbers_of_rounds_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1, 2], [1])


@pytest.mark.parametrize(
    ("sense", "limit", "measured", "met"),
    [
        ("at least", 2.0, 2.0, True),
        ("at least", 2.0, 1.99, False),
        ("at most", 0.5, 0.5, True),
        ("at most", 0.5, 0.51, False),
        ("at most", 0.0, 1.0, False),
        ("at most", None, 9.0, None),
    ],
)
def test_a_goal_is_met_up_to_its_limit(sense: str, limit: float | None, measured: float, met: bool | None) -> None:  # noqa: FBT001
    assert Verdict("it", "at least" if sense == "at least" else "at most", limit, one(measured)).met is met


def test_a_goal_goes_by_the_median() -> None:
    assert Verdict("it", "at least", 2.0, Spread(2.1, 1.0, 3.0)).met


def test_runs_are_grouped_by_round_whatever_their_order() -> None:
    late, early = run(rate=1), run(rate=2)
    assert list(grouped([(1, late), (0, early)]).values()) == [[early, late]]


def told(verdicts: list[Verdict]) -> dict[str, Spread]:
    return {verdict.what: verdict.measured for verdict in verdicts}


def test_the_worker_is_held_against_the_best_peer_of_each_round() -> None:
    runs = {
        ("worker", "typed"): [run(rate=60_000, cpu=1), run(rate=60_000, cpu=1)],
        ("naive", "typed"): [run(rate=20_000, cpu=4), run(rate=30_000, cpu=3)],
        ("aiokafka", "typed"): [run(rate=30_000, cpu=5), run(rate=10_000, cpu=2)],
        ("go", "typed"): [run(rate=200_000, cpu=0.5), run(rate=200_000, cpu=0.8)],
        ("go-lean", "typed"): [run(rate=200_000, cpu=0.25), run(rate=200_000, cpu=0.5)],
        ("worker", "body"): [run(rate=90_000), run(rate=90_000)],
        ("naive", "body"): [run(rate=30_000), run(rate=30_000)],
    }
    found = told(judge({(*key, "0 ms"): of for key, of in runs.items()}, ["0 ms"], 800_000))
    assert found["typed, 0 ms: records/s / best peer"] == Spread(2, 2, 2)
    assert found["typed, 0 ms: CPU a record / best peer"] == Spread(0.375, 0.25, 0.5)
    assert found["typed, 0 ms: CPU a record / go"] == Spread(1.625, 1.25, 2)
    assert found["typed, 0 ms: CPU a record / go-lean"] == Spread(3, 2, 4)
    assert found["body, 0 ms: records/s / best peer"] == Spread(3, 3, 3)
    assert found["sink alone / fastest run (records/s)"].median == pytest.approx(4)


def test_memory_is_judged_by_the_worst_run_of_the_worker_alone() -> None:
    runs = {
        ("worker", "typed", "0 ms"): [run(rss=90_000_000), run(rss=111_000_000)],
        ("worker", "body", "0 ms"): [run()],
        ("naive", "typed", "0 ms"): [run(rss=500_000_000), run()],
    }
    (memory,) = [each for each in judge(runs, ["0 ms"], 1e6) if each.unit == "MB"]
    assert (memory.measured.median, memory.met) == (111, False)


def test_quarters_are_of_the_beginning_and_of_the_end() -> None:
    samples = [Sample(number, rss) for number, rss in enumerate([10, 20, 30, 99, 99, 70, 80, 90])]
    assert quarters(samples) == (15, 85)
    assert quarters(samples[:1]) == (10, 10)


def test_thinned_samples_begin_with_the_first_and_are_not_too_many() -> None:
    samples = [Sample(number, 1) for number in range(100)]
    found = thinned(samples, 40)
    assert len(found) <= 40
    assert found[0] == samples[0]
    assert thinned(samples[:3], 40) == samples[:3]
