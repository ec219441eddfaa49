"""The room that brings each engine's native request and response into the data mart's normal form (§6).

Pure: bytes or rows in, a `Normal` or the `Refusal` that says why not out. One module an engine; `tables` has
the rules of the normal form, `plain` a short way for what keeps them, `texts` reads JSON and CSV, `unfit` is the
vocabulary of refusals. A § in these modules is a section of the data mart's wire contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.model import Engine, Normal, Refusal, Table
from worker.rooms.normalise import azure_service, azure_studio, custom, plain, sagemaker, tables
from worker.rooms.normalise.unfit import Code, Unfit

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.model import Body, Target

    Reader = Callable[[Body, Target], tables.Grid]

__all__ = ["Code", "normalise"]

_CUSTOM: tuple[Reader, Reader] = (custom.request, custom.response)
_READERS: dict[str, tuple[Reader, Reader]] = {
    Engine.CUSTOM.value: _CUSTOM,
    Engine.AZURE_STUDIO.value: (azure_studio.request, azure_studio.response),
    Engine.AZURE_SERVICE.value: (azure_service.request, azure_service.response),
    Engine.SAGEMAKER.value: (sagemaker.request, sagemaker.response),
}


def normalise(request: Body | Table, response: Body | Table, target: Target) -> Normal | Refusal:
    """Bring a scoring into the normal form of the data mart, or say why that cannot be done.

    A `Table` is in the normal form already and is only checked; a `Body` is read as `target.engine` speaks.
    Engines without a form of their own are taken as custom. A refusal's `code` is one of `Code`; its detail
    names the place, never a value. Nothing given is changed, and the result may share its rows.
    """
    if isinstance(request, Table) and isinstance(response, Table):
        asked, answered = plain.of_table(request), plain.of_table(response)
        if asked is not None and answered is not None:
            return _scoring(asked, answered)
    read_request, read_response = _READERS.get(target.engine, _CUSTOM)
    side = "request"
    try:
        asked = _grid(request, target, read_request, named=False)
        side = "response"
        answered = _grid(response, target, read_response, named=True)
    except Unfit as unfit:
        return Refusal(unfit.code.disposition, unfit.code.value, f"{side}: {unfit.detail}")
    return _scoring(asked, answered)


def _scoring(asked: tables.Grid, answered: tables.Grid) -> Normal | Refusal:
    rows = len(asked["values"])
    if rows == len(answered["values"]) and rows:
        return Normal(asked, answered, rows)
    return _uneven(rows, len(answered["values"]))


def _grid(content: Body | Table, target: Target, read: Reader, *, named: bool) -> tables.Grid:
    """One side in the normal form: in the short way, else in the one that knows every rule."""
    if isinstance(content, Table):
        return plain.of_table(content) or tables.from_table(content, named=named)
    return (plain.of_body(content) if read in _CUSTOM else None) or read(content, target)


def _uneven(asked: int, answered: int) -> Refusal:
    """No rows at all is refused too: the data mart would store nothing and never say so."""
    if asked == answered:
        return Refusal(Code.NO_ROWS.disposition, Code.NO_ROWS.value, "neither request nor response has a row")
    detail = f"request has {asked} rows, response has {answered}"
    return Refusal(Code.ROW_COUNTS.disposition, Code.ROW_COUNTS.value, detail)
