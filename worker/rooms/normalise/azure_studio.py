"""Azure ML Studio: one object a row under `Inputs` and `Results`, or classic `ColumnNames` and `Values` (§6).

The columns of binary, multiclass and regression answers need no list: what the service names is taken as it
is named, and numbers that come as strings stay strings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.rooms.normalise import tables, texts
from worker.rooms.normalise.unfit import Code, Unfit, kind, quoted

if TYPE_CHECKING:
    from worker.model import Body, Target


def request(body: Body, _target: Target) -> tables.Grid:
    """`{"Inputs":{"input1":[{…}]}}`, whatever the one input is called; `GlobalParameters` are not data."""
    return _ported(texts.object_of(body), "Inputs", named=False)


def response(body: Body, _target: Target) -> tables.Grid:
    """`{"Results":{"output1":[{…}]}}`, whatever its name (the designer: `WebServiceOutput0`)."""
    return _ported(texts.object_of(body), "Results", named=True)


def _ported(document: dict[str, Any], port: str, *, named: bool) -> tables.Grid:
    if port not in document:
        if "values" in document:  # converted by the caller
            return tables.from_normal(document, named=named)
        raise Unfit(Code.SHAPE, f"the body has no {port}")
    name, rows = _only(document[port], port)
    place = f"{port}.{quoted(name)[1:-1]}"
    return _classic(rows, place) if type(rows) is dict else tables.from_objects(rows, place)


def _only(ports: object, port: str) -> tuple[str, object]:
    if type(ports) is not dict:
        raise Unfit(Code.SHAPE, f"{port} is {kind(ports)}, not an object")
    if len(ports) != 1:
        raise Unfit(Code.SHAPE, f"{port} has {len(ports)} tables, and one is needed")
    return next(iter(ports.items()))


def _classic(table: dict[str, Any], place: str) -> tables.Grid:
    """`{"ColumnNames":[…],"Values":[[…]]}`, which an answer holds under `value`."""
    if type(inner := table.get("value")) is dict:
        table, place = inner, f"{place}.value"
    if "ColumnNames" not in table or "Values" not in table:
        raise Unfit(Code.SHAPE, f"{place} is an object without ColumnNames and Values")
    return tables.build(table["ColumnNames"], table["Values"], f"{place}.Values", named=True)
