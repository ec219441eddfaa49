"""Subscriptions that fail alone get lanes of their own, and come back; no row is lost on the way."""

from __future__ import annotations

from tests.flow.build import envelope, policy, row
from worker.flow.batch import Batch
from worker.flow.lanes import MART, Lanes
from worker.flow.offsets import Ledgers
from worker.model import Claim

CLAIM = Claim("t", 0, 1)


def lanes() -> Lanes:
    ledgers = Ledgers()
    ledgers.assign([CLAIM])
    return Lanes(policy(), ledgers)


def waiting(found: Lanes) -> dict[str, list[int]]:
    """The offsets that wait, by lane."""
    return {
        lane.key: [each.envelope.offset for each in lane.rows]
        + [each.envelope.offset for batch in lane.ready for each in batch.rows]
        for lane in found
    }


def test_what_waits_of_an_isolated_subscription_moves_with_it() -> None:
    tested = lanes()
    for offset, subscription in enumerate(("a", "b", "a")):
        tested.of(subscription).add([row(envelope(CLAIM, offset), subscription)], 0)
    mixed = [row(envelope(CLAIM, 3), "a"), row(envelope(CLAIM, 4), "b")]
    tested.again(tested.of("b"), Batch(mixed))
    assert tested.isolate("a", 0)
    assert waiting(tested) == {"a": [0, 2, 3], MART: [1, 4]}
    assert not tested.isolate("a", 0)


def test_a_late_answer_for_a_lane_that_has_ended_does_not_end_the_next_of_its_name() -> None:
    """A slow post of the first isolation ends in the middle of the second."""
    tested = lanes()
    tested.isolate("a", 0)
    ended = tested.of("a")
    tested.rejoin(ended, 1)
    assert waiting(tested) == {MART: []}
    tested.isolate("a", 2)
    tested.of("a").add([row(envelope(CLAIM, 0), "a")], 2)
    tested.rejoin(ended, 3)
    assert waiting(tested) == {MART: [], "a": [0]}


def test_a_subscription_with_a_batch_that_failed_stays_isolated() -> None:
    tested = lanes()
    tested.isolate("a", 0)
    tested.again(tested.of("a"), Batch([row(envelope(CLAIM, 0), "a")], attempts=1))
    tested.rejoin(tested.of("a"), 1)
    assert waiting(tested)["a"] == [0]
