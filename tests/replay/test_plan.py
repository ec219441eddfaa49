"""The pure parts: legs, names of groups, the pace, and the choice of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.model import Target
from worker.replay.chosen import Choice
from worker.replay.ends import ENDLESS
from worker.replay.pace import BURST, Pace
from worker.replay.plan import Asked, legs
from worker.replay.planning import onwards
from worker.rooms.directory import Binding, Directory, Subscription
from worker.topics.spans import Bounds, Span

ASKED = Asked(("events",), Bounds(since=1, until=2), ("v1", "http://mart", "m"))


@given(st.floats(1, 10_000), st.lists(st.tuples(st.floats(0, 5), st.integers(1, 500)), max_size=50))
def test_a_pace_lets_no_more_through_than_its_rate_and_one_burst(rate: float, reads: list[tuple[float, int]]) -> None:
    pace = Pace(rate, 0.0)
    now, taken = 0.0, 0
    for wait, wanted in reads:
        now += wait
        took = min(wanted, pace.allowance(now))
        pace.took(took)
        taken += took
        assert taken <= rate * now + max(1.0, rate * BURST) + 1e-6


@given(st.floats(1, 10_000))
def test_a_pace_says_how_long_to_wait_for_the_next(rate: float) -> None:
    pace = Pace(rate, 0.0)
    pace.took(pace.allowance(0.0))
    wait = pace.wait
    assert pace.allowance(wait / 2) == 0
    assert pace.allowance(wait + 1e-6) >= 1


@given(st.integers(0, 50), st.integers(0, 50), st.none() | st.integers(0, 120))
def test_a_leg_goes_on_where_the_group_is_and_never_outside_of_its_span(
    begin: int, count: int, committed: int | None
) -> None:
    span = Span("events", 0, begin, begin + count)
    found = legs([span], {} if committed is None else {("events", 0): committed})
    assert bool(found) == bool(count)
    for leg in found:
        assert leg.start == min(max(begin, begin if committed is None else committed), span.end)
        assert leg.done + leg.left.count == span.count
        assert leg.deleted == max(0, begin - begin if committed is None else begin - committed)


def test_a_restart_goes_on_nowhere() -> None:
    (leg,) = legs([Span("events", 0, 5, 10)], {("events", 0): 8}, restart=True)
    assert (leg.start, leg.done) == (5, 0)


@pytest.mark.parametrize(
    ("committed", "latest", "begin"),
    [(None, False, 5), (None, True, 9), (7, False, 7), (7, True, 7), (2, True, 5), (0, False, 5), (99, False, 9)],
)
def test_a_shadow_begins_where_the_worker_would(
    committed: int | None,
    latest: bool,  # noqa: FBT001 - of a table
    begin: int,
) -> None:
    log = Span("events", 3, 5, 9)
    assert onwards(log, committed, latest=latest, endless=False) == Span("events", 3, begin, 9)
    assert onwards(log, committed, latest=latest, endless=True) == Span("events", 3, begin, ENDLESS)


def test_a_replay_is_the_same_one_only_if_all_that_makes_it_is() -> None:
    others = [
        replace(ASKED, bounds=Bounds(since=1, until=3)),
        replace(ASKED, topics=("events", "more")),
        replace(ASKED, mart=("v1", "http://mart", "other")),
        replace(ASKED, subscription="s"),
        replace(ASKED, binding="s"),
        replace(ASKED, letters=True),
    ]
    names = {each.group("live", {}) for each in (ASKED, *others)} | {ASKED.group("live", {"events": "made anew"})}
    assert len(names) == len(others) + 2
    assert all(name.startswith("live.replay.") for name in names)
    assert replace(ASKED).group("live", {}) == ASKED.group("live", {})


def test_a_binding_is_chosen_by_its_id_or_its_name() -> None:
    subscription = Subscription("s", "b", "a", "a", (), (), logging_enabled=True)
    directory = Directory([Binding("b", "loans", "custom")], [subscription], 0)
    target = Target("b", "s", "d", "custom")
    for choice in (Choice(), Choice("s"), Choice(binding="b"), Choice("s", "loans")):
        assert choice.missing(directory) is None
        assert choice.wants(target, choice.bindings(directory))
    for choice in (Choice("other"), Choice(binding="other"), Choice("s", "other")):
        assert choice.missing(directory) is not None
        assert not choice.wants(target, choice.bindings(directory))
