"""What commands print: tables for people, JSON for programs; both already masked where they come in."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.control.masking import masked, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from worker.control.plane import Plane, Written

# as wide as need be where it is not a terminal: ids are there to be cut out
_NO_WIDTH = 10_000


def document(found: Any) -> None:
    """One JSON document, without its secrets."""
    sys.stdout.write(json.dumps(masked(found), indent=2, ensure_ascii=False) + "\n")


def line(text: str) -> None:
    """A line, as long as it is."""
    sys.stdout.write(printable(text) + "\n")


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; a cell that is None or empty is shown as a dash. Secrets are the caller's to mask."""
    shown = Table(*names, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in shown.columns:
        column.overflow = "fold"
    for row in rows:
        shown.add_row(*(Text(cell(each)) for each in row))
    _console().print(shown)


def pairs(found: Mapping[str, object]) -> None:
    """Names, and what each is."""
    width = max(map(len, found))
    for name, value in found.items():
        line(f"{name:<{width}}  {cell(value)}")


def cell(value: object) -> str:
    """A value as one cell: texts as they are, everything else as JSON."""
    if value is None or value in ("", [], {}):
        return "-"
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def told(plane: Plane, text: str, found: Mapping[str, Any], *, as_json: bool) -> None:
    """What a command did; in a dry run what it would have sent, without secrets."""
    if plane.dry and plane.written:
        _requests(plane.written, as_json=as_json)
    elif as_json:
        document(found)
    else:
        line(text)


def _requests(written: Sequence[Written], *, as_json: bool) -> None:
    if as_json:
        document({"dry_run": [{"method": each.method, "path": each.path, "body": each.body} for each in written]})
        return
    for each in written:
        line(f"would {each.method} {each.path}")
        if each.body is not None:
            document(each.body)


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_NO_WIDTH)
