"""Bars as SVG, written by hand: no library is needed to draw a rectangle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 460
NAMES: Final = 110
VALUES: Final = 70
LINE: Final = 22
HEAD: Final = 34
GAP: Final = 18
COLOURS: Final = {"ours": "#0f62fe", "limit": "#8d8d8d", "peer": "#a6c8ff"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A median with its least and greatest value; `colour` is a key of `COLOURS`, `label` the value in words."""

    name: str
    median: float
    least: float
    most: float
    label: str
    colour: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars of one measure under a title."""

    title: str
    bars: Sequence[Bar]

    @property
    def height(self) -> int:
        """In pixels."""
        return HEAD + LINE * len(self.bars)


def svg(panels: Sequence[Panel], columns: int = 2) -> str:
    """The panels row by row, as an SVG document with a white ground, that reads on dark pages too."""
    rows = [panels[at : at + columns] for at in range(0, len(panels), columns)]
    parts: list[str] = []
    top = GAP
    for row in rows:
        parts += [_panel(panel, GAP + at * (WIDTH + GAP), top) for at, panel in enumerate(row)]
        top += max(panel.height for panel in row) + GAP
    width = GAP + columns * (WIDTH + GAP)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" viewBox="0 0 {width} {top}" '
        'font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, f'<rect width="{width}" height="{top}" fill="#ffffff"/>', *parts, "</svg>", ""])


def _panel(panel: Panel, left: int, top: int) -> str:
    scale = (WIDTH - NAMES - VALUES) / max((bar.most for bar in panel.bars), default=1)
    lines = [
        f'<g transform="translate({left},{top})">',
        f'<text y="14" font-weight="bold">{escape(panel.title)}</text>',
    ]
    lines += [_bar(bar, HEAD + LINE * at, scale) for at, bar in enumerate(panel.bars)]
    return "\n".join([*lines, "</g>"])


def _bar(bar: Bar, top: int, scale: float) -> str:
    """A bar to the median, and a thin line from the least to the greatest value over its end."""
    middle = top + (LINE - 6) / 2
    width, least, most = bar.median * scale, NAMES + bar.least * scale, NAMES + bar.most * scale
    return "\n".join(
        [
            f'<text x="{NAMES - 6}" y="{middle + 4:.0f}" text-anchor="end">{escape(bar.name)}</text>',
            f'<rect x="{NAMES}" y="{top}" width="{width:.1f}" height="{LINE - 6}" fill="{COLOURS[bar.colour]}"/>',
            f'<path d="M{least:.1f} {middle}H{most:.1f}" stroke="#161616"/>',
            f'<text x="{most + 6:.1f}" y="{middle + 4:.0f}">{escape(bar.label)}</text>',
        ]
    )
