"""One stop for a whole group: a worker's flood stops the others, a restart does not end it, `resume` does for all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from tests.flow.build import envelope, policy, rejection
from worker.config import Kafka
from worker.edges.stop_note import StopNote
from worker.flow.flood import FloodPolicy
from worker.flow.flow import Flow
from worker.flow.jobs import Letter, Lettered
from worker.group_stop import GroupStop
from worker.model import Claim

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

LIMIT = 5


class Member:
    """A worker of a group, as far as its stop is concerned; its time goes quickly, so that it reads without waiting."""

    def __init__(self, kafka: Kafka) -> None:
        self.flow = Flow(policy(flood=FloodPolicy(0.5, 2 * LIMIT, 100)))
        self.claim = Claim("t", 0)
        self.flow.assign([self.claim])
        self.stop = GroupStop(self.flow, StopNote(kafka, lambda: time.monotonic() * 100))

    def refuse(self, count: int) -> None:
        records = self.flow.begin([envelope(self.claim, offset) for offset in range(count)])
        self.flow.admit([], [rejection(each) for each in records], 0)

    def write_letters(self) -> int:
        letters = [job for job in self.flow.due(0) if isinstance(job, Letter)]
        for letter in letters:
            self.flow.settle(Lettered(letter, None), 0)
        return len(letters)


def steps_until(member: Member, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        member.stop.step()
        time.sleep(0.01)


@pytest.fixture
def kafka(broker: Broker, make_topic: TopicFactory) -> Kafka:
    topic = make_topic()
    return Kafka(bootstrap_servers=broker.bootstrap, topics=[topic], group_id=f"group-{topic}")


def test_a_flood_stops_all_workers_of_the_group_and_one_resume_lets_all_go_on(kafka: Kafka) -> None:
    flooded, other = Member(kafka), Member(kafka)
    flooded.refuse(20)
    assert flooded.flow.stopped is not None
    steps_until(flooded, lambda: bool(flooded.flow.stopped and flooded.flow.stopped.at))
    steps_until(other, lambda: other.flow.stopped is not None)
    assert other.flow.stopped == flooded.flow.stopped
    assert other.flow.room == 0

    stop = StopNote(kafka, time.monotonic).clear()
    assert stop == other.flow.stopped
    steps_until(other, lambda: other.flow.stopped is None)
    # what it kept back is counted anew: it stops again, with a stop of its own, and no record is gone
    written = flooded.write_letters()
    steps_until(flooded, lambda: flooded.flow.stopped not in (stop, None))
    assert written == LIMIT - 1
    assert flooded.write_letters() == LIMIT - 1
    assert flooded.flow.open_records == 20 - 2 * (LIMIT - 1)


def test_a_restarted_worker_is_stopped_before_it_reads_anything(kafka: Kafka) -> None:
    flooded = Member(kafka)
    flooded.refuse(LIMIT)
    steps_until(flooded, lambda: StopNote(kafka, time.monotonic).read_now() is not None)

    restarted = Member(kafka)
    assert restarted.flow.room > 0
    with capture_logs() as logs:
        restarted.stop.read_now()
    assert restarted.flow.room == 0
    assert [line["event"] for line in logs] == ["flood.group_stopped"]
    assert restarted.flow.blocked(0) == "flood-guard: decode/no-framing"


def test_a_group_that_never_stopped_is_not_resumed_and_reads(kafka: Kafka) -> None:
    member = Member(kafka)
    member.stop.read_now()
    for _ in range(20):
        member.stop.step()
        time.sleep(0.01)
    assert member.flow.stopped is None
    assert StopNote(kafka, time.monotonic).clear() is None
