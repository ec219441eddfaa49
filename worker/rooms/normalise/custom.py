"""A custom engine: requests and answers are in the normal form already, bare or in WML v4's wrapping (§6).

Or they are what KServe's and Seldon's servers speak, which `tensors` reads. Also the way of every engine without a
normaliser of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.rooms.normalise import tables, tensors, texts
from worker.rooms.normalise.unfit import Code, Unfit, kind

if TYPE_CHECKING:
    from worker.model import Body, Target

_SPSS_KEYS = ("requestInputTable", "rowValues", "columnNames")


def request(body: Body, target: Target) -> tables.Grid:
    """`{"fields","values"}`, `{"values"}` if unstructured, or `{"input_data":[{…}]}`; `meta` is kept.

    Or `{"instances":[…]}` or `{"inputs":[…]}` of KServe's protocols.
    """
    document = _document(body)
    if not document.keys() & {"values", "input_data"}:
        if "inputs" in document:
            return tensors.of_tensors(document["inputs"], "inputs", target.features)
        if "instances" in document:
            return tensors.of_rows(document["instances"], "instances", "instance", target.features)
    return _read(document, "input_data", named=False)


def response(body: Body, _target: Target) -> tables.Grid:
    """`{"fields","values"}` or `{"predictions":[{…}]}`; features that it repeats and `labels` are kept.

    Or `{"predictions":[…]}` or `{"outputs":[…]}` of KServe's protocols.
    """
    document = _document(body)
    if "values" not in document:
        if "outputs" in document:
            return tensors.of_tensors(document["outputs"], "outputs", ())
        if "predictions" in document and tensors.are_rows(document["predictions"]):
            return tensors.of_rows(document["predictions"], "predictions", "prediction", ())
    return _read(document, "predictions", named=True)


def _document(body: Body) -> dict[str, Any]:
    try:
        return texts.object_of(body)
    except Unfit:
        if b'"binary_data_size"' in body.data:
            raise tensors.binary("the body") from None
        raise


def _read(document: dict[str, Any], wrapping: str, *, named: bool) -> tables.Grid:
    table = document if "values" in document else _unwrapped(document, wrapping)
    return tables.from_normal(table, named=named)


def _unwrapped(document: dict[str, Any], wrapping: str) -> dict[str, Any]:
    if wrapping in document:
        return _only(document[wrapping], wrapping)
    if any(key in document for key in _SPSS_KEYS):
        raise Unfit(Code.SPSS, "the native form of SPSS cannot be brought into fields and values")
    raise Unfit(Code.SHAPE, f"the body has neither values nor {wrapping}")


def _only(wrapped: object, wrapping: str) -> dict[str, Any]:
    if type(wrapped) is not list or len(wrapped) != 1:
        size = f"an array of {len(wrapped)}" if type(wrapped) is list else kind(wrapped)
        raise Unfit(Code.SHAPE, f"{wrapping} is {size}, not an array of one table")
    if type(wrapped[0]) is not dict:
        raise Unfit(Code.SHAPE, f"{wrapping}[0] is {kind(wrapped[0])}, not an object")
    return wrapped[0]
