"""Derived scoring ids: `uuid.uuid5` of a record's place, the same for ever, and no two places share one."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.model import Claim, Envelope
from worker.rooms.identity import NAMESPACE, Identity, first_place

KIP = "__dlq.errors."
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
OFFSETS = st.integers(0, 2**63 - 1)
PARTITIONS = st.integers(0, 2**31 - 1)


def at(topic: str, partition: int, offset: int, *headers: tuple[str, bytes | None], epoch: int = 0) -> Envelope:
    return Envelope(Claim(topic, partition, epoch), offset, -1, None, b"", headers)


def place(topic: bytes | None, partition: bytes | None, offset: bytes | None) -> list[tuple[str, bytes | None]]:
    return [(f"{KIP}topic", topic), (f"{KIP}partition", partition), (f"{KIP}offset", offset)]


@given(NAMES, NAMES, PARTITIONS, st.lists(OFFSETS, min_size=1, max_size=5))
def test_an_id_is_the_uuid5_of_cluster_topic_partition_and_offset(
    cluster: str, topic: str, partition: int, offsets: list[int]
) -> None:
    identity = Identity(cluster, {})
    for offset in offsets:
        expected = uuid.uuid5(NAMESPACE, f"{cluster}/{topic}/{partition}/{offset}")
        found = identity.scoring_id(at(topic, partition, offset))
        assert found == str(expected)
        assert uuid.UUID(found).version == 5
        assert uuid.UUID(found).variant == uuid.RFC_4122


def test_the_namespace_is_pinned() -> None:
    """Another namespace would give every record of a topic another id on the day of an upgrade."""
    assert str(NAMESPACE) == str(uuid.uuid5(uuid.NAMESPACE_URL, "https://openscale.payload/scoring-id"))
    assert Identity("c", {}).scoring_id(at("t", 0, 0)) == str(uuid.uuid5(NAMESPACE, "c/t/0/0"))


def test_a_topics_id_stands_for_its_name_where_the_broker_gives_one() -> None:
    identity = Identity("c", {"t": "topic-id"})
    assert identity.scoring_id(at("t", 1, 2)) == str(uuid.uuid5(NAMESPACE, "c/topic-id/1/2"))
    assert identity.scoring_id(at("u", 1, 2)) == str(uuid.uuid5(NAMESPACE, "c/u/1/2"))


def test_a_topic_made_anew_under_its_name_gives_other_ids() -> None:
    first, second = (Identity("c", {"t": name}).scoring_id(at("t", 0, 0)) for name in ("old", "new"))
    assert first != second


@given(PARTITIONS, OFFSETS, st.integers(0, 99))
def test_an_id_is_the_same_on_every_reading_under_every_claim(partition: int, offset: int, epoch: int) -> None:
    ids = {Identity("c", {}).scoring_id(at("t", partition, offset, epoch=number)) for number in (0, epoch)}
    assert len(ids) == 1


@given(st.sets(st.tuples(st.sampled_from(["t", "t/1", "u"]), st.integers(0, 12), st.integers(0, 120)), min_size=2))
def test_no_two_places_share_an_id(places: set[tuple[str, int, int]]) -> None:
    identity = Identity("c", {})
    ids = {identity.scoring_id(at(*each)) for each in places}
    assert len(ids) == len({f"{topic}/{partition}/{offset}" for topic, partition, offset in places})


@given(PARTITIONS, OFFSETS)
def test_a_redriven_record_keeps_the_id_of_its_first_place(partition: int, offset: int) -> None:
    headers = place(b"first", str(partition).encode(), str(offset).encode())
    redriven = at("again", 3, 9, ("own", b"x"), *headers)
    identity = Identity("c", {"first": "i"})
    assert identity.scoring_id(redriven) == identity.scoring_id(at("first", partition, offset))
    assert first_place(redriven) == ("first", partition, offset)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        [("trace", b"1")],
        place(b"t", b"0", b"1")[:2],
        place(b"t", b"zero", b"1"),
        place(b"t", None, b"1"),
        place(b"\xff", b"0", b"1"),
        place(b"t", b"0", b""),
        place(b"t", b"0", b"1.5"),
        place(b"t", str(2**31).encode(), b"1"),
        place(b"t", b"0", str(2**63).encode()),
        [
            ("kafka_dlt-original-topic", b"t"),
            ("kafka_dlt-original-partition", (2**31).to_bytes(8, "big")),
            ("kafka_dlt-original-offset", bytes(8)),
        ],
    ],
)
def test_a_place_that_cannot_be_read_is_no_place(headers: list[tuple[str, bytes | None]]) -> None:
    envelope = at("t", 5, 6, *headers)
    assert first_place(envelope) is None
    assert Identity("c", {}).scoring_id(envelope) == str(uuid.uuid5(NAMESPACE, "c/t/5/6"))


def test_a_place_without_a_topic_is_no_place() -> None:
    assert first_place(at("t", 5, 6, *place(None, b"0", b"1"))) is None


@given(st.lists(st.tuples(st.sampled_from([f"{KIP}topic", f"{KIP}partition", f"{KIP}offset", "x"]), st.binary())))
def test_any_headers_give_an_id(headers: list[tuple[str, bytes]]) -> None:
    assert uuid.UUID(Identity("c", {}).scoring_id(at("t", 0, 0, *headers))).version == 5


@given(PARTITIONS, OFFSETS)
def test_letters_of_connect_and_spring_that_are_sent_back_keep_their_id(partition: int, offset: int) -> None:
    texts = [(name.replace("dlq", "connect"), value) for name, value in place(b"t", b"%d" % partition, b"%d" % offset)]
    numbers = [
        ("kafka_dlt-original-topic", b"t"),
        ("kafka_dlt-original-partition", partition.to_bytes(4, "big")),
        ("kafka_dlt-original-offset", offset.to_bytes(8, "big")),
    ]
    for headers in (texts, numbers):
        assert first_place(at("t", 9, 9, *headers)) == ("t", partition, offset)


def test_headers_of_connect_that_came_along_from_another_topic_are_no_identity() -> None:
    """Several records may have been made of that one: with its id, only the first of them would be stored."""
    copied = [(name.replace("dlq", "connect"), value) for name, value in place(b"elsewhere", b"0", b"1")]
    assert first_place(at("t", 0, 5, *copied)) is None
