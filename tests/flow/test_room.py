"""Rows are read no further ahead than posts can use soon: what waits beyond that only takes memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flow.build import envelope, policy, row
from tests.flow.mart import CLAIM
from worker.flow.flow import Flow
from worker.flow.jobs import Post, Posted
from worker.flow.posting import MARGIN
from worker.flow.verdict import Answer, Verdict

CHUNK = 500
ACCEPTED = Answer(Verdict.ACCEPTED, "accepted")


class Turns:
    """A worker's loop in front of an endpoint that answers when it is told to, on a topic without end."""

    def __init__(self, *, batch: int, in_flight: int = 64, records: int = 1_000_000, alone: bool = False) -> None:
        self.flow = Flow(policy(records=records, batch=batch, in_flight=in_flight, by_subscription=alone))
        self.flow.assign([CLAIM])
        self.read, self.now = 0, 0.0
        self.posts: list[Post] = []

    def turn(self, answers: int = 0) -> None:
        """Read what there is room for, start what is due, take the oldest answers."""
        self.now += 0.01
        count = min(self.flow.room, CHUNK)
        begun = self.flow.begin([envelope(CLAIM, offset) for offset in range(self.read, self.read + count)])
        self.read += count
        self.flow.admit([row(each, f"s-{each.offset % 3}") for each in begun], [], self.now)
        self.posts += [job for job in self.flow.due(self.now) if isinstance(job, Post)]
        ended, self.posts = self.posts[:answers], self.posts[answers:]
        for post in ended:
            self.flow.settle(Posted(post, ACCEPTED), self.now)


def test_before_a_silent_endpoint_only_what_posts_hold_and_a_margin_is_read() -> None:
    turns = Turns(batch=500)
    for _ in range(200):
        turns.turn()
    assert turns.flow.posts_in_flight == turns.flow.posts_limit
    assert turns.flow.open_records == 500 * turns.flow.posts_limit + MARGIN
    assert turns.flow.room == 0


def test_a_place_that_is_free_again_is_filled_from_what_waits_and_as_much_is_read() -> None:
    turns = Turns(batch=500)
    for _ in range(200):
        turns.turn()
    before = turns.read
    turns.turn(answers=1)
    for _ in range(3):
        turns.turn()
    assert turns.read == before + 500
    assert turns.flow.posts_in_flight == turns.flow.posts_limit


def test_what_may_be_open_in_all_is_a_bound_as_well() -> None:
    turns = Turns(batch=500, records=1200)
    for _ in range(20):
        turns.turn()
    assert turns.flow.open_records == 1200


def test_subscriptions_with_batches_of_their_own_share_all_the_room() -> None:
    turns = Turns(batch=500, records=20_000, alone=True)
    for _ in range(100):
        turns.turn()
    assert turns.flow.open_records == 20_000


@pytest.mark.parametrize("batch", [20, 500])
@settings(max_examples=10)
@given(answers=st.lists(st.integers(0, 8), min_size=5, max_size=30))
def test_what_waits_is_bounded_and_posts_never_wait_for_what_may_not_be_read(batch: int, answers: list[int]) -> None:
    turns = Turns(batch=batch, in_flight=12)
    margin = max(2 * batch, MARGIN)
    for count in answers:
        turns.turn(count)
        held = sum(len(post.batch.rows) for post in turns.posts)
        assert turns.flow.open_records - held <= 12 * batch + margin
        assert turns.flow.room > 0 or held
    while turns.flow.room:
        turns.turn()
    assert turns.flow.posts_in_flight >= turns.flow.posts_limit  # more, where the limit fell while they were out
