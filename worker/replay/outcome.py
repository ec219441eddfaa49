"""What came of a replay or a shadow run: counts, and how they are told."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.flow.flood import Stop
    from worker.replay.plan import Plan

THOUSAND = 1000

UNPAIRED = "unpaired-"
"""How the codes begin of halves of scorings that were given up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Events of this run. Each that was read was posted, skipped or refused, or is still `open`.

    `refused` counts by disposition and code, `first` has the place of the first of each. `rows` by subscription.
    `ended`: nothing is left to be read; `flood`: why the flood guard has stopped it. `halves` of scorings are open
    whose others were not read.
    """

    dry: bool
    ended: bool
    read: int
    posted: int
    batches: int
    skipped: int
    open: int
    rows: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    first: Mapping[str, str] = field(default_factory=dict)
    lettered: bool = False
    flood: Stop | None = None
    halves: int = 0

    @property
    def unpaired(self) -> int:
        """Halves of scorings that were refused, for their others have not come: none of them is dead-lettered."""
        return sum(count for kind, count in self.refused.items() if kind.partition("/")[2].startswith(UNPAIRED))

    @property
    def alone(self) -> int:
        """Halves of scorings that are neither posted nor dead-lettered, at the end of the run."""
        return self.halves + self.unpaired if self.ended else 0

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For people: a table."""
        would = "would be " if self.dry else ""
        yield _line("read", self.read)
        yield _line(f"{would}posted", self.posted, f"in {self.batches:,} batches to {len(self.rows):,} subscriptions")
        for subscription, count in sorted(self.rows.items(), key=_most):
            yield _line(f"  {subscription}", count)
        if self.skipped:
            yield _line("skipped", self.skipped, "of other subscriptions")
        yield _line(f"{would}refused", sum(self.refused.values()), self._letters() if self.refused else "")
        for kind, count in sorted(self.refused.items(), key=_most):
            yield _line(f"  {kind}", count, f"as {self.first[kind]}")
        if self.open:
            yield _line("left open", self.open, "to be read again")

    def _letters(self) -> str:
        if self.lettered:
            return "dead-lettered, but for unpaired halves" if self.unpaired else "dead-lettered"
        return (
            "" if self.dry else "not written anywhere: the live group has dead-lettered them (--dead-letter does too)"
        )

    def fields(self) -> dict[str, Any]:
        """For a line of the log."""
        refused = {kind: {"count": count, "first": self.first[kind]} for kind, count in self.refused.items()}
        told = {"read": self.read, "posted": self.posted, "batches": self.batches, "skipped": self.skipped}
        return {**told, "subscriptions": len(self.rows), "refused": refused}


def _most(row: tuple[str, int]) -> tuple[int, str]:
    return -row[1], row[0]


def _line(name: str, count: int, more: str = "") -> str:
    return f"{name:<40} {count:>12,}  {more}".rstrip()


def plan_lines(plan: Plan) -> Iterator[str]:
    """What is to be done, for people."""
    sampled = sum(records for records, _ in plan.sampled.values())
    total = 0
    for leg in plan.legs:
        size = plan.bytes_of(leg)
        total += size or 0
        deleted = f"; {leg.deleted:,} were deleted before they were replayed" if leg.deleted else ""
        done = f"; {leg.done:,} are done already" if leg.done else ""
        about = "" if size is None else f"  about {_size(size)}"
        yield f"  {leg.left}  {leg.left.count:,} offsets{about}{done}{deleted}"
    left = plan.offsets - plan.done
    about = f", about {_size(total)} by a sample of {sampled:,} events" if sampled else ""
    yield f"  in all {left:,} offsets, so no more events than that{about}"
    if plan.resumes and left:
        yield f"  goes on: {plan.done:,} of {plan.offsets:,} offsets are done already (--restart begins anew)"


def _size(count: int) -> str:
    """In thousands, as people say it."""
    for unit in ("bytes", "kB", "MB"):
        if count < THOUSAND:
            return f"{count:,} {unit}"
        count = round(count / THOUSAND)
    return f"{count:,} GB"
