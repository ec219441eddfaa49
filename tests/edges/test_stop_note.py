"""The flood guard's stop in Kafka: kept over restarts, the same for all workers of a group, and over when resumed."""

from __future__ import annotations

import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from tests.kafka.broker import ApacheKafka, Broker, EmbeddedKafka
from worker.config import Kafka
from worker.edges.cluster import TIMEOUT, ClusterError
from worker.edges.group_text import ConsumerOffsets
from worker.edges.stop_note import FRESH, INTERVAL, RENEWAL, StopNote
from worker.flow.flood import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import TopicFactory
    from worker.edges.group_text import Offsets

STOP = Stop("rejected/bad-request", 1000, 2000, "2026-01-02T03:04:05.678+00:00")
OTHER = Stop("schema/unknown-schema", 1500, 2000, "2026-01-02T03:04:06.000+00:00")


class Clock:
    """Seconds that go on only when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Group:
    """A group of workers with a topic of its own: their notes share a clock."""

    def __init__(self, broker: Broker, topics: list[str]) -> None:
        self.clock = Clock()
        self.broker = broker
        self.kafka = Kafka(
            bootstrap_servers=broker.bootstrap,
            topics=topics,
            group_id=f"g-{time.monotonic_ns()}",
            consumer={"log_level": 0},
        )

    @cached_property
    def offsets(self) -> ConsumerOffsets:
        """The side group's, past the note."""
        return ConsumerOffsets(self.kafka, self.side)

    @property
    def side(self) -> str:
        """The group whose offset holds the text."""
        return f"{self.kafka.group_id}.stopped"

    def note(self, offsets: Offsets | None = None) -> StopNote:
        return StopNote(self.kafka, self.clock, offsets)

    def text(self) -> str:
        """What is written in Kafka, read past the note."""
        found = self.offsets.read([TopicPartition(self.kafka.topics[0], 0)], 10)
        return found[0].metadata or ""

    def put(self, text: str) -> None:
        """Write this text past the note."""
        self.offsets.write([TopicPartition(self.kafka.topics[0], 0, 0, metadata=text)])

    def kept(self, stop: Stop) -> None:
        """Wait until this stop is in Kafka."""
        deadline = time.monotonic() + 30
        while stop.code not in self.text() and time.monotonic() < deadline:
            time.sleep(0.01)

    def polled(self, note: StopNote, until: Callable[[Stop | None], bool]) -> Stop | None:
        """The stop that polling finds in the end; the clock goes on meanwhile, by less than a renewal."""
        deadline = time.monotonic() + 30
        while not until(found := note.poll()) and time.monotonic() < deadline:
            self.clock.now += 0.1
            time.sleep(0.01)
        assert until(found), (found, note.error)
        return found

    def written(self, note: StopNote) -> None:
        self.polled(note, lambda _: not note.owed)

    def read_anew(self, note: StopNote) -> Stop | None:
        """What polling finds once it has read, and renewed where that was due."""
        self.settle(note)
        self.clock.now += INTERVAL
        note.poll()
        return self.settle(note)

    def settle(self, note: StopNote) -> Stop | None:
        """Wait for what is under way; the clock stands still."""
        deadline = time.monotonic() + 30
        found = note.poll()
        while note.asking and time.monotonic() < deadline:
            time.sleep(0.005)
            found = note.poll()
        assert not note.asking
        return found


@pytest.fixture(params=["session", "embedded"])
def group(request: pytest.FixtureRequest, make_topic: TopicFactory) -> Iterator[Group]:
    """A new group on the session's broker, and one on the embedded broker, where the demo runs."""
    if request.param == "session":
        yield Group(request.getfixturevalue("broker"), [make_topic()])
    else:
        with EmbeddedKafka() as embedded:
            embedded.create_topic("events", 4, {})
            yield Group(embedded, ["events"])


def test_a_stop_is_there_for_the_next_worker_and_for_the_others_until_it_is_resumed(group: Group) -> None:
    first, second = group.note(), group.note()
    assert first.read_now() is None
    assert second.read_now() is None
    first.write(STOP)
    assert first.poll() == STOP, "in force before it is acknowledged"
    group.written(first)
    assert group.read_anew(second) == STOP
    assert group.note().read_now() == STOP, "a worker that starts"
    assert group.note().clear(settle=0) == STOP
    assert [group.read_anew(each) for each in (first, second)] == [None, None]
    assert group.note().read_now() is None
    assert group.note().clear(settle=0) is None, "there is none any more"


