"""`payload-worker dlq list`, `show` and `explain`: what lies there, and why. They write nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.console import DATA, AsJson, ConfigFile, fail, progress
from worker.dlq.box import Choice, place_of
from worker.dlq.groups import Groups
from worker.dlq.letters import NAMES
from worker.dlq.session import USAGE, Filters, Payload, Session, Since, Topics, Until, WithParked, chosen, session
from worker.dlq.showing import clean, document, line, rows, table, whole
from worker.dlq.where import Where
from worker.topics.spans import Bounds

if TYPE_CHECKING:
    from worker.dlq.box import Box
    from worker.dlq.letters import Known, Letter

BY = "disposition,code,status,field,schema,service"


def list_letters(
    *,
    topics: Topics = None,
    filters: Filters = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="Letters at most.")] = 100,
    config: ConfigFile = None,
    with_parked: WithParked = False,
    as_json: AsJson = False,
) -> None:
    """List dead letters: where each lies, where it was first, and why it is there."""
    choice = chosen(filters, since, until)
    with session(config) as opened:
        box = opened.box(opened.topics(topics), choice, with_parked=with_parked)
        lines: list[dict[str, Any]] = []
        more = False
        for found in box.read():
            lines += [line(letter, facts) for letter, facts in found.letters[: limit + 1 - len(lines)]]
            if len(lines) > limit:
                more = True
                break
    if as_json:
        typer.echo(document({"letters": lines[:limit], "more": more, "unreadable": dict(box.unread.why)}))
        return
    typer.echo(table(lines[:limit]) or "no dead letters")
    tell_unread(box)
    if more:
        typer.echo(f"… more than {limit}: give --limit, --where or --from", err=True)


def explain(
    *,
    topics: Topics = None,
    filters: Filters = None,
    since: Since = None,
    until: Until = None,
    by: Annotated[str, typer.Option(help=f"What makes a group, by commas, of {', '.join(NAMES)}.")] = BY,
    config: ConfigFile = None,
    with_parked: WithParked = False,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by what they have in common, each group with its times and an example to `show`."""
    names = [name.strip() for name in by.split(",") if name.strip()]
    wrong = [name for name in names if name not in NAMES]
    if wrong or not names:
        fail(USAGE, f"--by: there is no name {', '.join(wrong) or '(none given)'}; there are {', '.join(NAMES)}")
    choice = chosen(filters, since, until)
    with session(config) as opened:
        asked = replace(choice, subscriptions="subscription" in names)
        box = opened.box(opened.topics(topics), asked, with_parked=with_parked)
        groups, parked = counted(box, names)
    if as_json:
        told = {"letters": groups.total, "parked": parked, "unreadable": dict(box.unread.why), "groups": rows(groups)}
        typer.echo(document(told))
        return
    typer.echo(table(rows(groups)) or "no dead letters")
    tell_unread(box)
    typer.echo(f"{groups.total:,} dead letters" + (f"; {parked:,} more are parked" if parked else ""), err=True)


def tell_unread(box: Box) -> None:
    """Say what a filter has left out because it could not be read."""
    if box.unread:
        typer.echo(clean(box.unread.line(box.choice.where)), err=True)


def counted(box: Box, names: list[str]) -> tuple[Groups, int]:
    """All letters of a box in groups, and how many are parked."""
    groups, parked = Groups(names), 0
    with progress() as bar:
        task = bar.add_task("reading", total=box.count)
        for found in box.read():
            parked += found.parked
            for letter, facts in found.letters:
                groups.add(letter, facts)
            bar.update(task, advance=found.read)
    return groups, parked


def show(
    place: Annotated[str, typer.Argument(help="topic:partition:offset of a dead letter, as list and explain say.")],
    config: ConfigFile = None,
    *,
    payload: Payload = False,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: its headers, and its event as far as it can be read; names and shapes, without values."""
    at = place_of(place)
    if at is None:
        fail(USAGE, f"{place} is not topic:partition:offset")
    with session(config) as opened:
        letter, facts = _letter(opened, at)
        found = whole(letter, facts, opened.opener.event(letter), payload=payload)
    if as_json:
        typer.echo(document(found))
        return
    for name, value in found.items():
        if name == "headers":
            typer.echo("headers:")
            typer.echo("".join(f"  {header}: {_plain(said)}\n" for header, said in value), nl=False)
        elif isinstance(value, dict):
            typer.echo(f"{name}:")
            typer.echo("".join(f"  {part}: {_plain(said)}\n" for part, said in value.items()), nl=False)
        else:
            typer.echo(f"{name}: {_plain(value)}")


def _letter(opened: Session, at: tuple[str, int, int]) -> tuple[Letter, Known]:
    topic, partition, offset = at
    bounds = Bounds(partition=partition, offset_from=offset, offset_to=offset + 1)
    box = opened.box([topic], Choice(Where()), with_parked=True)
    box.spans = opened.reader.find([topic], bounds)
    letters = [each for found in box.read() for each in found.letters]
    if not letters:
        fail(
            DATA, f"{topic}:{partition}:{offset}: there is no record: the topic has no longer, or not yet, that offset"
        )
    return letters[0]


def _plain(value: object) -> str:
    return "-" if value is None else clean(value if isinstance(value, str) else document(value))
