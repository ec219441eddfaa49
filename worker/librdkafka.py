"""librdkafka's own settings, passed through by their own names: all but those that break the guarantee."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_KEPT = "the worker commits what is settled, and nothing else"
_ACKNOWLEDGED = "a dead-lettered record counts once all replicas have acknowledged it"
_GUARANTEE = {
    "enable.auto.commit": _KEPT,
    "enable.auto.offset.store": _KEPT,
    "group.protocol.type": "librdkafka fixes it",
    "group.id": "set kafka.group_id",
    "bootstrap.servers": "set kafka.bootstrap_servers",
    "metadata.broker.list": "set kafka.bootstrap_servers",
    "delivery.report.only.error": _ACKNOWLEDGED,
    "enable.idempotence": _ACKNOWLEDGED,
    "acks": _ACKNOWLEDGED,
    "request.required.acks": _ACKNOWLEDGED,
    "transactional.id": "the worker uses no transactions",
}
_CLASSIC_ONLY = ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy")
_UNDERSCORED = frozenset({"log_level"})
"""Names of librdkafka that have an underscore."""
SECRET = re.compile(r"password|secret|\.pem$|\.key$|token|userinfo")
"""Names of settings whose values are never shown."""


def _dotted(found: Any, prefix: str = "") -> Any:
    """Names of librdkafka, which are dotted, from TOML's nested tables and from the environment's underscores."""
    if not isinstance(found, dict):
        return found
    flat: dict[str, Any] = {}
    for key, value in found.items():
        name = prefix + (key if key in _UNDERSCORED else key.replace("_", "."))
        flat |= _dotted(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def _allowed(found: Any) -> Any:
    flat = _dotted(found)
    if not isinstance(flat, dict):
        return flat
    for name in flat:
        if name in _GUARANTEE:
            raise ValueError(f"{name} cannot be set: {_GUARANTEE[name]}")
        if name.startswith("on.") or name.endswith(".cb"):
            raise ValueError(f"{name} cannot be set: callbacks are the worker's")
        if name in _CLASSIC_ONLY and flat.get("group.protocol") == "consumer":
            raise ValueError(f"{name} is the broker's to set with group.protocol=consumer (KIP-848)")
    return flat


Librdkafka = Annotated[dict[str, str | int | float | bool], BeforeValidator(_allowed)]