def test_a_worker_that_ends_waits_until_its_stop_is_written(group: Group) -> None:
    note = group.note()
    note.write(STOP)
    note.close(seconds=30)
    assert not note.owed
    assert group.note().read_now() == STOP


def test_a_worker_reads_every_interval_and_not_more_often(group: Group) -> None:
    note = group.note()
    group.read_anew(note)
    group.clock.now += INTERVAL * 0.9
    note.poll()
    assert not note.asking
    group.clock.now += INTERVAL * 0.2
    note.poll()
    assert note.asking


def test_a_read_that_began_before_the_stop_was_written_does_not_resume(group: Group) -> None:
    note = group.note()
    note.poll()
    assert note.asking, "this read will find no stop"
    note.write(STOP)
    assert note.poll() == STOP
    assert group.settle(note) == STOP
    assert group.read_anew(note) == STOP


def test_the_later_of_two_stops_stands_for_all_and_one_resume_ends_it(group: Group) -> None:
    first, second = group.note(), group.note()
    first.write(STOP)
    group.written(first)
    second.write(OTHER)
    group.written(second)
    assert [group.read_anew(each) for each in (first, second)] == [OTHER, OTHER]
    assert group.note().clear(settle=0) == OTHER
    assert [group.read_anew(each) for each in (first, second)] == [None, None]


def test_a_worker_that_has_not_heard_that_its_stop_was_written_hears_that_it_was_resumed(group: Group) -> None:
    note = group.note()
    note.write(STOP)
    group.kept(STOP)
    assert note.owed
    assert group.note().clear(settle=0) == STOP
    assert group.polled(note, lambda stop: stop is None) is None
    assert group.note().read_now() is None


class Flawed:
    """Offsets whose first writes fail: as far as the caller knows (`lost` answers), or really (`refused`)."""

    def __init__(self, group: Group, *, lost: int = 0, refused: int = 0) -> None:
        self._real = group.offsets
        self.lost, self.refused = lost, refused

    def read(self, cells: list[TopicPartition], seconds: float) -> list[TopicPartition]:
        return self._real.read(cells, seconds)

    def write(self, cells: list[TopicPartition]) -> list[TopicPartition]:
        if self.refused:
            self.refused -= 1
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
        found = self._real.write(cells)
        if self.lost:
            self.lost -= 1
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
        return found


def test_a_write_whose_answer_was_lost_is_not_repeated_over_a_resume(group: Group) -> None:
    """Else the stop would be back that somebody has just ended."""
    note = group.note(Flawed(group, lost=1))
    note.write(STOP)
    assert group.polled(note, lambda _: note.error is not None) == STOP
    assert f"group {group.side}" in str(note.error)
    assert note.owed
    assert group.note().clear(settle=0) == STOP
    assert group.polled(note, lambda stop: stop is None) is None
    assert (note.owed, note.error) == (False, None)
    assert group.note().read_now() is None


def test_a_write_that_failed_is_repeated_until_it_is_acknowledged(group: Group) -> None:
    """Resuming another stop meanwhile does not end it: nobody has seen it yet."""
    flawed = Flawed(group, refused=3)
    note, other = group.note(flawed), group.note()
    other.write(OTHER)
    group.written(other)
    note.write(STOP)
    assert group.polled(note, lambda _: note.error is not None) == STOP
    assert group.note().clear(settle=0) == OTHER
    group.written(note)
    assert (flawed.refused, note.error) == (0, None)
    assert group.note().read_now() == STOP


def test_a_write_that_was_under_way_while_a_stop_was_resumed_does_not_bring_it_back(group: Group) -> None:
    late = group.note()
    late.write(STOP)
    group.written(late)

    def write_late() -> None:
        deadline = time.monotonic() + 20
        while '"resumed":true' not in group.text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        late.write(STOP)
        group.written(late)

    writer = threading.Thread(target=write_late)
    writer.start()
    assert group.note().clear(settle=2) == STOP
    writer.join(30)
    assert group.note().read_now() is None
    assert group.read_anew(late) is None


