"""The cached registry on a stage: events that name what it knows, how often it is fetched, why letters were written."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.way.events import confluent, custom
from tests.way.stage import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message

    from worker.sandbox.serve import RunningSandbox

FETCHES = {"method": "GET", "path": "service_bindings"}
"""What a fetch of the directory asks: a fault of these leaves posts, and the rest of the control plane, alone."""
DOWN: dict[str, Any] = {"match": FETCHES, "action": {"status": 503}}


def scored(name: str, asset: str = "action", binding: str | None = None) -> bytes:
    """An event of one row that is told apart by its scoring id."""
    return confluent({**custom(asset=asset), "scoring_id": name, "binding": binding})


class Fetches:
    """Counts the fetches of the directory where they arrive, by a fault that harms nobody (and would hide `DOWN`)."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self._sandbox = sandbox
        sandbox.fault({"match": {"method": "GET", "path": "service_bindings$"}, "action": {"delay_ms": 1}})

    @property
    def count(self) -> int:
        """Fetches that have arrived so far."""
        return int(self._sandbox.stats()["faults"].get("delay", 0))

    def wait(self) -> None:
        """Until a worker that fetches again and again works with a directory whose fetch begins after this."""
        before = self.count
        # the first may have begun before, the second ends before the third begins
        until(lambda: self.count >= before + 3, "a newer directory")


def codes(letters: Sequence[Message]) -> Counter[tuple[str, str]]:
    """How often each disposition with its code is given as the reason."""
    return Counter(
        (added["__dlq.errors.disposition"].decode(), added["payload-worker.error.code"].decode())
        for added in map(added_headers, letters)
    )


def added_headers(letter: Message) -> dict[str, Any]:
    """A letter's headers by name."""
    found: Any = letter.headers() or ()
    return dict(found)
