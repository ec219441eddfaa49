"""`payload-worker dlq redrive`, `park` and `export`: they say what they will do, ask, and can be run again."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.console import DATA, UNAVAILABLE, AsJson, ConfigFile, DryRun, Yes, assure, fail, progress
from worker.dlq.box import Choice
from worker.dlq.encoding import Encoder
from worker.dlq.exporting import ExportError, as_files, as_lines
from worker.dlq.headers import PARKED, PARKING
from worker.dlq.looking import counted, tell_unread
from worker.dlq.pacing import Pace
from worker.dlq.patch import patch as read_patch
from worker.dlq.progress import NoProgress, Progress, group_name
from worker.dlq.redriving import Redrive, Successors, Tally
from worker.dlq.sending import REDRIVES, Outgoing, Repair, Sender, Sources
from worker.dlq.session import Filters, Payload, Session, Since, Topics, Until, WithParked, chosen, session
from worker.dlq.showing import clean, document, rows, table
from worker.dlq.where import Where
from worker.dlq.writing import Writer
from worker.edges.cluster import ClusterError, describe, limits
from worker.edges.schemas import reader_schema
from worker.rooms.identity import Identity
from worker.rooms.suite import Suite
from worker.topics.spans import Bounds
from worker.topics.times import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.dlq.box import Box, Positions
    from worker.dlq.letters import Letter

STOPPED = 75
"""Exit code: a signal ended it before all was done; the same command does the rest."""

PatchFile = Annotated[
    Path | None,
    typer.Option("--patch", "-p", help="A repair in TOML, made to each event before it is sent (docs/operations.md)."),
]


def _finite(value: float | None) -> float | None:
    """A rate; that not every float is one, the option's bounds do not see."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no rate")
    return value


Rate = Annotated[float | None, typer.Option(min=0.1, callback=_finite, help="Records a second, at most.")]
Most = Annotated[int | None, typer.Option("--max", min=1, help="Records at all, at most.")]


