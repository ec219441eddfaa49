"""S13: three brokers, of which one goes: bounced in turn, killed while it coordinates the group, frozen."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from chaos.load import Load
from chaos.scenario import Place, Scenario
from tests.kafka.cluster import KafkaCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

    Trouble = Callable[[Place, KafkaCluster, str], None]

WORKERS = 2
PARTITIONS = 6
RATE = 400
STANDSTILL = 90
BOUNCE = "rolling bounce"
MOVED = ("partitions.revoked", "partitions.lost")


def play(place: Place) -> Iterator[Outcome]:
    """One cluster, and two static members under a load that goes on, for all kinds of trouble, one after the other."""
    with ExitStack() as stack:
        cluster = stack.enter_context(KafkaCluster())
        ring = stack.enter_context(place.ring(broker=cluster, partitions=PARTITIONS))
        members = [f"member-{number}" for number in range(WORKERS)]
        workers = [stack.enter_context(ring.worker(KAFKA__CONSUMER__GROUP_INSTANCE_ID=each)) for each in members]
        with Load(ring.writer, RATE):
            ring.until(lambda: all(worker.lines("partitions.assigned") for worker in workers), "an assignment for each")
            ring.until(lambda: ring.watch.arrived > RATE, "a second's events")
            for name, trouble in TROUBLES.items():
                _live_through(ring, workers, name, partial(trouble, place, cluster, ring.stage.group))
        ring.until_done(120)
        for worker in workers:
            ring.stop(worker)
        cluster.check()
        ring.watch.look()
        ring.claim(not ring.letters.dispositions, "something was dead-lettered")
        yield ring.close()


def _live_through(ring: Ring, workers: list[WorkerProcess], name: str, trouble: Callable[[], None]) -> None:
    """Partitions may move but where brokers are bounced in order; afterwards everybody goes on."""
    before = _moves(workers)
    ring.watch.forgive()
    trouble()
    arrived = ring.watch.arrived
    ring.until(lambda: ring.watch.arrived > arrived + RATE, f"{name}: events of another second")
    moves = _moves(workers) - before
    ring.note(name, f"{moves} revocations, {ring.watch.standstill:.1f} s standstill")
    ring.claim(name != BOUNCE or moves == 0, f"{moves} revocations in a rolling bounce")
    ring.claim(ring.watch.standstill < STANDSTILL, f"{name}: {ring.watch.standstill:.0f} s of standstill")


def _moves(workers: list[WorkerProcess]) -> int:
    return sum(len(worker.lines(name)) for worker in workers for name in MOVED)


def bounce(_: Place, cluster: KafkaCluster, group: str) -> None:
    """Each stopped in order and started again, as an operator changes brokers: the coordinator moves too."""
    del group
    for member in cluster.members:
        cluster.bounce(member)


def kill_coordinator(place: Place, cluster: KafkaCluster, group: str) -> None:
    """SIGKILL to the member that coordinates the group; it comes back later."""
    member = cluster.coordinator(group)
    member.kill()
    time.sleep(place.pick(3, 30))
    member.start()
    cluster.await_in_sync()


def freeze(place: Place, cluster: KafkaCluster, group: str) -> None:
    """SIGSTOP: its sockets stay open. It is the coordinator, the worst of the three."""
    member = cluster.coordinator(group)
    member.freeze()
    time.sleep(place.pick(8, 40))
    member.thaw()
    cluster.await_in_sync()


TROUBLES: dict[str, Trouble] = {
    BOUNCE: bounce,
    "coordinator killed": kill_coordinator,
    "coordinator frozen": freeze,
}

SCENARIOS = (
    Scenario("S13", "three brokers: bounced in turn (static members keep theirs), coordinator killed, frozen", play),
)
