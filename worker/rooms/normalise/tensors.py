"""What KServe's, Seldon's and MLServer's servers speak: the Open Inference Protocol's tensors (V2), and V1's rows.

A tensor of shape [n] or [n, 1] is a column by its name; one of [n, k] is k columns, named by the subscription's
features where it is alone and they are as many, else `name_0`, `name_1`, …; one of more dimensions is a column whose
cells are arrays (§6). All tensors of a body have the same n. Nothing is converted.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from worker.rooms.normalise import tables
from worker.rooms.normalise.unfit import Code, Unfit, kind, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

_RANGES = {
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
_FLOATS = frozenset({"FP16", "FP32", "FP64", "BF16"})
_DATATYPES = frozenset({"BOOL", "BYTES", *_FLOATS, *_RANGES})
_DIMENSIONS = 16
_COLUMNS = 10_000

Columns = list[tuple[str, list[Any]]]


def binary(place: str) -> Unfit:
    """The binary tensor data extension: the bytes are no JSON, and the header that bounds them is not in the record."""
    return Unfit(Code.BINARY_TENSOR, f"{place} has binary tensor data (binary_data_size): have the client send JSON")


# --- V2 -------------------------------------------------------------------------------------------------------------


def of_tensors(tensors: object, port: str, features: Sequence[str]) -> tables.Grid:
    """`[{"name", "shape", "datatype", "data"}, …]` under `inputs` or `outputs`, transposed into rows."""
    if type(tensors) is not list:
        raise Unfit(Code.SHAPE, f"{port} is {kind(tensors)}, not an array of tensors")
    if not tensors:
        raise Unfit(Code.NO_ROWS, f"{port} has no tensor")
    columns: Columns = []
    for at, tensor in enumerate(tensors):
        found = _columns(tensor, f"{port}[{at}]", features if len(tensors) == 1 else ())
        if columns and len(found[0][1]) != len(columns[0][1]):
            counts = f"{len(found[0][1])} rows, and those before it {len(columns[0][1])}"
            raise Unfit(Code.ROW_COUNTS, f"{port}[{at}], tensor {quoted(tensor['name'])} has {counts}")
        columns += found
        if len(columns) > _COLUMNS:
            raise Unfit(Code.SHAPE, f"{port} has more than {_COLUMNS} columns")
    names = [name for name, _ in columns]
    return tables.build(
        names, [list(row) for row in zip(*(cells for _, cells in columns), strict=True)], port, named=True
    )


def _columns(tensor: object, place: str, features: Sequence[str]) -> Columns:
    if type(tensor) is not dict:
        raise Unfit(Code.SHAPE, f"{place} is {kind(tensor)}, not a tensor")
    name = tensor.get("name")
    if type(name) is not str or not name:
        raise Unfit(Code.SHAPE, f"{place} has no name")
    place = f"{place}, tensor {quoted(name)}"
    shape = _shape(tensor, place)
    cells = _cells(tensor, shape, place)
    _check(cells, tensor.get("datatype"), place)
    rows, *inner = shape
    if prod(inner) == 1 and len(inner) <= 1:
        return [(name, cells)]
    if len(inner) == 1:
        width = inner[0]
        titles = features if len(features) == width else [f"{name}_{at}" for at in range(width)]
        return [(title, cells[at::width]) for at, title in enumerate(titles)]
    each = len(cells) // rows if rows else 0
    return [(name, [_nested(cells[at * each : (at + 1) * each], inner) for at in range(rows)])]


def _shape(tensor: dict[str, Any], place: str) -> list[int]:
    shape = tensor.get("shape")
    if type(shape) is not list or not all(type(size) is int and size >= 0 for size in shape):
        raise Unfit(Code.SHAPE, f"{place}: shape is not an array of numbers")
    if not 1 <= len(shape) <= _DIMENSIONS:
        raise Unfit(Code.SHAPE, f"{place}: shape has {len(shape)} dimensions, and needs 1 to {_DIMENSIONS}")
    if 0 in shape[1:]:
        raise Unfit(Code.SHAPE, f"{place}: rows of no cells")
    if len(shape[1:]) == 1 and shape[1] > _COLUMNS:
        raise Unfit(Code.SHAPE, f"{place}: more than {_COLUMNS} columns")
    return shape


def _cells(tensor: dict[str, Any], shape: list[int], place: str) -> list[Any]:
    """The data as one flat array; it may come flat, or nested as the shape says."""
    parameters = tensor.get("parameters")
    if type(parameters) is dict and "binary_data_size" in parameters:
        raise binary(place)
    data = tensor.get("data")
    if type(data) is not list:
        raise Unfit(Code.SHAPE, f"{place}: data is {kind(data)}, not an array")
    flat = any(type(each) is not list for each in data) or not data
    cells = data if flat else _flattened(data, shape, place)
    if len(cells) != prod(shape):
        raise Unfit(Code.SHAPE, f"{place}: data has {len(cells)} cells, and its shape {prod(shape)}")
    return cells


def _flattened(data: list[Any], shape: list[int], place: str) -> list[Any]:
    level: list[Any] = [data]
    for size in shape:
        if any(type(part) is not list or len(part) != size for part in level):
            raise Unfit(Code.SHAPE, f"{place}: data is neither flat nor nested as its shape says")
        level = [each for part in level for each in part]
    return level


def _check(cells: list[Any], datatype: object, place: str) -> None:
    """Whether the cells are of their type; null stands for a missing value of any."""
    if type(datatype) is not str or datatype not in _DATATYPES:
        raise Unfit(Code.SHAPE, f"{place}: datatype is none of the protocol's")
    for at, cell in enumerate(cells):
        if cell is not None and not _is(cell, datatype):
            raise Unfit(Code.CELL_TYPE, f"{place}: data[{at}], counted as if flat, is no {datatype}")


def _is(cell: object, datatype: str) -> bool:
    if datatype == "BOOL":
        return type(cell) is bool
    if datatype == "BYTES":
        return type(cell) is str
    if datatype in _FLOATS:
        return type(cell) is float or type(cell) is int
    low, high = _RANGES[datatype]
    return type(cell) is int and low <= cell <= high


def _nested(cells: list[Any], shape: list[int]) -> list[Any]:
    for size in reversed(shape[1:]):
        cells = [cells[at : at + size] for at in range(0, len(cells), size)]
    return cells


# --- V1 -------------------------------------------------------------------------------------------------------------


def are_rows(predictions: object) -> bool:
    """Whether these are V1's predictions, and not a table in WML's wrapping, nor nothing at all."""
    if type(predictions) is not list or not predictions:
        return False
    first = predictions[0]
    return first != [] and not (type(first) is dict and "values" in first)


def of_rows(rows: object, port: str, name: str, features: Sequence[str]) -> tables.Grid:
    """V1's array of rows: objects by their names, arrays of cells, or single cells.

    Columns without a name are named by the features where they are as many, else `name` or `name_0`, `name_1`, ….
    """
    if type(rows) is not list:
        raise Unfit(Code.SHAPE, f"{port} is {kind(rows)}, not an array of rows")
    if not rows:
        raise Unfit(Code.NO_ROWS, f"{port} has no row")
    if type(rows[0]) is dict:
        return tables.from_objects(rows, port)
    if type(rows[0]) is not list or any(type(cell) is list for cell in rows[0]):
        titles = features if len(features) == 1 else [name]
        return tables.build(list(titles), [[row] for row in rows], port, named=True)
    width = len(rows[0])
    titles = features if len(features) == width else [f"{name}_{at}" for at in range(width)]
    return tables.build(list(titles), rows, port, named=True)
