"""Head-of-line: one record that holds up its partition is told of, with its reason, and when that is over."""

from __future__ import annotations

from tests.flow.build import envelope, policy, rejection
from tests.flow.mart import ACCEPT, CLAIM, FAIL, HALT, OTHER, Mart, failing
from worker.flow.flood import Stop
from worker.flow.flow import Flow
from worker.flow.heads import PATIENCE, Heads
from worker.flow.jobs import Post
from worker.flow.offsets import Ledgers
from worker.model import Claim, Disposition


class Book:
    """Ledgers, and the heads that watch them."""

    def __init__(self, *claims: Claim) -> None:
        self.ledgers = Ledgers()
        self.ledgers.assign(claims)
        self.heads = Heads(self.ledgers)

    def begin(self, *offsets: int, claim: Claim = CLAIM) -> None:
        self.ledgers.begin([envelope(claim, offset) for offset in offsets])

    def finish(self, *offsets: int, claim: Claim = CLAIM) -> None:
        for offset in offsets:
            self.ledgers.finish(envelope(claim, offset))


def test_a_record_that_has_been_the_oldest_for_too_long_is_told_once() -> None:
    book = Book(CLAIM)
    book.begin(*range(10))
    book.finish(*range(1, 10))
    assert book.heads.look(0.0) == ({}, [])
    assert book.heads.look(PATIENCE - 0.1) == ({}, [])
    new, gone = book.heads.look(PATIENCE)
    assert [(claim, head.offset, head.behind) for claim, head in new.items()] == [(CLAIM, 0, 9)]
    assert gone == []
    assert book.heads.look(PATIENCE + 1) == ({}, [])
    assert book.heads.waiting() == {CLAIM: 9}


def test_an_old_record_with_little_settled_behind_it_is_a_slow_partition_not_a_held_up_one() -> None:
    book = Book(CLAIM)
    book.begin(*range(10))
    book.finish(*range(5, 10))
    for seconds in range(0, 200, 10):
        assert book.heads.look(float(seconds)) == ({}, [])
    book.finish(4)
    assert list(book.heads.look(200.0)[0]) == [CLAIM], "six settled behind four"


def test_a_partition_that_moves_never_is_held_up() -> None:
    book = Book(CLAIM)
    book.begin(*range(100))
    book.finish(*range(50, 100))
    for offset in range(20):
        assert book.heads.look(offset * (PATIENCE - 1)) == ({}, [])
        book.finish(offset)


def test_once_told_it_stays_told_until_the_record_is_settled_though_others_are_read() -> None:
    book = Book(CLAIM)
    book.begin(*range(3))
    book.finish(1, 2)
    book.heads.look(0.0)
    assert book.heads.look(PATIENCE)[0]
    book.begin(*range(3, 50))
    assert book.heads.look(PATIENCE + 1) == ({}, [])
    assert book.heads.waiting() == {CLAIM: 2}
    book.finish(0)
    assert book.heads.look(PATIENCE + 2) == ({}, [CLAIM])
    assert book.heads.waiting() == {}


def test_the_next_record_in_the_way_has_a_time_of_its_own() -> None:
    book = Book(CLAIM)
    book.begin(*range(10))
    book.finish(*range(1, 5), *range(6, 10))
    book.heads.look(0.0)
    assert book.heads.look(PATIENCE)[0]
    book.finish(0)
    assert book.heads.look(PATIENCE + 1) == ({}, [CLAIM])
    assert book.heads.look(2 * PATIENCE) == ({}, [])
    new, _ = book.heads.look(2 * PATIENCE + 1)
    assert new[CLAIM].offset == 5


def test_a_claim_that_goes_is_held_up_no_longer() -> None:
    book = Book(CLAIM, OTHER)
    for claim in (CLAIM, OTHER):
        book.begin(*range(3), claim=claim)
        book.finish(1, 2, claim=claim)
    book.heads.look(0.0)
    assert set(book.heads.look(PATIENCE)[0]) == {CLAIM, OTHER}
    book.ledgers.release([CLAIM])
    assert book.heads.look(PATIENCE + 1) == ({}, [CLAIM])
    assert book.heads.waiting() == {OTHER: 2}


def test_offsets_that_never_came_count_as_settled_behind_the_head() -> None:
    book = Book(CLAIM)
    book.begin(0, 100)
    book.finish(100)
    book.heads.look(0.0)
    assert book.heads.look(PATIENCE)[0][CLAIM].behind == 100


# --- in the flow: the notice and its reason -----------------------------------------------------------------------


