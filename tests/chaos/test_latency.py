"""Percentiles as people mean them: a value that was measured, not one between two."""

from __future__ import annotations

import math

import pytest

from chaos.latency import percentile


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_the_least_value_that_the_share_of_all_does_not_exceed(share: float, expected: int) -> None:
    assert percentile(range(100, 0, -1), share) == expected


def test_one_slow_value_of_a_hundred_is_not_in_the_p99_and_two_are() -> None:
    assert percentile([1.0] * 99 + [9.0], 0.99) == 1.0
    assert percentile([1.0] * 98 + [9.0] * 2, 0.99) == 9.0


def test_of_no_values_there_is_none() -> None:
    assert math.isnan(percentile([], 0.99))
