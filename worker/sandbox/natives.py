"""Requests and responses as Azure's engines hold them, which the data mart converts itself (contract §6): pure.

Of the other engines nothing is converted: a custom engine's are normal already, and SageMaker's are its caller's to
convert. What its caller has converted stays as it is here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STUDIO: Final = "azure_machine_learning"
SERVICE: Final = "azure_machine_learning_service"
# what both call the columns of probabilities, where a subscription names none
PROBABILITIES: Final = "Scored Probabilities"
# what orjson reads deeper than it writes; a text is put into a record that is read back within an answer
_ROOM: Final = 8


def normal_request(side: object, engine: str) -> object:
    """The normal form of a request, or `side` itself; raises `ValueError`, which names places, for what is neither."""
    return _normal(side, _REQUESTS.get(engine))


def normal_response(side: object, engine: str) -> object:
    """The normal form of a response, or `side` itself; raises `ValueError` as `normal_request`."""
    return _normal(side, _RESPONSES.get(engine))


def _normal(side: object, form: Callable[[dict[str, Any]], object] | None) -> object:
    if form is None:
        return side
    document = _parsed(side) if isinstance(side, str) else side
    return document if not isinstance(document, dict) or "values" in document else form(document)


def _parsed(text: str) -> object:
    """What a JSON string holds, which Azure ML Service answers."""
    try:
        parsed: object = orjson.loads(text)
        within: object = parsed
        for _ in range(_ROOM):
            within = [within]
        orjson.dumps(within)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        raise ValueError("is a text that is not JSON") from None
    return parsed


def _studio_request(document: dict[str, Any]) -> object:
    """`{"Inputs":{"input1":[{…}]}}`; the one input must be called so."""
    ports = document.get("Inputs")
    if not isinstance(ports, dict) or "input1" not in ports:
        raise ValueError("has neither values nor Inputs.input1")
    return _rows(ports["input1"], "Inputs.input1")


def _studio_response(document: dict[str, Any]) -> object:
    """`{"Results":{"output1":[{…}]}}`; the designer's answers call it `WebServiceOutput0`."""
    ports = document.get("Results")
    if not isinstance(ports, dict) or len(ports) != 1:
        raise ValueError("has neither values nor one table in Results")
    (rows,) = ports.values()
    return _rows(rows, "Results")


def _service_request(document: dict[str, Any]) -> object:
    """`{"input":[{…}]}`; it must be called so."""
    if "input" not in document:
        raise ValueError("has neither values nor input")
    return _rows(document["input"], "input")


def _service_response(document: dict[str, Any]) -> object:
    """`{"output":[{…}]}`, or one bare object; what a failing script answers is none."""
    if "error" in document:
        raise ValueError("reports an error")
    return _rows(document["output"], "output") if "output" in document else _rows([document], "the object")


def _rows(rows: object, place: str) -> dict[str, Any]:
    """One object a row, all with the same keys; the first one's order is the columns'."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) and row for row in rows):
        raise ValueError(f"has no list of objects in {place}")
    fields = list(rows[0])
    for number, row in enumerate(rows, 1):
        if row.keys() != rows[0].keys():
            raise ValueError(f"has other keys in row {number} of {place} than in the first")
    return {"fields": fields, "values": [[row[name] for name in fields] for row in rows]}


_REQUESTS: Final[Mapping[str, Callable[[dict[str, Any]], object]]] = {
    STUDIO: _studio_request,
    SERVICE: _service_request,
}
_RESPONSES: Final[Mapping[str, Callable[[dict[str, Any]], object]]] = {
    STUDIO: _studio_response,
    SERVICE: _service_response,
}
