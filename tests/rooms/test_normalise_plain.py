"""The short way for plain records gives what the way that knows every rule gives, whatever it is given."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.model import Body, Engine, Normal, Refusal, Table, Target
from worker.rooms.normalise import normalise, plain, tables

TARGET = Target("b", "s", "d", Engine.CUSTOM.value)
NAMES = ["age", "a name of some length", "a\u00e9\U0001f600", '],"values":', '"', "\\", ""]

CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([2**63, 2**64, 2**64 - 1, -(2**63) - 1])
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["{", "[[[[", "}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=5,
)
FIELDS = st.lists(st.sampled_from(NAMES) | st.text(max_size=3), max_size=4) | CELLS
ROWS = st.lists(st.lists(CELLS, max_size=4), max_size=3) | CELLS


@st.composite
def fitting(draw: st.DrawFn) -> tuple[Any, Any]:
    """Names, and rows of as many cells."""
    fields = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
    return fields, draw(st.lists(st.lists(CELLS, min_size=len(fields), max_size=len(fields)), max_size=3))


GRIDS = fitting() | st.tuples(FIELDS, ROWS)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")])


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    """JSON as writers write it, sometimes with a piece of something else in it."""
    fields, values = draw(GRIDS)
    document = draw(st.sampled_from([{"fields": fields, "values": values}, {"values": values, "fields": fields}]))
    document |= draw(st.sampled_from([{}, {}, {}, {"meta": None}, {"labels": ["x"]}, {"id": 1}]))
    data = json.dumps(document, separators=draw(SEPARATORS), ensure_ascii=draw(st.booleans())).encode(errors="replace")
    at = draw(st.integers(0, len(data)))
    piece = draw(
        st.sampled_from([b"", b"", b"", b" ", b"}", b"]", b"{", b'],"values":', b',"fields":["z"]', b"\xff", b"1e999"])
    )
    kind = draw(st.sampled_from(["application/json"] * 3 + ["application/json; charset=utf-8", "", "text/csv"]))
    return Body(kind, data[:at] + piece + data[at:])


def sound(values: Any) -> bool:
    """Whether a reader might vouch for these rows: what it makes are lists of lists of what may be posted."""
    return (
        type(values) is list
        and all(type(row) is list for row in values)
        and all(tables.flaw(row, tables.MAX_DEPTH) is None for row in values)
    )


TABLES = st.builds(
    lambda grid, meta: Table(grid[0] or None, grid[1], meta, sound(grid[1])),
    GRIDS,
    st.sampled_from([None, None, {"fields": ["m"], "values": [["x"]]}, {}]),
)


def told(found: Normal | Refusal) -> str:
    """Everything of a result, with the types of its numbers, and NaN equal to itself."""
    if isinstance(found, Refusal):
        return repr(found)
    return repr((dict(found.request), dict(found.response), found.rows))


def in_the_long_way(request: Body | Table, response: Body | Table, target: Target) -> Normal | Refusal:
    with (
        mock.patch.object(plain, "of_body", return_value=None),
        mock.patch.object(plain, "of_table", return_value=None),
    ):
        return normalise(request, response, target)


@pytest.mark.parametrize("engine", [Engine.CUSTOM.value, Engine.SAGEMAKER.value])
@given(request=bodies() | TABLES, response=bodies() | TABLES)
@example(Body("application/json", b'{"fields":["a"],"values":[[1]],"values":[[2]]}'), Table(["p"], [[1]]))
@example(Body("application/json", b'{"values":[[1]],"fields":["a"],"values":[[2]]}'), Table(["p"], [[1]]))
@example(Body("application/json", b'{"x":{"fields":["a"],"values":[[2]]}}'), Table(["p"], [[1]]))
@example(Body("application/json", b'{"fields":["a"],"values":[[1]]},{}'), Table(["p"], [[1]]))
@example(Body("application/json", b'\xef\xbb\xbf{"fields":["a"],"values":[[1]]}'), Table(["p"], [[1]]))
@example(Body("application/json", b'{"fields":["a"],"values":[["\\ud800"]]}'), Table(["p"], [[1]]))
@example(Body("application/json", b'{"fields":["a"],"values":[[NaN]]}'), Table(["p"], [[1]]))
@example(Body("application/json", b'{"fields":["a","b"],"values":[1,2]}'), Table(["p"], [[1]]))
@example(Body("application/json", b'{"fields":["a"],"values":[["' + b"[" * 40 + b'"]]}'), Table(["p"], [[1]]))
@example(Table(["a"], ((1,),)), Table(("p",), [(1,)]))
def test_both_ways_come_to_the_same(engine: str, request: Body | Table, response: Body | Table) -> None:
    target = Target("b", "s", "d", engine, ("a",))
    expected = told(in_the_long_way(request, response, target))
    assert told(normalise(request, response, target)) == expected
    assert told(normalise(request, response, target)) == expected, "nor is it another thing the second time"


@pytest.mark.parametrize("depth", range(28, 36))
@pytest.mark.parametrize("rows", [1, 40])
def test_depth_is_counted_alike(depth: int, rows: int) -> None:
    cell: Any = 1
    for _ in range(depth):
        cell = [cell]
    values = [[cell]] * rows
    data = json.dumps({"fields": ["a"], "values": values}, separators=(",", ":")).encode()
    answer = Table(["p"], [[1]] * rows)
    for request in (Body("application/json", data), Table(["a"], values, None, sound(values))):
        expected = told(in_the_long_way(request, answer, TARGET))
        assert told(normalise(request, answer, TARGET)) == expected
        assert ("too-deep" in expected) == (depth > 31)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_plain_body_goes_the_short_way(separators: tuple[str, str]) -> None:
    """Both as compact writers and as Python's own write it; else this module tests nothing."""
    data = json.dumps({"fields": ["age", "occupation"], "values": [[1, [0.5]]]}, separators=separators).encode()
    for _ in range(2):
        assert plain.of_body(Body("application/json", data)) == {
            "fields": ["age", "occupation"],
            "values": [[1, [0.5]]],
        }


def test_a_table_goes_the_short_way_only_where_its_maker_vouches_for_it() -> None:
    assert plain.of_table(Table(["a"], [[1.5]], None, sound=True)) == {"fields": ["a"], "values": [[1.5]]}
    assert plain.of_table(Table(["a"], [[1.5]])) is None
