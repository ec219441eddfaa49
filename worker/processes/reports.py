"""A process's reading as a line of JSON, on its way to the supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from worker.telemetry import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping


def encode(reading: Reading) -> bytes:
    """One line, its end included."""
    told = {
        "turned": reading.turned,
        "ready": reading.ready,
        "started": reading.started,
        "counters": _listed(reading.counters),
        "gauges": _listed(reading.gauges),
    }
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def decode(line: bytes) -> Reading | None:
    """The reading of a line; None where it is none, as after a line that was cut."""
    try:
        told = orjson.loads(line)
        counters, gauges = _tabled(told["counters"]), _tabled(told["gauges"])
        return Reading(told["turned"], told["ready"], counters, gauges, started=told["started"])
    except (ValueError, KeyError):
        return None


def _listed(counts: Mapping[str, Mapping[tuple[str, ...], float]]) -> dict[str, list[Any]]:
    return {name: [[labels, number] for labels, number in values.items()] for name, values in counts.items()}


def _tabled(told: Any) -> dict[str, dict[tuple[str, ...], float]]:
    return {name: {tuple(labels): number for labels, number in values} for name, values in told.items()}
