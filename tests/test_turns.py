"""What a turn of the loop waits for: a record where nothing else could bring things on, else an outcome."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.flow.build import envelope, policy, row
from worker.flow.flow import Flow
from worker.flow.jobs import Post, Posted
from worker.flow.verdict import Answer, Verdict
from worker.model import Claim
from worker.rooms.directory import Directory
from worker.rooms.suite import Passed
from worker.run import POLL, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.model import Envelope

CLAIM = Claim("t", 0)


class Ends:
    """All that the loop stands between: a few records of as many subscriptions, then none; an answer a turn.

    `asked` are, turn by turn, the seconds that were given to reading and to outcomes, and whether a record came.
    """

    def __init__(self, records: int, in_flight: int) -> None:
        self.now = 0.0
        self.asked: list[tuple[float, float, bool]] = []
        self._left = [envelope(CLAIM, offset) for offset in range(records)]
        self._reading = 0.0, False
        self._posts: list[Post] = []
        self.flow = Flow(policy(records=1_000, batch=1, in_flight=in_flight, by_subscription=True))
        self.flow.assign([CLAIM])
        nothing: Any = SimpleNamespace(
            step=lambda: None,
            close=lambda **_: None,
            poll=lambda *_: (),
            collect=lambda *_: [],
            stop_reading=lambda: None,
            failed_commits=list,
            commit=lambda *_, **__: True,
            committing=0,
            commits_failed=False,
            read=self.read,
            claims=[CLAIM],
            held={},
            offsets_lost={},
            errors={},
            outcomes={},
            rebalances=0,
            lag=dict,
        )
        keeper: Any = SimpleNamespace(poll=lambda **_: Directory([], [], 0), error=None, fetches=1)
        self.worker = Worker(
            make_source=lambda _: nothing,
            suite=SimpleNamespace(walk=self.walk),
            flow=self.flow,
            courier=SimpleNamespace(send=self._posts.append, collect=self.collect, close=lambda: None),
            letters=nothing,
            keeper=keeper,
            schemas=nothing,
            group_stop=nothing,
            token_fetches=lambda: 0,
            drain=0,
            clock=lambda: self.now,
        )

    def read(self, room: int, timeout: float) -> list[Envelope]:
        """A record at a time, while there are some."""
        found = [self._left.pop(0)] if self._left and room else []
        self._reading = timeout, bool(found)
        return found

    def walk(self, envelopes: Iterable[Envelope], _: object) -> Passed:
        """Each is of a subscription of its own."""
        return Passed(rows=[row(each, f"s-{each.offset}") for each in envelopes])

    def collect(self, timeout: float) -> list[Posted]:
        """The oldest answer, every third turn."""
        self.asked.append((self._reading[0], timeout, self._reading[1]))
        self.now += 0.001
        if len(self.asked) > 60:
            self.worker.stop()
        ended = self._posts[:1] if len(self.asked) % 3 == 0 else []
        del self._posts[: len(ended)]
        return [Posted(each, Answer(Verdict.ACCEPTED, "accepted")) for each in ended]


def turns(records: int, in_flight: int) -> list[tuple[float, float, bool]]:
    """What the loop waited for after its first turn, in which it has no directory yet."""
    ends = Ends(records, in_flight)
    ends.worker.run()
    return ends.asked[1:]


def test_while_posts_wait_for_a_place_an_outcome_is_waited_for_and_not_a_record() -> None:
    asked = turns(records=12, in_flight=1)
    assert (0, POLL, False) in asked[12:30], "one post is in flight, others wait, and there is no record"


def test_while_no_post_waits_for_a_place_a_record_is_waited_for() -> None:
    asked = turns(records=3, in_flight=6)
    assert asked[-1] == (POLL, 0, False)
    assert (0, POLL, False) not in asked


def test_while_records_come_nothing_else_is_waited_for() -> None:
    asked = turns(records=12, in_flight=1)
    assert all(outcome == 0 for _, outcome, came in asked if came)
