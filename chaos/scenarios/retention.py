"""S14: Kafka deletes records before the group has read them: counted, told, the policy obeyed, and no crash loop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition

from chaos.oracle import judge
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

OUTAGE = {"match": {"path": "scoring_payloads$"}, "action": {"status": 503}}
ANSWER_SECONDS = 30
PARTITIONS = 4
CUT = (0, 1)
"""Partitions of which something is deleted; the others must not notice."""


def play(place: Place) -> Iterator[Outcome]:
    """While no worker runs, with each policy; and under one that is held up, with records fetched and open."""
    for policy in place.pick(("earliest",), ("earliest", "latest", "error")):
        with place.ring(partitions=PARTITIONS) as ring:
            yield _while_down(ring, policy, place.pick(1_000, 20_000))
    with place.ring(partitions=PARTITIONS) as ring:
        yield _while_held_up(ring, place.pick(4_000, 40_000))


def _while_down(ring: Ring, policy: str, events: int) -> Outcome:
    """What is lost is known before the worker starts: `latest` passes over all that there is."""
    with ring.worker() as worker:
        ring.writer.produce(events)
        ring.until_done()
        ring.stop(worker)
    ring.writer.produce(events)
    starts = {each: _middle(ring, each) for each in CUT}
    ends = {each: len(ring.writer.log[each]) for each in CUT}
    lost = _between(ring, ring.watch.committed, ends if policy == "latest" else starts)
    _delete(ring, starts)
    ring.watch.settled.update(lost)  # written off: nobody is to wait for them
    if policy == "error":
        _hold(ring)
    kept = "earliest" if policy == "error" else policy
    with ring.worker(KAFKA__CONSUMER__AUTO_OFFSET_RESET=kept) as worker:
        ring.until_done()
        _compare(ring, worker, len(lost))
        ring.claim(len(worker.lines("offsets.lost")) == len(CUT), "not one offsets.lost for each partition")
        ring.stop(worker)
    missing = judge(ring.evidence()).missing
    ring.claim(missing == lost, f"{len(missing)} events are missing, and {len(lost)} were lost to Kafka")
    return ring.close(f"down, {policy}", duplicates=0, deleted=lost)


def _hold(ring: Ring) -> None:
    """With `error` the partition waits for people; the others go on, and the worker stays."""
    with ring.worker(KAFKA__CONSUMER__AUTO_OFFSET_RESET="error") as worker:
        ring.until(lambda: str(worker.health("/readyz")[1]["reason"]).startswith("offsets-lost"), "/readyz says it")
        others = [each for each in range(PARTITIONS) if each not in CUT]
        ends = {each: len(ring.writer.log[each]) for each in others}
        ring.until(lambda: ends.items() <= ring.watch.committed.items(), "the other partitions' ends")
        time.sleep(2)
        ring.claim(worker.process.poll() is None, "the worker has ended")
        ring.stop(worker)


def _while_held_up(ring: Ring, events: int) -> Outcome:
    """How much was fetched before it was deleted nobody knows: what is missing at the end is what was lost."""
    ring.stage.settings |= {"LIMITS__RECORDS": "500", "DELIVERY__RETRY_WAIT_MAX_SECONDS": "1"}
    with ring.worker() as worker:
        ring.writer.produce(100)
        ring.until_done()
        ring.mart.fault(OUTAGE)
        ring.writer.produce(events)
        ring.until(lambda: worker.metrics().get("circuit_state") == 1, "an outage")
        time.sleep(3)  # full, and paused
        starts = {each: _middle(ring, each) for each in CUT}
        deletable = _between(ring, ring.watch.committed, starts)
        _delete(ring, starts)
        time.sleep(1)
        ring.watch.settled.update(deletable)
        ring.mart.heal()
        ring.until_done()
        missing = judge(ring.evidence()).missing
        _compare(ring, worker, len(missing))
        ring.claim(bool(missing), "nothing was lost: nothing is shown")
        ring.claim(missing <= deletable, "an event is missing that Kafka had not deleted")
        ring.claim(len(worker.lines("partitions.assigned")) == 1, "the worker has left its group meanwhile")
        ring.stop(worker)
    return ring.close("held up", duplicates=0, deleted=deletable)


def _compare(ring: Ring, worker: WorkerProcess, truth: int) -> None:
    time.sleep(1.5)  # metrics are published once a second
    counted = worker.metrics().get("offsets_lost", 0)
    told = sum(line["count"] for line in worker.lines("offsets.lost"))
    ring.note("lost to Kafka", truth)
    ring.claim(counted == truth, f"offsets_lost is {counted:.0f}, and {truth} were lost")
    ring.claim(told == truth, f"offsets.lost tells of {told}, and {truth} were lost")


def _middle(ring: Ring, partition: int) -> int:
    """Halfway between what is committed and the end."""
    committed, end = ring.watch.committed.get(partition, 0), len(ring.writer.log[partition])
    return committed + (end - committed) // 2


def _between(ring: Ring, begins: Mapping[int, int], ends: Mapping[int, int]) -> set[str]:
    """The events of these offsets."""
    log = ring.writer.log
    return {event for partition, end in ends.items() for event in log[partition][begins.get(partition, 0) : end]}


def _delete(ring: Ring, starts: Mapping[int, int]) -> None:
    """As retention does, but now: the log of each partition begins there."""
    admin = ring.broker.admin()
    cut = [TopicPartition(ring.stage.topic, partition, offset) for partition, offset in starts.items()]
    asked = admin.delete_records(cut)
    for each in asked.values():
        each.result(ANSWER_SECONDS)


SCENARIOS = (
    Scenario("S14", "records deleted under the group: offsets_lost tells the truth, policy obeyed, no crash", play),
)
