"""A little of the fuzz, and that it notices what it is there for."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

from tests.fuzz.corpus import SCHEMAS, SUBJECTS
from tests.fuzz.judge import Found, expected, judge
from tests.fuzz.messages import BLOCK, FRAMINGS, Message, messages
from tests.fuzz.plain import NotAvroError, Plain
from tests.fuzz.run import Result, run
from tests.rooms.schemas import written
from tests.way.events import custom
from worker.edges.schemas import reader_schema
from worker.rooms.writer_schema import compile_reader

COUNT = int(os.environ.get("FUZZ_MESSAGES", "50000"))
SEED = 7


def _quiet(*_: object) -> None:
    """No word of progress."""


def test_mutated_messages_are_refused_or_the_rows_that_a_plain_decoder_reads() -> None:
    """`make fuzz-full` tries ten million."""
    result = run(SEED, COUNT, _quiet)
    assert result.wrong == []
    assert result.tried == COUNT
    assert result.outcomes["row"] > COUNT // 40
    assert result.outcomes["decode not-avro"] > COUNT // 4


@pytest.mark.parametrize("subject", SUBJECTS, ids=SCHEMAS)
def test_events_of_every_schema_are_rows_in_every_framing(subject: Any) -> None:
    for framing in FRAMINGS:
        found = Counter(judge(framing(subject, body)).outcome for body in subject.bodies)
        assert found["row"] > len(subject.bodies) // 10, framing


def test_a_message_is_known_by_its_seed_and_number_alone() -> None:
    every = list(messages(SEED, 0, 3 * BLOCK))
    assert [*messages(SEED, BLOCK - 1, 2)] == every[BLOCK - 1 : BLOCK + 1]
    assert len(set(every)) > 2 * BLOCK
    assert next(messages(SEED + 1, 0, 1)) != every[0]


def _run(count: int, judged: Any) -> Result:
    return run(SEED, count, _quiet, judged)


def test_what_is_wrong_is_told_with_what_shows_it_again() -> None:
    given = list(messages(SEED, 0, 10))
    result = _run(10, lambda message: Found("row", "another event" if message == given[3] else None, 0.0))
    assert result.wrong == [f"seed {SEED}, message 3: another event"]


def test_a_crash_is_told_and_the_others_are_tried() -> None:
    def crash(_: Message) -> Found:
        raise ZeroDivisionError

    result = _run(5, crash)
    assert result.outcomes == {"crash": 5}
    assert all("ZeroDivisionError" in each for each in result.wrong)


def test_an_interruption_ends_it_with_what_was_tried() -> None:
    def judged(message: Message) -> Found:
        if message == next(messages(SEED, 8, 1)):
            raise KeyboardInterrupt
        return Found("row", None, 0.0)

    result = run(SEED, 100, _quiet, judged, start=5)
    assert (result.tried, result.wrong) == (3, [])


@pytest.mark.parametrize(
    ("seconds", "size", "slow"), [(0.11, 99_000, 3), (0.09, 99_000, 0), (0.5, 1_000_000, 0), (3.5, 1_000_000, 3)]
)
def test_what_is_slow_each_time_is_told(seconds: float, size: int, slow: int) -> None:
    result = _run(3, lambda _: Found("row", None, seconds, size))
    assert (result.slow, len(result.wrong)) == (slow, slow)


def test_what_is_slow_once_is_not_the_messages_fault() -> None:
    times = iter([1.0, 0.01, 0.01, 0.01])
    result = _run(1, lambda _: Found("row", None, next(times)))
    assert (result.suspects, result.slow, result.wrong) == (1, 0, [])


def test_a_wrong_row_is_noticed() -> None:
    """As it would be if the worker read another schema than the one that is named."""
    subject = next(each for each in SUBJECTS if each.reader.name == "millis")
    body = written(reader_schema(), custom() | {"scored_at": 1_560_247_200_123})
    message = Message("events", (), b"\0" + subject.number.to_bytes(4, "big") + body)
    assert judge(message).wrong is None
    subject.plain._unit, kept = 1, subject.plain._unit  # noqa: SLF001 - the other decoder is made to differ
    try:
        assert judge(message).wrong == "another event"
    finally:
        subject.plain._unit = kept  # noqa: SLF001
    assert expected(message) is not None


@pytest.mark.parametrize("odd", [b"\1", b"\4", b"\xff" * 9 + b"\2", b"\x80" * 10 + b"\0"])
def test_what_is_no_avro_is_none_for_the_plain_decoder_and_for_every_reader_of_the_worker(odd: bytes) -> None:
    """The index of the first union, which fastavro takes from the end, or cuts to 64 bits."""
    for name, schema in SCHEMAS.items():
        body = next(each for each in SUBJECTS if each.reader.name == name).bodies[-1]
        if isinstance(schema["fields"][0]["type"], list) and body[:1] == b"\0":
            with pytest.raises(NotAvroError):
                Plain(schema).event(odd + body[1:])
            with pytest.raises(Exception, match=r".*"):
                compile_reader(name, schema, reader_schema()).event(odd + body[1:], 0)