def test_a_stop_is_written_again_before_it_expires_and_only_while_it_is_in_force(group: Group) -> None:
    note = group.note()
    note.write(STOP)
    group.written(note)
    # another form of the same text: a renewal puts ours in its place
    group.put(text := '{"resumed": false, "extra": 1, ' + _json(STOP)[1:])
    assert group.read_anew(note) == STOP
    assert group.text() == text, "not before it is due"
    group.clock.now += RENEWAL
    note.poll()
    group.clock.now += FRESH * 2
    assert group.settle(note) == STOP
    assert group.text() == text, "not by an old answer: it may have been resumed since"
    assert group.read_anew(note) == STOP
    assert group.text() != text
    assert group.note().read_now() == STOP
    assert group.note().clear(settle=0) == STOP
    group.clock.now += RENEWAL
    assert group.read_anew(note) is None
    assert group.note().read_now() is None, "a renewal that was due did not bring it back"


def _json(stop: Stop) -> str:
    return f'{{"code": "{stop.code}", "refused": {stop.refused}, "of": {stop.of}, "at": "{stop.at}"}}'


@pytest.mark.parametrize("text", ["stopped", "[]", "{}", '{"code": "a"}', "1", "null"])
def test_a_text_that_cannot_be_understood_stops_and_can_be_resumed(group: Group, text: str) -> None:
    note = group.note()
    group.put(text)
    found = note.read_now()
    assert found is not None
    assert found.code == "unreadable"
    assert note.clear(settle=0) == found
    assert note.read_now() is None


def test_a_stop_of_several_topics_outlives_one_of_them(broker: Broker, make_topic: TopicFactory) -> None:
    topics = [make_topic(), make_topic()]
    group = Group(broker, [*topics, "never-made"])
    note = group.note()
    note.write(STOP)
    group.written(note)
    for each in topics:
        group.kafka = group.kafka.model_copy(update={"topics": [each]})
        assert group.note().read_now() == STOP
    assert group.note().clear(settle=0) == STOP
    assert note.read_now() is None, "resumed by a command that knows only one of the topics"


def test_a_stop_that_no_topic_can_keep_is_owed_and_says_why(broker: Broker) -> None:
    group = Group(broker, ["never-made"])
    note = group.note()
    note.write(STOP)
    group.polled(note, lambda _: note.error is not None)
    assert note.owed
    assert "nown topic" in str(note.error)


def test_without_a_broker_a_worker_must_not_start_and_one_that_runs_keeps_what_it_knows() -> None:
    kafka = Kafka(bootstrap_servers="127.0.0.1:1", group_id="g", consumer={"log_level": 0})
    clock = Clock()
    note = StopNote(kafka, clock)
    with pytest.raises(ClusterError, match=r"group g\.stopped: .*needs Read on that group"):
        note.read_now()
    began = time.monotonic()
    note.write(STOP)
    assert note.poll() == STOP
    assert time.monotonic() - began < TIMEOUT / 2, "it does not wait"
    deadline = time.monotonic() + 20
    while note.error is None and time.monotonic() < deadline:
        assert note.poll() == STOP
        time.sleep(0.05)
    assert note.error is not None
    note.close(seconds=0.1)
    assert note.owed


@pytest.mark.kafka
def test_read_on_the_side_group_is_right_enough_and_without_it_a_worker_is_told_so_at_once() -> None:
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    with ApacheKafka(properties, heap="384m") as broker:
        broker.create_topic("events", 1, {})
        group = Group(broker, ["events"])
        note = group.note()
        rule(group, AclOperation.READ, AclPermissionType.ALLOW)
        assert note.read_now() is None
        note.write(STOP)
        group.written(note)
        rule(group, AclOperation.ALL, AclPermissionType.DENY)
        refused = ""
        deadline = time.monotonic() + 20
        while not refused and time.monotonic() < deadline:
            began = time.monotonic()
            try:
                note.read_now()
            except ClusterError as error:
                refused = str(error)
                assert time.monotonic() - began < TIMEOUT / 2, "it does not ask again and again"
        assert f"group {group.side}: " in refused
        assert "uthorization failed" in refused
        assert "needs Read on that group" in refused


def rule(group: Group, operation: AclOperation, permission: AclPermissionType) -> None:
    """Allow or deny everybody something with the side group; once there is a rule, nothing else is allowed."""
    literal = ResourcePatternType.LITERAL
    binding = AclBinding(ResourceType.GROUP, group.side, literal, "User:ANONYMOUS", "*", operation, permission)
    admin = group.broker.admin()  # kept until it has answered
    for future in admin.create_acls([binding]).values():
        future.result(20)