def _held(mart: Mart, seconds: float = PATIENCE + 1) -> str:
    """Let the head's time pass; the reason that is told."""
    mart.flow.look(mart.now)
    mart.flow.look(mart.now + seconds)
    (told,) = mart.noticed("partition.held_up")
    assert told.items() >= {"topic": "t", "partition": 0, "offset": 0}.items()
    assert told["behind"] == mart.flow.held_up[CLAIM] > 0
    return str(told["reason"])


def _with_others_settled() -> Mart:
    mart = Mart(Flow(policy(batch=1, in_flight=10)))
    mart.read(*range(6))
    mart.turn(failing(0))
    assert mart.stored.total() == 5
    return mart


def test_a_record_that_waits_for_its_next_try_says_how_often_and_why_it_failed() -> None:
    assert _held(_with_others_settled()) == "waits for its next try; 1 posts failed, last: server-error"


def test_a_record_in_flight_says_so() -> None:
    mart = _with_others_settled()
    assert mart.flow.due(mart.now + 5)
    assert _held(mart) == "in flight; 1 posts failed, last: server-error"


def test_a_record_behind_a_halt_says_what_halted() -> None:
    mart = _with_others_settled()
    mart.turn(HALT, seconds=2)
    assert _held(mart).startswith("forbidden; 2 posts failed, last: forbidden")


def test_a_record_of_an_outage_says_so() -> None:
    mart = _with_others_settled()
    for _ in range(3):
        mart.turn(FAIL, seconds=10)
    assert _held(mart).startswith("server-error; ")


def test_a_row_that_has_not_been_posted_waits_for_its_batch() -> None:
    mart = Mart(Flow(policy(batch=10)))
    mart.read(0)
    mart.read_bad(1, 2, 3)
    mart.turn(ACCEPT, seconds=0.01)
    assert _held(mart) == "waits for its batch"


def test_a_dead_letter_that_is_not_taken_says_what_the_topic_said() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=10)))
    mart.letters_fail = True
    mart.read_bad(0)
    mart.read(1, 2, 3)
    mart.turn(ACCEPT)
    assert _held(mart) == "dead-letter topic: down"


def test_a_dead_letter_that_is_under_way_says_so() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=10)))
    mart.read_bad(0)
    mart.read(1, 2, 3)
    for job in mart.flow.due(1.0):
        if isinstance(job, Post):
            mart.answer(job, ACCEPT)
    assert _held(mart) == "on its way to the dead-letter topic"


def test_what_the_flood_guard_keeps_back_says_so() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=10)))
    begun = mart.flow.begin([envelope(CLAIM, 0)])
    mart.read(1, 2, 3)
    posts = mart.flow.due(1.0)
    mart.flow.halt(Stop("x/y", 1, 2))
    mart.flow.admit([], [rejection(each) for each in begun], 1.0)
    for job in posts:
        mart.answer(job, ACCEPT)  # type: ignore[arg-type]
    assert _held(mart) == "kept back by the flood guard"


def test_a_parked_record_waits_for_the_directory() -> None:
    mart = Mart(Flow(policy(batch=1, in_flight=10)))
    mart.flow.park([rejection(each) for each in mart.flow.begin([envelope(CLAIM, 0)])], 0.0)
    mart.read(1, 2, 3)
    mart.turn(ACCEPT)
    assert _held(mart) == "waits for the directory"


def test_a_parked_record_of_another_partition_is_not_the_reason() -> None:
    mart = _with_others_settled()
    mart.flow.assign([OTHER])
    parked = mart.flow.begin([envelope(OTHER, 0)])
    mart.flow.park([rejection(each, Disposition.UNKNOWN_ASSET) for each in parked], mart.now)
    assert _held(mart) == "waits for its next try; 1 posts failed, last: server-error"


def test_the_end_of_it_is_told_once() -> None:
    mart = _with_others_settled()
    _held(mart)
    mart.now += PATIENCE + 2
    mart.drain(ACCEPT)
    mart.flow.look(mart.now)
    mart.flow.look(mart.now + 1)
    assert mart.noticed("partition.moved_on") == [{"topic": "t", "partition": 0}]
    assert mart.flow.held_up == {}


def test_no_head_is_ever_held_by_nothing() -> None:
    mart = Mart(Flow(policy(records=60, batch=1, in_flight=10, attempts=40)))
    for offset in range(0, 600, 6):
        mart.read(*range(offset, offset + 6)) if mart.flow.room >= 6 else None
        mart.turn(failing(0, 200), seconds=2)
        mart.flow.look(mart.now)
    reasons = [str(told["reason"]) for told in mart.noticed("partition.held_up")]
    assert reasons
    assert not [reason for reason in reasons if "fault" in reason]