def redrive(
    *,
    topics: Topics = None,
    filters: Filters = None,
    since: Since = None,
    until: Until = None,
    patch: PatchFile = None,
    rate: Rate = None,
    most: Most = None,
    redrives: Annotated[
        int, typer.Option("--max-redrives", min=1, help="A record that was sent back so often stays where it is.")
    ] = REDRIVES,
    again: Annotated[bool, typer.Option("--again", help="From the beginning, also what this sent before.")] = False,
    config: ConfigFile = None,
    with_parked: WithParked = False,
    payload: Payload = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send letters back to the topic they came from, with their identity, so that nothing is stored twice.

    The same command goes on where it ended. Exit 65: letters that were meant were not sent; 75: it was stopped.
    """
    choice = chosen(filters, since, until)
    with session(config) as opened:
        meant = opened.topics(topics)
        source = _file(patch)
        repair = None if source is None else _repair(opened, source)
        box = opened.box(meant, choice, with_parked=with_parked)
        sender = Sender(_sources(opened), redrives, repair, opened.opener.own_id)
        kept = _kept(opened, meant, choice, source, with_parked, redrives)
        positions = {} if again else kept.read(box.spans)
        work = Redrive(box, sender, _successors(opened, meant), most)
        plan = work.plan(positions)
        _say(plan, "to send", payload=payload, quiet=as_json)
        unreadable = dict(box.unread.why)
        if not as_json:
            tell_unread(box)
        _warn_of_age(opened, plan)
        done = Tally()
        if plan.sent.total and not dry_run:
            assure(f"Send {plan.sent.total:,} records back to {', '.join(opened.settings.kafka.topics)}?", yes=yes)
            done = _run(Writer(opened.settings.kafka), work, positions, kept, rate=rate, total=plan.sent.total)
    result = plan if dry_run or not plan.sent.total else done
    _ended(result, kept.group, unreadable, dry_run=dry_run, as_json=as_json)


def _run(
    writer: Writer, work: Redrive, positions: Positions, kept: Progress | NoProgress, *, rate: float | None, total: int
) -> Tally:
    sent = 0

    def advance(count: int) -> None:
        nonlocal sent
        sent += count
        bar.update(task, advance=count)

    try:
        with progress() as bar, Pace(rate) as pace:
            task = bar.add_task("sending", total=total)
            return work.run(positions, writer, kept.write, pace, advance)
    except ClusterError as error:
        raise ClusterError(f"{error}; {sent:,} letters were done before: run it again for the rest") from None
    finally:
        writer.close()


def _kept(opened: Session, topics: Sequence[str], choice: Choice, *decides: object) -> Progress | NoProgress:
    """Where progress is kept: in another group wherever another letter might be passed over.

    A filter by subscription goes by the directory, which may name tomorrow what it does not know today.
    """
    if choice.where.names("subscription"):
        return NoProgress()
    kafka = opened.settings.kafka
    return Progress(kafka, group_name(kafka.group_id, topics, choice.where, choice.since, choice.until, *decides))


def _ended(tally: Tally, group: str | None, unreadable: dict[str, int], *, dry_run: bool, as_json: bool) -> None:
    """Say what was done, and end with the exit code that says whether it was all."""
    verb = "would be sent" if dry_run else "sent"
    if as_json:
        told = {
            "dry_run": dry_run,
            "sent": 0 if dry_run else tally.sent.total,
            "would_send": tally.sent.total if dry_run else None,
            "withheld": dict(tally.withheld),
            "parked": tally.parked,
            "unreadable": unreadable,
            "stopped": tally.stopped,
            "group": group,
        }
        typer.echo(document(told))
    else:
        where = f"; progress is kept in the group {group}" if group else "; no progress is kept of a subscription's"
        typer.echo(f"{tally.sent.total:,} {verb}" + ("" if dry_run else where))
    if tally.stopped:
        fail(STOPPED, "stopped: run the same command again for the rest")
    if tally.unsent and not dry_run:
        reasons = ", ".join(f"{count:,} {code}" for code, count in tally.withheld.most_common() if code != "untouched")
        fail(DATA, f"{tally.unsent:,} letters were not sent ({reasons}); they stay where they are")


def _warn_of_age(opened: Session, plan: Tally) -> None:
    """Say if Kafka may delete what goes back before a worker has read it: it goes by the records' own time."""
    kafka = opened.settings.kafka
    oldest = min((group.first for group in plan.sent.largest() if group.first >= 0), default=None)
    if oldest is None:
        return
    try:
        found = limits(kafka, kafka.topics)
    except ClusterError:
        return  # no right to ask
    age = time.time() * 1000 - oldest
    for topic, each in found.items():
        if 0 <= each.retention_ms < age and not each.by_log_time:
            typer.echo(
                f"careful: {topic} does not keep records as old as the oldest of these ({shown(oldest)}): have the "
                f"workers run, or raise its retention.ms until they have read them",
                err=True,
            )


def _say(tally: Tally, what: str, *, payload: bool, quiet: bool) -> None:
    """The plan."""
    if quiet:
        return
    typer.echo(f"{what}: {tally.sent.total:,}" + (f" ({tally.parked:,} more are parked)" if tally.parked else ""))
    if tally.sent.total:
        typer.echo(table(rows(tally.sent)))
    for code, count in tally.withheld.most_common():
        typer.echo(f"not sent: {count:,} {code}: {clean(tally.reasons[code])}")
    for change, count in tally.changed.most_common():
        typer.echo(f"patch: {clean(change)}, in {count:,} events")
    for place, done in tally.examples:
        typer.echo(f"  {place}")
        for each in done:
            typer.echo(f"    {clean(str(each.change))} ({each.count:,} values)")
            for old, new in each.pairs if payload else ():
                typer.echo(clean(f"      - {document(old)} + {document(new)}"))


def _repair(opened: Session, source: bytes) -> Repair:
    settings = opened.settings
    suite = Suite(opened.opener.decoder, Identity("", {}), settings.limits.record_bytes)
    found = read_patch(source)
    return Repair(found, opened.opener, Encoder(reader_schema()), suite, opened.directory())


def _file(path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        fail(DATA, f"{path}: {error.strerror}")


def _sources(opened: Session) -> Sources:
    """The topics of events; raises `ClusterError` where one is not there."""
    kafka = opened.settings.kafka
    cluster = describe(kafka, kafka.topics)
    cluster.require(kafka.topics)
    ends = {(each.topic, each.partition): each.end for each in opened.reader.find(kafka.topics, Bounds())}
    return Sources(cluster.partitions, cluster.topic_ids, ends)


def _successors(opened: Session, topics: Sequence[str]) -> Successors:
    """Events that were sent back and refused again, whatever the filter says."""
    found = Successors()
    box = opened.box(topics, Choice(Where()), with_parked=True)
    with progress() as bar:
        task = bar.add_task("reading", total=box.count)
        for each in box.read():
            for letter, _ in each.letters:
                found.add(letter.told)
            bar.update(task, advance=each.read)
    return found


def park(
    *,
    topics: Topics = None,
    filters: Filters = None,
    since: Since = None,
    until: Until = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Copy letters to <dead-letter topic>.parked; the other commands leave them out from then on."""
    choice = chosen(filters, since, until)
    with session(config) as opened:
        meant = opened.topics(topics)
        partitions = _parking(opened, meant)
        box = opened.box(meant, choice, with_parked=False)
        groups, before = counted(box, ["disposition", "code"])
        typer.echo(f"to park: {groups.total:,}" + (f" ({before:,} are already)" if before else ""))
        tell_unread(box)
        if groups.total:
            typer.echo(table(rows(groups)))
        if dry_run or not groups.total:
            return
        assure(f"Copy {groups.total:,} letters to {', '.join(partitions)}?", yes=yes)
        fresh = opened.box(meant, choice, with_parked=False)  # without what somebody parked meanwhile
        fresh.spans = box.spans
        count, nameless = _park(opened, fresh, partitions)
    typer.echo(f"{count:,} parked")
    if nameless:
        fail(
            DATA, f"{nameless:,} letters were not parked: a header's name is not UTF-8, so that a copy would lose them"
        )


def _park(opened: Session, box: Box, partitions: dict[str, int]) -> tuple[int, int]:
    """How many were parked, and how many cannot be."""
    writer, count, nameless = Writer(opened.settings.kafka), 0, 0
    try:
        with Pace(None) as pace:
            for found in box.read():
                copies = copies_of([letter for letter, _ in found.letters], partitions)
                nameless += len(found.letters) - len(copies)
                if not pace(len(copies)):
                    fail(STOPPED, f"stopped: {count:,} are parked; run the same command again for the rest")
                large = writer.write(copies)
                count += len(copies) - len(large)
                if large:
                    raise ClusterError(f"{large[0].topic} takes no record of that size; {count:,} are parked")
    finally:
        writer.close()
    return count, nameless


def copies_of(letters: Sequence[Letter], partitions: Mapping[str, int]) -> list[Outgoing]:
    """What is written to the parking topics, which have so many partitions; without letters that would lose headers."""
    return [_copy(letter, partitions) for letter in letters if not letter.nameless]


def _copy(letter: Letter, partitions: Mapping[str, int]) -> Outgoing:
    topic = letter.topic + PARKING
    headers = [*(pair for pair in letter.headers if pair[0] != PARKED), (PARKED, letter.place.encode())]
    return Outgoing(topic, letter.partition % partitions[topic], letter.timestamp_ms, letter.key, letter.value, headers)


def _parking(opened: Session, topics: Sequence[str]) -> dict[str, int]:
    """The parking topics and their partitions; ends the program where one is not there."""
    kafka = opened.settings.kafka
    found = describe(kafka, [*topics, *(topic + PARKING for topic in topics)]).partitions
    missing = [topic for topic in topics if not found[topic + PARKING]]
    if missing:
        ways = "; ".join(
            f"kafka-topics.sh --bootstrap-server {kafka.bootstrap_servers} --create --topic {topic}{PARKING} "
            f"--partitions {max(1, found[topic])} --config retention.ms=-1"
            for topic in missing
        )
        fail(UNAVAILABLE, f"no such topic: {', '.join(topic + PARKING for topic in missing)}; create it ({ways})")
    return {topic: found[topic] for topic in (each + PARKING for each in topics)}


def export(
    to: Annotated[
        Path, typer.Argument(help="A file of JSON Lines, or with --files a directory; neither may be there.")
    ],
    *,
    topics: Topics = None,
    filters: Filters = None,
    since: Since = None,
    until: Until = None,
    files: Annotated[
        bool, typer.Option("--files", help="A file for each value, and one for what is told of it.")
    ] = False,
    config: ConfigFile = None,
    with_parked: WithParked = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Write letters to disk: values as base64 in JSON Lines, or a file each.

    They are people's data: what is written is readable by you alone, and yours to protect and to delete.
    """
    choice = chosen(filters, since, until)
    with session(config) as opened:
        meant = opened.topics(topics)
        box = opened.box(meant, choice, with_parked=with_parked)
        groups, _ = counted(box, ["disposition", "code"])
        typer.echo(f"to export: {groups.total:,}")
        tell_unread(box)
        if groups.total:
            typer.echo(table(rows(groups)))
        if dry_run:
            return
        assure(f"Write {groups.total:,} letters, with their payloads, to {to}?", yes=yes)
        letters = (letter for found in box.read() for letter, _ in found.letters)
        try:
            count = as_files(to, letters) if files else as_lines(to, letters)
        except ExportError as error:
            fail(DATA, error)
    typer.echo(f"{count:,} exported to {to}")
