"""`mart rows`: what was stored of a subscription's payload, as the data mart gives it out (contract §5.2)."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from worker.control import session
from worker.control.commands.flags import AsJson, ConfigFile, InBinding, WhichSubscription
from worker.control.errors import UNAVAILABLE, ControlError
from worker.control.found import Subscription
from worker.control.lookups import subscription_of
from worker.control.plane import PAGE, Plane
from worker.control.screen import document, line, table

Page = tuple[list[str], list[list[Any]]]
_SHOWN = 10


def rows(
    which: WhichSubscription,
    config: ConfigFile = None,
    binding: InBinding = None,
    newest: Annotated[int | None, typer.Option(min=1, help="So many rows, the newest.", show_default="10")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All rows.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Only how many there are.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, with a line of names first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print stored payload, the newest first: as a table, as CSV or as JSON. It shows what your customers sent.

    Rows that arrive during a long export may make the data mart tell some rows twice.
    """
    if as_csv and as_json:
        raise typer.BadParameter("--csv or --json, not both")
    with session.plane(config) as plane:
        found = subscription_of(plane, which, binding)
        if count:
            return _count(_total(plane, found), found, as_json=as_json)
        pages = _pages(plane, found, None if everything else newest or _SHOWN)
        if as_csv:
            _csv(pages)
        elif as_json:
            document_of(found, _total(plane, found), pages)
        else:
            names, cells = _whole(pages)
            table(names, cells)
            line(f"{len(cells)} of {_total(plane, found)} rows")
    return None


def _count(total: int, found: Subscription, *, as_json: bool) -> None:
    if as_json:
        document({"subscription_id": found.id, "total_count": total})
    else:
        line(str(total))


def _total(plane: Plane, found: Subscription) -> int:
    total = plane.transactions(found, 1, 0, count=True).get("total_count")
    if not isinstance(total, int):
        raise ControlError("the data mart does not tell how many rows there are", UNAVAILABLE)
    return total


def _pages(plane: Plane, found: Subscription, most: int | None) -> Iterator[Page]:
    """Pages of rows until there are no more, or `most` rows; the first may be empty and has the names."""
    offset = 0
    while most is None or offset < most:
        limit = PAGE if most is None else min(PAGE, most - offset)
        names, page = _read(plane.transactions(found, limit, offset, count=False))
        yield names, page
        offset += len(page)
        if len(page) < limit:
            return


def _read(answer: dict[str, Any]) -> Page:
    """Names and rows; the data mart may give a row as a list or as an object."""
    names, values = answer.get("fields"), answer.get("values")
    if not isinstance(names, list) or not isinstance(values, list):
        raise ControlError("the data mart gives rows in another form than it should", UNAVAILABLE)
    rows = [[row.get(name) for name in names] if isinstance(row, dict) else row for row in values]
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        raise ControlError("the data mart gives rows that are not as wide as their names", UNAVAILABLE)
    return names, rows


def _whole(pages: Iterator[Page]) -> Page:
    names: list[str] = []
    found: list[list[Any]] = []
    for page_names, page in pages:
        names = names or page_names
        found += page if page_names == names else _ordered(names, page_names, page)
    return names, found


def _ordered(names: Sequence[str], given: Sequence[str], page: Sequence[list[Any]]) -> list[list[Any]]:
    """Rows of a page with other columns, under the names of the first; raises `ControlError` for a column too many."""
    if set(given) - set(names):
        raise ControlError("the table got new columns meanwhile; try again", UNAVAILABLE)
    return [[dict(zip(given, row, strict=True)).get(name) for name in names] for row in page]


def document_of(found: Subscription, total: int, pages: Iterator[Page]) -> None:
    """Rows as one JSON document; it is the payload itself, and nothing in it is masked."""
    names, cells = _whole(pages)
    whole = {"subscription_id": found.id, "total_count": total, "fields": names, "values": cells}
    sys.stdout.write(json.dumps(whole, ensure_ascii=False) + "\n")


def _csv(pages: Iterator[Page]) -> None:
    """Page by page, so that an export of any length fits; a list is its JSON, null an empty cell."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    names: list[str] = []
    for page_names, page in pages:
        if not names:
            names = page_names
            writer.writerow(names)
        for row in page if page_names == names else _ordered(names, page_names, page):
            writer.writerow([_plain(each) for each in row])


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | bool) else value
