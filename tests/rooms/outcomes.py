"""What all rooms make of many records, good and broken: one hash, for two processes to compare.

`python -m tests.rooms.outcomes` prints which readers there are, and the hash.
"""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Final

from bench import events
from tests.rooms import fuzz
from worker.edges.schemas import load_schemas, shipped
from worker.extension import READERS
from worker.model import Claim, Envelope
from worker.rooms.decode import Decoder
from worker.rooms.directory import Binding, Directory, Subscription
from worker.rooms.identity import Identity
from worker.rooms.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLAIM: Final = Claim("t", 0)
_ENGINE: Final = "custom_machine_learning"


def digest(each: int = 200) -> str:
    """Of the rows and refusals of so many events of each kind, and of twice as many broken ones."""
    suite = Suite(Decoder(load_schemas(shipped(), {}), 1 << 20), Identity("c", {}), 1 << 20)
    subscription = Subscription("s", "b", events.asset_id("typed", 0), "", (), (), logging_enabled=True)
    directory = Directory([Binding("b", "b", _ENGINE)], [subscription], 0)
    envelopes = [Envelope(_CLAIM, at, 1000, None, value, ()) for at, value in enumerate(_values(each))]
    passed = suite.walk(envelopes, directory)
    found = hashlib.sha256(f"{len(passed.rows)} {len(passed.rejected)} {len(passed.unknown)}".encode())
    for row in passed.rows:
        found.update(b"%d %s\n" % (row.envelope.offset, row.payload))
    for refused in passed.rejected + passed.unknown:
        found.update(f"{refused.envelope.offset} {refused.refusal!r}\n".encode())
    return found.hexdigest()


def _values(each: int) -> Iterator[bytes]:
    chance = fuzz.chance_of(each)
    for kind in events.SHARED:
        for value in events.values(kind, each):
            yield value
            yield events.FRAMING + fuzz.broken(chance, value[len(events.FRAMING) :])
            yield fuzz.broken(chance, value)


if __name__ == "__main__":
    sys.stdout.write(f"{READERS} {digest()}\n")
