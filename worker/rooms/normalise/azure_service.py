"""Azure ML Service: one object a row in `input` and `output`, the answer often JSON in a string (§6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.rooms.normalise import tables, texts
from worker.rooms.normalise.unfit import Code, Unfit

if TYPE_CHECKING:
    from worker.model import Body, Target


def request(body: Body, _target: Target) -> tables.Grid:
    """`{"input":[{…}]}`: AI OpenScale demands that name."""
    document = texts.object_of(body)
    if "input" in document:
        return tables.from_objects(document["input"], "input")
    if "values" in document:  # converted by the caller
        return tables.from_normal(document, named=False)
    raise Unfit(Code.SHAPE, "the body has no input")


def response(body: Body, _target: Target) -> tables.Grid:
    """`{"output":[{…}]}`, or one bare object, which is one row; each also as text in a JSON string."""
    document = texts.object_of(body)
    if "output" in document:
        return tables.from_objects(document["output"], "output")
    if "values" in document:  # converted by the caller
        return tables.from_normal(document, named=True)
    if "error" in document:  # what a scoring script answers when it fails is no row
        raise Unfit(Code.SHAPE, "the body reports an error in place of output")
    return tables.from_objects([document], "the body")
