"""As much of PromQL as the runbook's alerts use, over scrapes of real workers.

An expression is sums, minima, maxima and counts, each of one metric or of its `increase` or `delta` over a range,
with numbers, `+ - * /` and one comparison between them. The range of an `increase` is what was scraped since the last
`Series.forget`: a test has no quarter of an hour. As in Prometheus a counter that appears is no increase: two scrapes
have to show it.
"""

from __future__ import annotations

import ast
import operator
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Key = tuple[str, frozenset[tuple[str, str]]]
_TERM: Final = re.compile(
    r"(?P<by>sum|min|max|count)\("
    r"(?:(?P<over>increase|delta)\()?"
    r"(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})?(?:\[\d+[smh]\])?"
    r"(?(over)\))\)"
)
_AGGREGATES: Final[Mapping[str, Callable[[Iterable[float]], float]]] = {
    "sum": sum,
    "min": min,
    "max": max,
    "count": lambda found: len(list(found)),
}
_OPERATORS: Final[Mapping[type, Callable[[float, float], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def names(expression: str) -> list[str]:
    """The metrics that an expression is about; raises `ValueError` where it is none."""
    _value(_TERM.sub("1", expression))
    return [found["name"] for found in _TERM.finditer(expression)]


def parsed(text: str, instance: str) -> dict[Key, float]:
    """A scrape of one worker, which is told by its `instance`."""
    return {
        (sample.name, frozenset({*sample.labels.items(), ("instance", instance)})): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Series:
    """What was scraped, in its order."""

    def __init__(self) -> None:
        self._scrapes: list[Mapping[Key, float]] = []

    def add(self, scrape: Mapping[Key, float]) -> None:
        """One more scrape, of all workers."""
        self._scrapes.append(scrape)

    def forget(self) -> None:
        """The range of an `increase` begins here."""
        del self._scrapes[:-1]

    def holds(self, expression: str) -> bool:
        """Whether an alert of this expression fires; without a series to look at it does not."""
        try:
            return bool(_value(_TERM.sub(lambda term: repr(self._term(term)), expression)))
        except LookupError:
            return False

    def _term(self, term: re.Match[str]) -> float:
        wanted = set(re.findall(r'(\w+)="([^"]*)"', term["labels"] or ""))
        keys = [key for key in self._scrapes[-1] if key[0] == term["name"] and wanted <= key[1]]
        over = {"increase": _increase, "delta": _delta, None: _last}[term["over"]]
        histories = [[each[key] for each in self._scrapes if key in each] for key in keys]
        found = [value for value in map(over, histories) if value is not None]
        if not found:
            raise LookupError(term["name"])
        return float(_AGGREGATES[term["by"]](found))


def _last(values: Sequence[float]) -> float | None:
    return values[-1]


def _increase(values: Sequence[float]) -> float | None:
    """The sum of all steps; after a restart a counter begins at 0."""
    steps = pairwise(values)
    return sum(new - old if new >= old else new for old, new in steps) if len(values) > 1 else None


def _delta(values: Sequence[float]) -> float | None:
    return values[-1] - values[0] if len(values) > 1 else None


def _value(expression: str) -> float:
    try:
        return float(_of(ast.parse(expression.strip(), mode="eval").body))
    except (SyntaxError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no expression that is understood: {expression}") from error


def _of(node: ast.AST) -> Any:
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]  # what is no number is told as such
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_of(node.operand)
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_of(node.left), _of(node.right))
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _OPERATORS[type(node.ops[0])](_of(node.left), _of(node.comparators[0]))
    raise TypeError(ast.dump(node))
