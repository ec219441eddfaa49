"""The promise, checked while it runs: no commit passes a record that is still held here.

Ledgers count what is open; this looks at what is really held, in lanes, in flight, in letters. The two have nothing
in common, so that a fault in either does not go unseen.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from worker.model import Claim, Envelope

SHOWN = 5
"""Offsets that are named for each partition."""


def passed_over(marks: Mapping[Claim, int], held: Iterable[Envelope]) -> dict[Claim, Sequence[int]]:
    """The oldest offsets that a commit of `marks` would pass though their records are held, by claim."""
    found: defaultdict[Claim, list[int]] = defaultdict(list)
    for envelope in held:
        mark = marks.get(envelope.claim)
        if mark is not None and envelope.offset < mark:
            found[envelope.claim].append(envelope.offset)
    return {claim: sorted(offsets)[:SHOWN] for claim, offsets in found.items()}
