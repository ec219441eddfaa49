"""Which partitions are not read for a while, because records that cannot be settled now crowd out the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from worker.model import Claim


class Crowd:
    """Partitions full of records of subscriptions that fail, or not known yet, or not yet in the dead-letter topic.

    Each partition may have its share of half of all room so filled; the other half stays for what flows. Nothing else
    counts: a slow endpoint is no reason to pause a partition, for it costs the prefetch.
    """

    def __init__(self) -> None:
        self.claims: set[Claim] = set()
        """The claims that are not to be read now."""

    def look(self, stuck: Mapping[Claim, int], claims: Collection[Claim], room: int) -> None:
        """Decide anew, by the records of each claim that cannot be settled now; once a second is often enough.

        `room`: how many records may be open in all.
        """
        share = share_of(room, len(claims))
        full = {claim for claim in claims if stuck.get(claim, 0) >= share}
        still = {claim for claim in self.claims if claim in claims and stuck.get(claim, 0) > share // 2}
        self.claims = full | still


def share_of(room: int, claims: int) -> int:
    """Records of each claim that may wait and not be settled: together they take half of the room."""
    return max(1, room // 2 // max(1, claims))
