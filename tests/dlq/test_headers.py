"""Reading why a record was dead-lettered: in three conventions, whatever is wrong with the headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.dlq.headers import Told, identity, read, without_told
from worker.edges.letter_headers import BARE, FULL, SLIM, Convention
from worker.edges.letter_headers import headers as headers_of_letter
from worker.model import Claim, Disposition, Envelope, Refusal, Rejection
from worker.rooms.places import CONNECT, KIP, OWN, REDRIVES, SPRING, place

Headers = list[tuple[str, bytes | None]]
Writer = Callable[[str, int, int], Headers]

TOPICS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
PARTITIONS = st.integers(0, 2**31 - 1)
OFFSETS = st.integers(0, 2**63 - 1)
PLACES = st.tuples(TOPICS, PARTITIONS, OFFSETS)
OTHERS = st.lists(st.tuples(st.sampled_from(["trace", "x", ""]), st.none() | st.binary(max_size=4)), max_size=4)


def kip(topic: str, partition: int, offset: int) -> Headers:
    return [(f"{KIP}topic", topic.encode()), (f"{KIP}partition", b"%d" % partition), (f"{KIP}offset", b"%d" % offset)]


def connect(topic: str, partition: int, offset: int) -> Headers:
    return [(name.replace(KIP, CONNECT), value) for name, value in kip(topic, partition, offset)]


def spring(topic: str, partition: int, offset: int) -> Headers:
    return [
        (f"{SPRING}original-topic", topic.encode()),
        (f"{SPRING}original-partition", partition.to_bytes(4, "big")),
        (f"{SPRING}original-offset", offset.to_bytes(8, "big")),
    ]


WRITERS: list[Writer] = [kip, connect, spring]


@pytest.mark.parametrize("write", WRITERS)
@given(topic=TOPICS, partition=PARTITIONS, offset=OFFSETS, others=OTHERS)
def test_the_place_is_read_in_every_convention_among_any_other_headers(
    write: Writer, topic: str, partition: int, offset: int, others: Headers
) -> None:
    headers = [*others, *write(topic, partition, offset)]
    told = read(headers)
    assert told is not None
    assert told.place == place(headers) == (topic, partition, offset)
    assert without_told(headers, told) == others


def test_a_letter_of_ours_tells_everything() -> None:
    headers: Headers = [
        *kip("events", 3, 42),
        (f"{KIP}disposition", b"rejected"),
        (f"{OWN}error.code", b"conflict"),
        (f"{OWN}http.status", b"409"),
        (f"{KIP}message", b"the data mart answered 409"),
        (f"{KIP}group", b"workers"),
        (REDRIVES, b"2"),
    ]
    detail = "the data mart answered 409"
    assert read(headers) == Told(
        KIP,
        own=True,
        topic="events",
        partition=3,
        offset=42,
        disposition="rejected",
        code="conflict",
        status=409,
        detail=detail,
        group="workers",
        redrives=2,
    )


def test_a_letter_of_kafka_connect_is_told_by_stage_and_exception() -> None:
    headers: Headers = [
        *connect("events", 0, 7),
        (f"{CONNECT}connector.name", b"sink"),
        (f"{CONNECT}stage", b"VALUE_CONVERTER"),
        (f"{CONNECT}exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
        (f"{CONNECT}exception.message", b"cannot read Jane Doe"),
    ]
    told = read(headers)
    assert told is not None
    assert (told.disposition, told.group) == ("VALUE_CONVERTER", "sink")
    assert told.code == "org.apache.kafka.connect.errors.DataException"
    assert not told.own


def test_of_a_letter_that_spring_dead_lettered_twice_the_first_place_counts() -> None:
    headers = [*spring("events", 1, 5), *spring("events-dlt", 0, 9)]
    told = read(headers)
    assert told is not None
    assert told.place == place(headers) == ("events", 1, 5)


def test_the_cause_of_springs_exception_says_more_than_the_listeners() -> None:
    headers: Headers = [
        *spring("events", 1, 5),
        (f"{SPRING}exception-fqcn", b"ListenerExecutionFailedException"),
        (f"{SPRING}exception-cause-fqcn", b"java.net.SocketTimeoutException"),
    ]
    told = read(headers)
    assert told is not None
    assert told.code == "java.net.SocketTimeoutException"


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ([*kip("t", 1, 2)[:2], (f"{KIP}offset", b"two")], ("t", 1, None)),
        ([*kip("t", 1, 2)[::2], (f"{KIP}partition", b"-1")], ("t", None, 2)),
        ([*kip("t", 1, 2)[::2], (f"{KIP}partition", b"\xd9\xa1")], ("t", None, 2)),
        ([(f"{KIP}topic", b"\xff"), *kip("t", 1, 2)[1:]], (None, 1, 2)),
        ([*spring("t", 1, 2)[:2], (f"{SPRING}original-offset", b"2")], ("t", 1, None)),
        ([*spring("t", 1, 2)[::2], (f"{SPRING}original-partition", b"\xff\xff\xff\xff")], ("t", None, 2)),
    ],
)
def test_what_is_malformed_is_left_out_and_the_rest_is_told(headers: Headers, known: tuple[object, ...]) -> None:
    told = read(headers)
    assert told is not None
    assert (told.topic, told.partition, told.offset) == known
    assert told.place is None
    assert place(headers) is None


def test_a_record_without_such_headers_is_no_letter() -> None:
    assert read([]) is None
    assert read([("trace", b"1"), (f"{OWN}error.code", b"x")]) is None


NAMES = st.sampled_from(
    [name for write in WRITERS for name, _ in write("t", 0, 0)]
    + [f"{CONNECT}stage", f"{KIP}disposition", f"{OWN}http.status", REDRIVES, "trace"]
)


@given(st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=24)), max_size=12))
def test_no_headers_make_it_raise(headers: Headers) -> None:
    told = read(headers)
    if told is not None:
        assert told.place == place(headers)


@pytest.mark.parametrize("write", WRITERS)
@given(topic=TOPICS, partition=PARTITIONS, offset=OFFSETS, redrives=st.integers(0, 99))
def test_the_identity_that_is_sent_back_names_the_same_place(
    write: Writer, topic: str, partition: int, offset: int, redrives: int
) -> None:
    told = read(write(topic, partition, offset))
    assert told is not None
    again = read(identity(told, redrives))
    assert again is not None
    assert (again.place, again.redrives) == (told.place, redrives)


@pytest.mark.parametrize("level", [FULL, SLIM])
@pytest.mark.parametrize("written", get_args(Convention))
@given(place=PLACES, others=OTHERS, redrives=st.none() | st.integers(1, 9))
def test_what_the_worker_writes_in_any_convention_is_read_back(
    level: int, written: Convention, place: tuple[str, int, int], others: Headers, redrives: int | None
) -> None:
    topic, partition, offset = place
    sent_back: Headers = [] if redrives is None else [(REDRIVES, b"%d" % redrives)]
    envelope = Envelope(Claim(topic, partition), offset, 1_700_000_000_000, None, b"", [*others, *sent_back])
    refusal = Refusal(Disposition.REJECTED, "conflict", "the data mart answered 409")
    found = as_read(headers_of_letter(Rejection(envelope, refusal, 2, 409, "{}"), "workers", level, written))
    told = read(found)
    assert told is not None
    assert (told.place, told.own, told.redrives) == (place, True, redrives or 0)
    assert (told.disposition, told.code) == ("rejected", "conflict")
    explained = (told.status, told.detail, told.group, told.timestamp_ms)
    assert explained == ((409, refusal.detail, "workers", 1_700_000_000_000) if level == FULL else (None,) * 4)
    assert without_told(found, told) == others


@pytest.mark.parametrize("level", [FULL, SLIM])
@pytest.mark.parametrize("written", get_args(Convention))
def test_the_id_of_the_first_topic_is_told_in_any_convention_where_it_is_known(level: int, written: Convention) -> None:
    first = identity(Told(KIP, topic="first", partition=0, offset=1), 1)
    rejection = Rejection(Envelope(Claim("t", 0), 7, -1, None, b"", first), Refusal(Disposition.DECODE, "not-avro", ""))
    for ids, expected in (({"first": "a", "t": "b"}, "a"), ({"t": "b"}, None)):
        found = as_read(headers_of_letter(rejection, "g", level, written, ids))
        told = read(found)
        assert told is not None
        assert told.topic_id == expected
        assert without_told(found, told) == []


@given(topic=TOPICS, partition=PARTITIONS, offset=OFFSETS)
def test_a_record_that_was_sent_back_and_is_refused_again_keeps_its_first_place_in_any_convention(
    topic: str, partition: int, offset: int
) -> None:
    first = identity(Told(KIP, topic=topic, partition=partition, offset=offset), 1)
    envelope = Envelope(Claim("events", 0), 7, -1, None, b"", first)
    rejection = Rejection(envelope, Refusal(Disposition.DECODE, "not-avro", ""))
    for written in get_args(Convention):
        told = read(as_read(headers_of_letter(rejection, "g", FULL, written)))
        assert told is not None
        assert (told.place, told.redrives, told.timestamp_ms) == ((topic, partition, offset), 1, None)


@pytest.mark.parametrize("written", get_args(Convention))
def test_a_letter_that_has_room_for_nothing_of_ours_keeps_what_its_record_brought(written: Convention) -> None:
    """Its first place and its redrives came with it: without them it could not go back, or would for ever."""
    refusal = Refusal(Disposition.REJECTED, "conflict", "")
    brought = identity(Told(KIP, topic="first", partition=3, offset=5), 2)
    for own, place_ in ((brought, ("first", 3, 5)), ([], None), ([(f"{KIP}topic", b"first")], None)):
        envelope = Envelope(Claim("t", 0), 7, -1, None, b"", [("trace", b"1"), *own, (f"{KIP}message", b"old")])
        found = as_read(headers_of_letter(Rejection(envelope, refusal), "g", BARE, written))
        told = read(found)
        assert (None if told is None else told.place) == place_
        assert (told is not None and told.redrives) == (2 if place_ else False)
        assert len(found) == 1 + (len(own) if place_ else 0), "and nothing else"


def as_read(headers: Sequence[tuple[str, bytes | str | None]]) -> Headers:
    """Headers as they come back from Kafka: bytes."""
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in headers]
