"""Puts results into docs/performance.md and docs/scaling.md, between marks; people write the words around them.

A part begins with `<!-- bench: NAME -->` and ends with `<!-- /bench -->`; its names are the keys of `PARTS`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench import scaling, tables
from bench.chart import Bar, Panel, svg
from bench.contenders import NO_PEERS, WORKER
from bench.events import SHARED
from bench.report import RESULTS, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.report import Document

DOCS: Final = Path(__file__).parents[1] / "docs"
NAMES: Final = ("performance.md", "scaling.md")
PLOT: Final = "performance.svg"
MARK: Final = re.compile(r"(<!-- bench: ([\w ]+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def main(*, check: bool, results: Path = RESULTS, docs: Path = DOCS) -> int:
    """Write what differs, or only name it; 1 where `check` and something differs."""
    stale = [path for path, text in made(read(results), docs).items() if not path.exists() or path.read_text() != text]
    for path, text in made(read(results), docs).items():
        if path in stale and not check:
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{path.name}: {'is not what the results say' if check else 'written'}", file=sys.stderr)
    return 1 if check and stale else 0


def made(results: Mapping[str, Document], docs: Path) -> dict[Path, str]:
    """The files as the results want them; the plot only where there is a comparison."""
    found = {docs / name: filled((docs / name).read_text(encoding="utf-8"), results) for name in NAMES}
    if "compare" in results:
        found[docs / PLOT] = plot(results["compare"])
    return found


def filled(text: str, results: Mapping[str, Document]) -> str:
    """A document with every marked part made anew; raises `KeyError` for a part that there is none of."""
    return MARK.sub(lambda found: f"{found[1]}\n{_part(found[2], results)}\n\n{found[3]}", text)


def _part(name: str, results: Mapping[str, Document]) -> str:
    scenario, write = PARTS[name]
    if scenario not in results:
        how = "compare --full" if scenario == "compare" else scenario
        return f"Not measured yet: `python -m bench {how} --keep`."
    return write(results)


def _whole(scenario: str) -> Callable[[Mapping[str, Document]], str]:
    """When and where, what was measured, and the goals."""

    def write(results: Mapping[str, Document]) -> str:
        document = results[scenario]
        parts = [f"Measured {tables.head(document)}.", _figures(document)]
        if document["verdicts"]:
            parts.append(tables.verdicts(document).markdown())
        return "\n\n".join(part for part in parts if part)

    return write


def _figures(document: Document) -> str:
    if "stages" in document:
        return tables.stages(document).markdown()
    if document["scenario"] == "adaptive":
        return matrix(document).markdown()
    if "ages" in document:
        return ages(document).markdown()
    return tables.summary(document).markdown()


def matrix(document: Document) -> tables.Table:
    """Records a second of every setting before every endpoint."""
    runs: Sequence[Document] = document["runs"]
    endpoints = list(dict.fromkeys(run["endpoint"] for run in runs))
    names = sorted({run["contender"] for run in runs}, key=_setting)
    cells: dict[tuple[str, str], list[float]] = {(run["contender"], run["endpoint"]): [] for run in runs}
    for run in runs:
        cells[run["contender"], run["endpoint"]].append(run["rate"])
    rows = [[name, *(tables.spread(cells[name, where], tables.thousands) for where in endpoints)] for name in names]
    rows += [[name, *[reason] * len(endpoints)] for name, reason in document["missing"].items()]
    return tables.Table(["records/s", *endpoints], rows)


def _setting(name: str) -> tuple[bool, int]:
    """Fixed numbers in their order, and what is none at the end."""
    number = name.rpartition(" ")[2]
    return (not number.isdigit(), int(number) if number.isdigit() else 0)


def ages(document: Document) -> tables.Table:
    """How old records were, by endpoint: medians of the rounds."""
    names = {"p50_ms": "p50", "p90_ms": "p90", "p99_ms": "p99", "max_ms": "oldest"}
    found: dict[str, list[dict[str, Any]]] = document["ages"]
    rows = [
        [f"{latency} ms", *(f"{median(each[name] for each in of):.0f} ms" for name in names)]
        for latency, of in found.items()
    ]
    return tables.Table(["endpoint", *names.values()], rows)


def plot(document: Document) -> str:
    """The comparison at its first endpoint as bars."""
    first = document["runs"][0]["endpoint"]
    where = min((run["endpoint"] for run in document["runs"]), key=lambda name: int(name.split()[0]), default=first)
    measures = {"rate": ("records/s", tables.thousands), "cpu_per_100k": ("CPU s / 100,000", "{:.2f}".format)}
    panels = []
    for measure, (title, form) in measures.items():
        for kind in SHARED:
            runs = [run for run in document["runs"] if (run["kind"], run["endpoint"]) == (kind, where)]
            panels.append(Panel(f"{kind} events, endpoint {where}: {title}", _bars(runs, measure, form)))
    return svg(panels)


def _bars(runs: Sequence[Document], measure: str, form: Callable[[float], str]) -> list[Bar]:
    found: dict[str, list[float]] = {}
    for run in runs:
        found.setdefault(run["contender"], []).append(run[measure])
    colours = {WORKER.name: "ours", **dict.fromkeys(NO_PEERS, "limit")}
    bars = [
        Bar(name, median(of), min(of), max(of), form(median(of)), colours.get(name, "peer"))
        for name, of in found.items()
    ]
    return sorted(bars, key=lambda bar: bar.median, reverse=measure == "rate")


PARTS: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Document]], str]]]] = {
    **{
        name: (name, _whole(name))
        for name in ("compare", "subscriptions", "latency", "backlog", "processes", "adaptive", "stages")
    },
    "scaling cost": ("compare", lambda results: scaling.measured(results).markdown()),
    "scaling plan": ("compare", lambda results: scaling.plan(results).markdown()),
}
