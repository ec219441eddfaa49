"""An audit's end, for people and as one JSON document; written as it comes, for it may be long."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from worker.audit.fates import GAPS, MEANINGS, Fate
from worker.topics.times import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from worker.audit.auditing import Asked, Counts
    from worker.audit.fates import Range
    from worker.topics.spans import Span

ALONE = "(unpaired-"
"""In the reason of half a scoring whose other half is not in Kafka."""

_SINGLE = 10
"""Gaps of one partition that are repaired one by one; more are repaired by one replay of all that lies between."""


class Repairs:
    """The replays that close gaps. What is stored already is not changed by them.

    What is refused and has no letter gets one: those replays are told to dead-letter. `config`: the settings' file.
    `paired`: topics in which two records are one scoring, so that a replay has to span all gaps of a partition; `reach`
    says to which offsets, where halves lie outside of what was audited. A half without the other is not to be repaired.
    """

    def __init__(
        self,
        subscription: str | None,
        config: Path | None = None,
        paired: Collection[str] = (),
        reach: Mapping[tuple[str, int], tuple[int, int]] | None = None,
    ) -> None:
        self._subscription = subscription
        self._config = config
        self._paired = paired
        self._reach = reach or {}
        self._gaps: defaultdict[tuple[str, int, bool], list[tuple[int, int]]] = defaultdict(list)

    def add(self, gap: Range) -> None:
        """Take a gap in, partitions and offsets in order."""
        if ALONE in gap.why:
            return
        known = self._gaps[gap.topic, gap.partition, gap.fate is Fate.NO_LETTER]
        known.append((gap.first, gap.last))
        if gap.topic in self._paired:
            low, high = self._reach.get((gap.topic, gap.partition), known[0])
            known[:] = [(min(low, known[0][0]), max(high, gap.last))]
        elif len(known) > _SINGLE:
            known[:] = [(known[0][0], known[-1][1])] * _SINGLE  # a mark that they are too many: all alike

    def commands(self) -> Iterator[str]:
        """Command lines, for a shell."""
        for (topic, partition, letters), gaps in self._gaps.items():
            for first, last in dict.fromkeys(gaps):
                flags = ["--topic", topic, "--partition", str(partition)]
                flags += ["--offset-from", str(first), "--offset-to", str(last + 1)]
                flags += ["--subscription", self._subscription] if self._subscription else []
                flags += ["--config", str(self._config)] if self._config else []
                flags += ["--dead-letter"] if letters else []
                yield shlex.join(["payload-worker", "replay", *flags])


def told(counts: Counts, spans: Iterable[Span]) -> dict[str, Any]:
    """The counts as JSON has them; `delivered` is below the committed offset and not dead-lettered."""
    fates = counts.fates
    missing = sum(fates[each] for each in GAPS)
    return {
        "produced": counts.produced,
        "dead_lettered": fates[Fate.DEAD_LETTERED],
        "delivered": fates[Fate.HELD] + missing,
        "open": fates[Fate.OPEN],
        "unread": fates[Fate.UNREAD],
        "held": fates[Fate.HELD],
        "missing": missing,
        "pairs": counts.books.pairs,
        "same_scoring_id": counts.books.duplicates,
        "redriven": counts.books.copies,
        "left_out": counts.aside,
        "letters_without_place": counts.placeless,
        "letters_of_topics_before": counts.before,
        "rows_held": counts.books.rows_held,
        "rows_of_subscriptions": counts.rows,
        "spans": [
            {"topic": each.topic, "partition": each.partition, "offset_from": each.begin, "offset_to": each.end}
            for each in spans
        ],
    }


def as_json(
    counts: Counts, spans: Iterable[Span], ranges: Iterable[Range], repairs: Repairs, write: Callable[[str], object]
) -> None:
    """One document; `not_held` has ranges, each a line, whose `offset_to` is exclusive as everywhere."""
    write(json.dumps(told(counts, spans))[:-1] + ', "not_held": [')
    comma = "\n"
    for each in ranges:
        _note(repairs, each)
        write(comma + json.dumps(_range(each)))
        comma = ",\n"
    write('],\n"repair": ' + json.dumps(list(repairs.commands())) + "}\n")


def _range(each: Range) -> dict[str, Any]:
    place = {"topic": each.topic, "partition": each.partition, "offset_from": each.first, "offset_to": each.last + 1}
    return {**place, "events": each.count, "fate": str(each.fate), "why": each.why}


def _note(repairs: Repairs, each: Range) -> None:
    if each.fate in GAPS:
        repairs.add(each)


def as_text(
    asked: Asked, counts: Counts, ranges: Iterable[Range], repairs: Repairs, write: Callable[[str], object]
) -> None:
    """Counts, then what is not held, then what to do."""
    since, until = asked.bounds.since, asked.bounds.until
    span = f"from {shown(since) if since is not None else '-'} to {shown(until) if until is not None else '-'}"
    write(f"{', '.join(asked.topics)} {span}\n")
    for name, number in told(counts, ()).items():
        if isinstance(number, int) and (number or name in _ALWAYS):
            write(f"{number:>12,}  {_NAMES[name]}\n")
    for own, rows in counts.rows.items():
        write(f"{rows:>12,}  rows in all of subscription {own}\n")
    last = None
    for each in ranges:
        _note(repairs, each)
        if each.fate is not last:
            write(f"{each.fate}: {MEANINGS[each.fate]}\n")
        last = each.fate
        more = f", {each.count} events" if each.count > 1 else ""
        write(f"    {each}{more}{': ' if each.why else ''}{each.why}\n")
    commands = list(repairs.commands())
    if commands:
        write("to repair, send again what is missing (what is stored is not changed):\n")
    for command in commands:
        write(f"    {command}\n")


_ALWAYS = ("produced", "dead_lettered", "delivered", "open", "held", "missing")
_NAMES = {
    "produced": "produced",
    "dead_lettered": "dead-lettered",
    "delivered": "delivered: acknowledged by the group, not dead-lettered",
    "open": "open: at or above the group's committed offset",
    "unread": "unread: the group has no committed offset there",
    "held": "held by the data mart",
    "missing": "MISSING: acknowledged, but not held",
    "pairs": "scorings that are two of these records each: a request and a response",
    "same_scoring_id": "with a scoring id that another one of them has",
    "redriven": "records sent back from the dead-letter topic, counted where they were first",
    "left_out": "left out: of another subscription, or of none that is known",
    "letters_without_place": "dead letters that do not tell where their record was: events may be missing for them",
    "letters_of_topics_before": "dead letters of a topic of the same name that was deleted: of none of these events",
    "rows_held": "rows of these events in the data mart",
}
