"""Results as tables: the same ones on a terminal and in documents."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bench.report import Document


@dataclass(frozen=True, slots=True)
class Table:
    """Texts in columns, the first to the left and the others to the right."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """For a terminal."""
        lines = [self.heads, *self.rows]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.heads))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def markdown(self) -> str:
        """For a document."""
        rule = ["---", *("---:" for _ in self.heads[1:])]
        return "\n".join(f"| {' | '.join(line)} |" for line in (self.heads, rule, *self.rows))


def summary(document: Document) -> Table:
    """Medians with their spread of every contender, kind and endpoint, fastest first; who is missing at the end."""
    groups: dict[tuple[str, str, str], list[Document]] = {}
    for run in document["runs"]:
        groups.setdefault((run["kind"], run["endpoint"], run["contender"]), []).append(run)
    kinds = list(dict.fromkeys((kind, endpoint) for kind, endpoint, _ in groups))
    order = sorted(groups, key=lambda key: (kinds.index(key[:2]), -median(_of("rate", groups[key]))))
    rows = [_row(key, groups[key]) for key in order]
    rows += [[name, "not measured: " + reason, *[""] * 6] for name, reason in document.get("missing", {}).items()]
    heads = ["contender", "events", "endpoint", "records/s", "CPU s / 100,000", "RSS MB", "posts", "start s"]
    return Table(heads, rows)


def _row(key: tuple[str, str, str], runs: Sequence[Document]) -> list[str]:
    kind, endpoint, contender = key
    return [
        contender,
        kind,
        endpoint,
        spread(_of("rate", runs), thousands),
        spread(_of("cpu_per_100k", runs), "{:.2f}".format),
        f"{max(_of('rss', runs)) / 1e6:.0f}",
        f"{median(_of('posts', runs)):,.0f}",
        f"{median(_of('start_seconds', runs)):.1f}",
    ]


def stages(document: Document) -> Table:
    """CPU microseconds a record, stage by stage, of each kind of event."""
    found: dict[str, dict[str, float]] = document["stages"]
    names = list(dict.fromkeys(name for spent in found.values() for name in spent))
    rows = [[name, *(f"{spent.get(name, 0):.2f}" for spent in found.values())] for name in names]
    rows.append(["sum", *(f"{sum(spent.values()):.2f}" for spent in found.values())])
    return Table(["CPU µs a record", *found], rows)


def verdicts(document: Document) -> Table:
    """Goals, what was measured, and whether they are met."""
    return Table(["", "goal", "measured", ""], [_verdict(each) for each in document["verdicts"]])


def _verdict(each: Document) -> list[str]:
    unit = f" {each['unit']}" if each["unit"] else ""
    measured = figure(each["median"])
    if each["least"] != each["most"]:
        measured += f" ({figure(each['least'])}-{figure(each['most'])})"
    met = {None: "", True: "met", False: "not met"}[each["met"]]
    return [each["what"], each["goal"] or "none", measured + unit, met]


def spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    """The median, and the least and the greatest where there are several."""
    if len(values) == 1:
        return form(values[0])
    return f"{form(median(values))} ({form(min(values))}-{form(max(values))})"


def figure(value: float) -> str:
    """A number with about three digits that count."""
    if not value:
        return "0"
    if abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004


def thousands(value: float) -> str:
    """A rate in thousands a second."""
    return f"{value / 1000:.1f}k"


def _of(name: str, runs: Iterable[Document]) -> list[Any]:
    return [run[name] for run in runs]


def head(document: Document) -> str:
    """When, of what commit and where it was measured, in a sentence."""
    machine = document["machine"]
    return (
        f"{document['date'][:10]}, commit `{document['commit']}`, {machine['cores']} cores of {machine['cpu']}, "
        f"{machine['memory_gb']} GB, {machine['system']}, Python {machine['python']}, "
        f"librdkafka {machine['librdkafka']}, {document['broker']}"
    )


def text(document: Document) -> str:
    """All of a result for a terminal."""
    parts = [f"{document['scenario']}: {head(document)}", "median (least-greatest)"]
    if document["runs"]:
        parts.append(summary(document).text())
    if "stages" in document:
        parts.append(stages(document).text())
    if document["verdicts"]:
        parts.append(verdicts(document).text())
    return "\n\n".join(parts)
