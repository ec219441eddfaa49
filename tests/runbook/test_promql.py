"""The alerts' language: what a sum, an increase and a comparison are, as Prometheus has them."""

from __future__ import annotations

import pytest

from tests.runbook.promql import Series, names, parsed


def scraped(*texts: str) -> Series:
    series = Series()
    for text in texts:
        series.add(parsed(text, "1") | parsed('other{a="y"} 100\n', "2"))
    return series


def test_a_term_is_aggregated_over_series_and_workers_and_compared() -> None:
    series = scraped('lag{p="0"} 3\nlag{p="1"} 4\n')
    assert series.holds("sum(lag) == 7")
    assert series.holds("max(lag) - min(lag) == 1")
    assert series.holds('sum(lag{p="1"}) >= 4')
    assert series.holds("count(lag) * 2 + 1 == 5")
    assert not series.holds("sum(lag) > 7")


def test_without_a_series_nothing_holds() -> None:
    assert not scraped("lag 1\n").holds("sum(lack) < 5")
    assert not scraped("lag 1\n").holds('sum(lag{p="1"}) < 5')


def test_an_increase_needs_two_scrapes_and_survives_a_restart() -> None:
    assert not scraped("failed_total 5\n").holds("sum(increase(failed_total[10m])) >= 0")
    assert scraped("failed_total 5\n", "failed_total 8\n").holds("sum(increase(failed_total[10m])) == 3")
    assert scraped("failed_total 5\n", "failed_total 2\n").holds("sum(increase(failed_total[10m])) == 2")
    assert scraped("lag 5\n", "lag 2\n").holds("sum(delta(lag[10m])) == -3")


def test_what_is_forgotten_is_no_increase() -> None:
    series = scraped("failed_total 5\n", "failed_total 8\n")
    series.forget()
    series.add(parsed("failed_total 8\n", "1"))
    assert series.holds("sum(increase(failed_total[10m])) == 0")


@pytest.mark.parametrize("wrong", ["sum(lag", "lag > 0", "sum(lag) > zero", "sum(rate(lag[5m])) > 0", "sum(lag) > 'a'"])
def test_what_is_not_understood_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no expression"):
        names(wrong)
