"""What is made to go wrong between the workers and the data mart, and how often it did."""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING, Any, Self

from worker.sandbox.seed import connect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KINDS: Sequence[dict[str, Any]] = (
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"status": 500},
    {"reset": "before"},
    {"reset": "after"},
)
"""The last is the worst: the batch is stored, and the worker cannot know."""

_EACH = 8
_FIRST, _GAP = 2, 3


class Troubles:
    """Faults of an engine's posts: of its 3rd, 7th, 11th … one each, of every kind in turn."""

    def __init__(self, url: str, subscriptions: Mapping[str, str]) -> None:
        self._client = connect(url)
        self._rules = {
            engine: [self._told(rule) for rule in rules(subscription, start)]
            for start, (engine, subscription) in enumerate(subscriptions.items())
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def met(self) -> dict[str, int]:
        """How many posts of each engine went wrong; a rule is gone once it has had its one."""
        active = {each["id"] for each in self._client.get("/sandbox/faults").raise_for_status().json()["faults"]}
        return {engine: sum(number not in active for number in numbers) for engine, numbers in self._rules.items()}

    def _told(self, rule: dict[str, Any]) -> int:
        (added,) = self._client.post("/sandbox/faults", json=rule).raise_for_status().json()["faults"]
        return int(added["id"])


def rules(subscription_id: str, start: int) -> list[dict[str, Any]]:
    """The rules for posts of one subscription, beginning with the kind number `start`."""
    match = {"method": "POST", "path": "scoring_payloads$", "contains": subscription_id}
    return [
        {"match": match, "after": after, "times": 1, "action": KINDS[(start + number) % len(KINDS)]}
        for number, after in enumerate(islice(count(_FIRST, _GAP), _EACH))
    ]
