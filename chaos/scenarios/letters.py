"""S9: the dead-letter topic does not take what it must: it is missing, may not be written, or refuses the size."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

    Trouble = Callable[[Ring], AbstractContextManager[None]]

Rule = TypeVar("Rule", AclBinding, AclBindingFilter)

PARTITIONS = 4
ANSWER_SECONDS = 20
HELD_SECONDS = 1.5
LARGE = 5000
REASON = "dead-letter-topic"


def play(place: Place) -> Iterator[Outcome]:
    """One kind of trouble after the other, and one worker that outlives them all."""
    events = place.pick(600, 20_000)
    with place.ring(partitions=PARTITIONS, letters=False) as ring:
        ring.settings["DELIVERY__RETRY_WAIT_MAX_SECONDS"] = "1"
        bad: set[str] = set()
        with ring.worker() as worker:
            for name, trouble in TROUBLES.items():
                bad.update(_hold_and_go_on(ring, worker, name, trouble, events))
            ring.claim(len(worker.lines("partitions.assigned")) == 1, "the worker has left its group meanwhile")
            ring.stop(worker)
        ring.watch.look()
        ring.claim(set(ring.letters.dispositions) == bad, "the dead letters are not those of the bad events")
        yield ring.close(duplicates=0)


def _hold_and_go_on(ring: Ring, worker: WorkerProcess, name: str, trouble: Trouble, events: int) -> list[str]:
    """The bad ones, among good ones: while there is trouble no commit may pass them, which the watch looks after."""
    complaints, arrived = len(worker.lines("dead_letter.failing")), ring.watch.arrived
    written = set(ring.letters.dispositions)
    with trouble(ring):
        ring.writer.produce(events // 2)
        bad = [ring.writer.send(ring.rng.randbytes(LARGE), number % PARTITIONS) for number in range(events // 50)]
        ring.writer.produce(events // 2)
        ring.until(lambda: ring.watch.arrived >= arrived + events // 2 * 2, f"{name}: the good events' arrival")
        ring.until(lambda: len(worker.lines("dead_letter.failing")) > complaints, f"{name}: dead_letter.failing")
        ring.until(lambda: worker.health("/readyz") == (503, {"ready": False, "reason": REASON}), f"{name}: /readyz")
        time.sleep(HELD_SECONDS)
        ring.claim(worker.health("/livez")[0] == 200, f"{name}: /livez is not 200")  # noqa: PLR2004 - a status
        held = ring.watch.produced - sum(ring.watch.committed.values())
        ring.claim(held >= len(bad), f"{name}: only {held} offsets were held for {len(bad)} bad events")
        ring.claim(set(ring.letters.dispositions) == written, f"{name}: a dead letter was written nevertheless")
    ring.until_done()
    ring.until(lambda: worker.health("/readyz")[0] == 200, f"{name}: ready again")  # noqa: PLR2004 - a status
    ring.note(f"{name}: held", f"{held} offsets for {len(bad)} bad ones")
    return bad


@contextmanager
def missing(ring: Ring) -> Iterator[None]:
    """It is made only at the end of the trouble."""
    yield
    ring.broker.create_topic(ring.stage.letters, PARTITIONS, {})


@contextmanager
def read_only(ring: Ring) -> Iterator[None]:
    """Everybody may do all with it but write; the session's broker must have access control."""
    admin, topic = ring.broker.admin(), ring.stage.letters
    allowed = _rule(AclBinding, topic, AclOperation.ALL, AclPermissionType.ALLOW)
    denied = _rule(AclBinding, topic, AclOperation.WRITE, AclPermissionType.DENY)
    for added in admin.create_acls([allowed, denied]).values():
        added.result(ANSWER_SECONDS)
    try:
        yield
    finally:
        everything = _rule(AclBindingFilter, topic, AclOperation.ANY, AclPermissionType.ANY)
        for removed in admin.delete_acls([everything]).values():
            removed.result(ANSWER_SECONDS)


@contextmanager
def too_small(ring: Ring) -> Iterator[None]:
    """The bad events do not fit, however few headers they are given."""
    _configure(ring, "max.message.bytes", str(LARGE // 2))
    yield
    _configure(ring, "max.message.bytes", str(LARGE * 4))


def _rule(kind: type[Rule], topic: str, operation: AclOperation, permission: AclPermissionType) -> Rule:
    everybody = ("User:ANONYMOUS", "*")
    return kind(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, *everybody, operation, permission)


def _configure(ring: Ring, name: str, value: str) -> None:
    admin = ring.broker.admin()
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    told = ConfigResource(ResourceType.TOPIC, ring.stage.letters, incremental_configs=[entry])
    asked = admin.incremental_alter_configs([told])
    for each in asked.values():
        each.result(ANSWER_SECONDS)


TROUBLES: dict[str, Trouble] = {"missing": missing, "read-only": read_only, "too large": too_small}

SCENARIOS = (
    Scenario("S9", "dead-letter topic missing, read-only or too small: held and told, nothing lost, goes on", play),
)
