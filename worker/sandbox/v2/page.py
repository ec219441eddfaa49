"""A page of a data set's rows, as `GET …/records` is asked for it (contract §8): filtered, sorted, and in two formats.

    filter=age:gt:30,sector:in:a;b,status:nonnull    order=age:desc,sector    order=random&seed=0.5

Rows are read from the store page by page; only where they are to be filtered or sorted are all of them read.
"""

from __future__ import annotations

import random
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from worker.sandbox import intake
from worker.sandbox.errors import bad_request
from worker.sandbox.schema import payload_schema
from worker.sandbox.transactions import DEFAULT_PAGE, MAX_PAGE, row_cells
from worker.sandbox.v2.data_sets import id_of
from worker.sandbox.v2.wire import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from worker.sandbox.catalogue import DataMart, Subscription
    from worker.sandbox.store import Row, Store, TableKey

Cells = dict[str, Any]
_TIME: Final = "scoring_timestamp"
_RANDOM: Final = "random"
_FORMATS: Final = ("dict", "list")


class _Asked(NamedTuple):
    """Which rows are wanted, and in what order."""

    tests: list[Callable[[Cells], bool]]
    order: str
    seed: str | None

    @property
    def everything(self) -> bool:
        """The store's own pages are the ones that are asked for."""
        return not self.tests and not self.order


def page_of(request: Request, store: Store, mart: DataMart, subscription: Subscription) -> dict[str, Any]:
    """The answer to a query; `ApiError` 400 where it cannot be understood."""
    table, query = mart.table(subscription), request.query_params
    asked = _Asked(list(_tests(request)), query.get("order", ""), query.get("seed"))
    limit, offset = min(intake.integer(request, "limit", DEFAULT_PAGE), MAX_PAGE), intake.integer(request, "offset", 0)
    shape = query.get("format", "dict")
    if shape not in _FORMATS:
        raise bad_request("The query's format must be dict or list.")
    every = None if asked.everything else _asked_for(_all_rows(store, table), asked)
    rows = store.newest(table, limit, offset) if every is None else every[offset : offset + limit]
    columns = payload_schema(store.layouts(table), rows, subscription)
    names = _included(query.get("includes"), [column["name"] for column in columns])
    answer: dict[str, Any] = {"records": [_SHAPES[shape](row, names, mart, subscription) for row in rows]}
    if intake.flag(request, "include_total_count"):
        answer["total_count"] = store.count(table) if every is None else len(every)
    return answer


def _all_rows(store: Store, table: TableKey) -> list[Row]:
    rows: list[Row] = []
    while page := store.newest(table, MAX_PAGE, len(rows)):
        rows += page
    return rows


def _asked_for(rows: list[Row], asked: _Asked) -> list[Row]:
    found = [(cells, row) for cells, row in zip(map(row_cells, rows), rows, strict=True) if _passes(cells, asked)]
    if asked.order == _RANDOM:
        random.Random(asked.seed).shuffle(found)  # noqa: S311 - a sample, no secret
    elif asked.order:
        # from the last column to the first: each sort keeps the order of the one before among equals
        for column in reversed(asked.order.split(",")):
            name, _, way = column.rpartition(":") if column.endswith((":asc", ":desc")) else (column, "", "asc")
            found.sort(key=lambda each, name=name: _rank(each[0].get(name)), reverse=way == "desc")  # type: ignore[misc]
    return [row for _, row in found]


def _passes(cells: Cells, asked: _Asked) -> bool:
    return all(test(cells) for test in asked.tests)


def _rank(cell: object) -> tuple[int, Any]:
    """What cells of any types are sorted by: nothing, numbers, then texts."""
    match cell:
        case None:
            return 0, 0
        case int() | float():
            return 1, cell
        case str():
            return 2, cell
        case _:
            return 3, orjson.dumps(cell)


def _tests(request: Request) -> Iterator[Callable[[Cells], bool]]:
    """What rows are to be like, by `filter`, `start` and `end`."""
    query = request.query_params
    for given in filter(None, query.get("filter", "").split(",")):
        yield _test(given)
    start, end = query.get("start"), query.get("end")
    if start:
        yield lambda cells: str(cells[_TIME]) >= start
    if end:
        yield lambda cells: str(cells[_TIME]) < end


def _test(given: str) -> Callable[[Cells], bool]:
    """One condition: `{column}:{operator}:{value}`, or `{column}:null`."""
    for operator in ("null", "nonnull"):
        if given.endswith(f":{operator}"):
            name = given.removesuffix(f":{operator}")
            return lambda cells: (cells.get(name) is None) == (operator == "null")
    found = _CONDITION.fullmatch(given)
    if found is None:
        raise bad_request("The query's filter must be a list of column:operator:value.")
    name, operator, value = found.groups()
    return lambda cells: _COMPARED[operator](cells.get(name), value)


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[object, str], bool]:
    """A comparison of a cell with a text, which stands for a number where the cell is one."""

    def test(cell: object, value: str) -> bool:
        if cell is None:
            return False
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            try:
                return compare(cell, float(value))
            except ValueError:
                return False
        return compare(cell if isinstance(cell, str) else orjson.dumps(cell).decode(), value)

    return test


def _like(cell: str, pattern: str) -> bool:
    """`%` is at least one character, `_` exactly one; a shell's pattern takes no more time than the text is long."""
    return fnmatchcase(cell, "".join(_PARTS.get(char, char) for char in pattern))


_PARTS: Final = {"%": "?*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
_equal = _compared(lambda cell, value: cell == value)
_COMPARED: Final[dict[str, Callable[[object, str], bool]]] = {
    "eq": _equal,
    "gt": _compared(lambda cell, value: cell > value),
    "gte": _compared(lambda cell, value: cell >= value),
    "lt": _compared(lambda cell, value: cell < value),
    "lte": _compared(lambda cell, value: cell <= value),
    "like": lambda cell, value: isinstance(cell, str) and _like(cell, value),
    "in": lambda cell, value: any(_equal(cell, each) for each in value.split(";")),
}
_CONDITION: Final = re.compile(rf"(.+?):({'|'.join(_COMPARED)}):(.*)", re.DOTALL)


def _included(given: str | None, names: list[str]) -> list[str]:
    """The columns that `includes` names, or all."""
    wanted = None if not given else given.split(",")
    return names if wanted is None else [name for name in names if name in wanted]


def _as_dict(row: Row, names: list[str], mart: DataMart, subscription: Subscription) -> dict[str, Any]:
    cells = row_cells(row)
    kind = f"data_sets/{id_of(mart.id, subscription.id)}/records"
    told = metadata(mart.id, kind, row.row_id, row.scoring_timestamp)
    return {"metadata": told, "entity": {"values": {name: cells.get(name) for name in names}}}


def _as_list(row: Row, names: list[str], _: DataMart, __: Subscription) -> dict[str, Any]:
    cells = row_cells(row)
    return {"fields": names, "values": [cells.get(name) for name in names]}


_SHAPES: Final[dict[str, Callable[[Row, list[str], DataMart, Subscription], dict[str, Any]]]] = {
    "dict": _as_dict, "list": _as_list
}  # fmt: skip
