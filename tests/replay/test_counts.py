"""What a replay says of itself: no event is called posted or dead-lettered that was not, and codes say what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import typer

from worker.flow.batch import Batch, Lane
from worker.flow.breaker import Breaker, BreakerPolicy
from worker.flow.flood import Stop
from worker.flow.jobs import Letter, Lettered, Post, Posted
from worker.flow.verdict import Answer, Verdict
from worker.model import Claim, Disposition, Envelope, Refusal, Rejection, Row
from worker.replay.chosen import Choice, Chosen
from worker.replay.outcome import Outcome
from worker.replay.session import Ran, conclude
from worker.replay.standins import CountedLetters, CountedPosts
from worker.rooms.directory import Binding, Deployment, Directory, Subscription
from worker.rooms.suite import Passed

if TYPE_CHECKING:
    from collections.abc import Iterable

WHOLE = Outcome(dry=False, ended=True, read=9, posted=9, batches=1, skipped=0, open=0)


def envelope(offset: int) -> Envelope:
    return Envelope(Claim("events", 0), offset, 0, None, b"", ())


def letter(offset: int) -> Letter:
    return Letter(Rejection(envelope(offset), Refusal(Disposition.DECODE, "no-framing", "")))


class Given:
    """What comes out of a courier, or of the dead-letter topic, at one look."""

    def __init__(self, *outcomes: Any) -> None:
        self._outcomes = list(outcomes)

    def send(self, job: object) -> None:
        raise AssertionError(job)

    def collect(self, timeout: float = 0) -> list[Any]:
        assert timeout >= 0
        return self._outcomes

    def close(self) -> None:
        raise AssertionError


def test_a_letter_counts_once_the_topic_has_it_and_no_try_before() -> None:
    again = letter(7)
    tries = [Lettered(again, "timed out"), Lettered(letter(8), None), Lettered(again, None), Lettered(letter(9), "x")]
    box = CountedLetters(Given(*tries))
    assert box.collect() == tries
    assert box.refused == {"decode/no-framing": 2}
    assert box.first == {"decode/no-framing": "events[0]@8"}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_rows_of_a_batch_that_was_accepted_are_posted(verdict: Verdict) -> None:
    batch = Batch([Row(envelope(n), "s" if n else "t", b"{}") for n in range(3)])
    outcome = Posted(Post(Lane("", Breaker(BreakerPolicy(1, float))), batch, 0.0), Answer(verdict, "any"))
    courier = CountedPosts(Given(outcome))
    assert courier.collect(0) == [outcome]
    accepted = verdict is Verdict.ACCEPTED
    assert courier.batches == accepted
    assert courier.rows == ({"s": 2, "t": 1} if accepted else {})


# --- what is not chosen -----------------------------------------------------------------------------------------------


class Resolving:
    """Rooms that resolve the asset `wanted`, `other` or `nobody` in turn, by the offset."""

    def walk(self, envelopes: Iterable[Envelope], directory: Directory) -> Passed:
        passed = Passed()
        for each in envelopes:
            found = directory.resolve(None, ("wanted", "other", "nobody")[each.offset % 3], None)
            if isinstance(found, Refusal):
                passed.unknown.append(Rejection(each, found))
            else:
                passed.rows.append(Row(each, found.subscription_id, b"{}"))
        return passed


def test_an_event_that_is_not_chosen_is_settled_and_counted_and_no_other_one_is() -> None:
    known = [
        Subscription(name, "b", name, name, (Deployment("d", "d"),), (), logging_enabled=True)
        for name in ("wanted", "other")
    ]
    directory = Directory([Binding("b", "loans", "custom")], known, 0)
    settled: list[Envelope] = []
    rooms = Chosen(Resolving(), Choice("wanted"), settled.extend)
    for begin in (0, 6):
        passed = rooms.walk([envelope(begin + n) for n in range(6)], directory)
        assert [row.envelope.offset for row in passed.rows] == [begin, begin + 3]
        assert [each.envelope.offset for each in passed.unknown] == [begin + 2, begin + 5], "may be known to the next"
    assert [each.offset for each in settled] == [1, 4, 7, 10]
    assert rooms.skipped == 4


# --- how it ends ------------------------------------------------------------------------------------------------------

REFUSED = replace(WHOLE, refused={"decode/no-framing": 1}, first={"decode/no-framing": "events[0]@7"})
HALF = replace(WHOLE, ended=False)


@pytest.mark.parametrize(
    ("ran", "code"),
    [
        (Ran(WHOLE, [], settled=True), 0),
        (Ran(WHOLE, [], settled=False), 75),  # the last commit failed: what was posted is read again
        (Ran(HALF, [15], settled=True), 75),
        (Ran(HALF, [15, 2], settled=False), 128 + 2),
        (Ran(HALF, [15, 2], settled=True), 75),
        (Ran(HALF, [], settled=False, failed="no broker"), 69),
        (Ran(replace(HALF, flood=Stop("decode/no-framing", 9, 10)), [], settled=True), 65),
        (Ran(REFUSED, [], settled=True), 65),
        (Ran(replace(REFUSED, lettered=True), [], settled=True), 0),
        (Ran(replace(WHOLE, halves=1, lettered=True), [], settled=True), 65),
    ],
)
def test_the_exit_code_is_0_only_where_all_is_read_and_settled_and_lies_somewhere(ran: Ran, code: int) -> None:
    try:
        found = conclude(ran, "the same")
    except typer.Exit as end:
        found = end.exit_code
    assert found == code
