"""All processes as one reading: every count with the number of its process, and the worst of their troubles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.telemetry import Reading

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from worker.processes.slots import Slot

    Counts = dict[str, dict[tuple[str, ...], float]]

LABELS = ("process",)
"""What is added to the labels of every metric."""

_MILD = ("starting", "stopped")
"""Troubles that pass by themselves: any other one says more."""


def merged(slots: Collection[Slot], turned: float, ready: str | None) -> Reading:
    """What the supervisor shows; `turned`: the last turn of its own loop; `ready`: as in a reading.

    A counter stays what it last was while its process is down, and begins anew with the next one, as counters do;
    gauges are those of processes that run.
    """
    counters: Counts = {"process_restarts": {(str(slot.number),): slot.restarts for slot in slots}}
    gauges: Counts = {"process_up": {(str(slot.number),): int(slot.up) for slot in slots}}
    for slot in slots:
        if slot.reading is not None:
            _add(counters, slot.reading.counters, slot.number)
        if slot.reading is not None and slot.up and slot.begun:
            _add(gauges, slot.reading.gauges, slot.number)
    return Reading(turned, ready, counters, gauges, started=all(slot.started for slot in slots))


def trouble(slots: Collection[Slot]) -> str | None:
    """Why not all processes deliver: the worst reason, and whose; None where they do.

    A process without partitions is none, unless no process has any: there may be more processes than partitions.
    """
    found = [(slot.trouble, slot.number) for slot in slots if slot.trouble is not None]
    if not all(reason == "no-partitions" for reason, _ in found) or len(found) < len(slots):
        found = [(reason, number) for reason, number in found if reason != "no-partitions"]
    worst = min(found, key=lambda each: (_rank(each[0]), each[1]), default=None)
    return None if worst is None else f"process {worst[1]}: {worst[0]}"


def _rank(reason: str) -> int:
    return 0 if reason.startswith("restarting-") else 2 if reason in _MILD else 1


def _add(to: Counts, counts: Mapping[str, Mapping[tuple[str, ...], float]], number: int) -> None:
    for name, values in counts.items():
        to.setdefault(name, {}).update({(*labels, str(number)): count for labels, count in values.items()})
