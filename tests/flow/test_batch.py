"""Lanes and batches: nothing is lost or doubled by cutting, taking, dropping."""

from __future__ import annotations

from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from tests.flow.build import envelope, row
from worker.flow.batch import Batch, BatchPolicy, Lane
from worker.flow.breaker import Breaker, BreakerPolicy
from worker.model import Claim, Row

CLAIMS = [Claim("t", number) for number in range(3)]
POLICY = BatchPolicy(3, 100, 1.0)


def lane() -> Lane:
    return Lane("mart", Breaker(BreakerPolicy(1, float)))


def rows(*subscriptions: str, size: int = 2) -> list[Row]:
    return [row(envelope(CLAIMS[at % 3], at), name, b"x" * size) for at, name in enumerate(subscriptions)]


def offsets(batch: Batch) -> list[int]:
    return [each.envelope.offset for each in batch.rows]


SUBSCRIPTIONS = st.lists(st.sampled_from("abc"), min_size=2, max_size=40)


@given(SUBSCRIPTIONS)
def test_halves_hold_every_row_once_and_neither_is_empty(names: list[str]) -> None:
    whole = Batch(rows(*names), attempts=3, contradicted=2, due=9, refreshed=True, unseen=True)
    one, two = whole.halves(5.0)
    assert one.rows
    assert two.rows
    assert sorted(offsets(one) + offsets(two)) == list(range(len(names)))
    for half in (one, two):
        assert (half.due, half.refreshed) == (5.0, False)
        assert (half.attempts, half.unseen) == (3, True)
        assert half.contradicted == (2 if len(half.rows) > 1 else 0), "one row is blamed for failures of its own alone"


@given(SUBSCRIPTIONS)
def test_several_subscriptions_are_cut_apart(names: list[str]) -> None:
    one, two = Batch(rows(*names)).halves(0)
    if len(set(names)) > 1:
        assert {each.subscription_id for each in one.rows}.isdisjoint(each.subscription_id for each in two.rows)
    else:
        assert offsets(one) + offsets(two) == list(range(len(names))), "one subscription keeps its order"
        assert abs(len(one.rows) - len(two.rows)) <= 1


@given(st.integers(1, 600), st.data())
def test_one_refused_record_is_found_in_as_many_cuts_as_bisection_takes(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, count - 1))
    batch, cuts = Batch(rows(*["s"] * count)), 0
    while len(batch.rows) > 1:
        batch = next(half for half in batch.halves(0) if bad in offsets(half))
        cuts += 1
    assert offsets(batch) == [bad]
    assert cuts <= ceil(log2(count)) if count > 1 else cuts == 0


@given(st.lists(st.integers(0, 150), max_size=30))
def test_rows_are_taken_in_order_within_both_bounds(sizes: list[int]) -> None:
    tested = lane()
    for at, size in enumerate(sizes):
        tested.add([row(envelope(CLAIMS[0], at), "s", b"x" * size)], 0)
    taken: list[list[int]] = []
    while tested.rows:
        batch = tested.take(POLICY)
        assert len(batch.rows) <= POLICY.records
        assert batch.size <= POLICY.size or len(batch.rows) == 1
        taken.append(offsets(batch))
    assert [at for part in taken for at in part] == list(range(len(sizes)))
    assert tested.closes_at(POLICY) is None


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12))
def test_a_lane_closes_at_once_when_it_is_full_by_either_bound(sizes: list[int]) -> None:
    tested = lane()
    for at, size in enumerate(sizes):
        tested.add([row(envelope(CLAIMS[0], at), "s", b"x" * size)], float(at))
    full = len(sizes) >= POLICY.records or sum(sizes) >= POLICY.size
    assert tested.closes_at(POLICY) == (0.0 if full else 1.0)


def test_a_lane_closes_when_its_first_row_has_lingered() -> None:
    tested = lane()
    tested.add(rows("a"), 7.0)
    tested.add(rows("a"), 7.9)
    assert tested.closes_at(POLICY) == 8.0


def test_a_row_that_is_left_when_others_are_taken_does_not_wait_anew() -> None:
    tested = lane()
    for at in range(4):
        tested.add([row(envelope(CLAIMS[0], at), "s", b"x")], 0.0)
    tested.take(POLICY)
    assert tested.closes_at(POLICY) == 1.0


@given(st.lists(st.integers(0, 2), max_size=30), st.sets(st.integers(0, 2)))
def test_dropping_claims_takes_their_rows_from_everywhere_and_no_others(places: list[int], gone: set[int]) -> None:
    tested = lane()
    whole = [row(envelope(CLAIMS[place], at), "s", b"xy") for at, place in enumerate(places)]
    middle = len(whole) // 2
    if whole[:middle]:
        tested.ready.append(Batch(whole[:middle], attempts=2))
    for each in whole[middle:]:
        tested.add([each], 0)
    dropped = tested.drop([CLAIMS[place] for place in gone])
    kept = [each for batch in tested.ready for each in batch.rows] + list(tested.rows)
    assert {each.envelope.offset for each in dropped} == {at for at, place in enumerate(places) if place in gone}
    assert [each.envelope.offset for each in kept] == [at for at, place in enumerate(places) if place not in gone]
    assert all(batch.rows and batch.attempts == 2 for batch in tested.ready)
    waiting = 2 * len(tested.rows)
    closes = tested.closes_at(BatchPolicy(100, max(1, waiting), 1.0))
    assert closes == (0.0 if waiting else None), "the bytes that wait are known"


def test_batches_that_are_not_due_are_passed_over() -> None:
    tested = lane()
    tested.ready.extend(Batch(rows("a"), due=due) for due in (5.0, 1.0, 0.0))
    assert [found.due for _ in range(2) if (found := tested.next_ready(1.0))] == [1.0, 0.0]
    assert tested.next_ready(4.9) is None
    assert not tested.empty


def test_a_lane_is_empty_only_with_nothing_in_flight() -> None:
    tested = lane()
    assert tested.empty
    tested.in_flight = 1
    assert not tested.empty


def test_a_batch_knows_whether_it_is_of_several_subscriptions() -> None:
    assert Batch(rows("a", "b")).mixed
    assert not Batch(rows("a", "a")).mixed
    assert Batch(rows("a", "b", size=7)).size == 14
