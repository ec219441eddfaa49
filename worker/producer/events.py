"""From what a service holds to an `Event` that the worker would take; else an `InvalidEventError`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from worker.model import Body, Event, Table
from worker.producer.errors import InvalidEventError
from worker.rooms import foresight
from worker.rooms.normalise.unfit import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.model import Target

    Content = Body | Table | Mapping[str, Any] | Sequence[Any] | bytes | str

JSON: Final = "application/json"
DEEPEST: Final = 2
"""Arrays within each other in a cell of a Table, by the event's schema; in a Body they may be deeper."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LONG: Final = 2**63


def event(
    *,
    asset: str,
    request: Content,
    response: Content,
    scoring_id: str | None = None,
    scored_at: datetime | int | None = None,
    response_time_ms: timedelta | int | None = None,
    binding: str | None = None,
    deployment: str | None = None,
    attributes: Mapping[str, str] | None = None,
    target: Target | None = None,
) -> Event:
    """An event of what is given, checked as the worker would; see `PayloadProducer.send` for each part.

    `target`: the engine that the bodies are for, where it is known.

    Raises:
        InvalidEventError: the worker would refuse it.
    """
    made = Event(
        _text("binding", binding),
        _text("asset", asset) or "",
        _text("deployment", deployment),
        _text("scoring_id", scoring_id),
        _micros(scored_at),
        _millis(response_time_ms),
        content("request", request),
        content("response", response),
        _attributes(attributes or {}),
    )
    refusal = foresight.refusal(made, target)
    if refusal is not None:
        raise InvalidEventError(refusal.code, refusal.detail)
    for side in ("request", "response"):
        _writable(side, getattr(made, side))
    return made


def content(side: str, given: Content) -> Body | Table:
    """Bytes and text are a body as they are; objects and arrays become one of JSON; arrays of numpy become lists."""
    if isinstance(given, Body):
        if type(given.data) is not bytes or type(given.content_type) is not str:
            raise _wrong(side, "a Body has a content_type that is text, and data that are bytes")
        return given
    if isinstance(given, Table):
        return _listed(given)
    if isinstance(given, bytes | str):
        return Body(JSON, given if isinstance(given, bytes) else _utf8(side, given))
    return Body(JSON, _utf8(side, _json(side, given)))


def _listed(table: Table) -> Table:
    """A table as it is, or made of lists where it holds arrays of numpy; nobody's word that it is sound is taken."""
    fields = table.fields
    if fields is not None and not isinstance(fields, str):
        fields = list(fields)
    values: Any = _own(table.values)
    if isinstance(values, list | tuple):
        rows = map(_own, values)
        values = [[_own(cell) for cell in row] if isinstance(row, list | tuple) else row for row in rows]
    return Table(fields, values, table.meta)


def _own(given: Any) -> Any:
    """Python's own value of a scalar or an array of numpy."""
    return given.tolist() if hasattr(given, "tolist") else given


def _json(side: str, given: object) -> str:
    try:
        return json.dumps(given, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
    except (TypeError, RecursionError):
        raise _wrong(side, "it holds what JSON has no word for") from None
    except ValueError:  # json tells no place
        raise InvalidEventError(
            "not-finite", f"{side}: a number is not finite, or it contains itself: null is what a missing number is"
        ) from None


def _plain(given: Any) -> Any:
    """Scalars and arrays of numpy, which have this method, as Python's own."""
    if hasattr(given, "tolist"):
        return given.tolist()
    raise TypeError


def _utf8(side: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidEventError("not-utf8", f"{side}: a text holds half of a surrogate pair") from None


def _text(name: str, given: object) -> str | None:
    if given is None and name != "asset":
        return None
    if not isinstance(given, str):
        raise _wrong(name, f"it is {type(given).__name__}, not text")
    _utf8(name, given)
    return given


def _micros(given: object) -> int | None:
    """Microseconds since 1970."""
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise _wrong("scored_at", "the datetime has no time zone: datetime.now(UTC) has one")
        return (given - _EPOCH) // _MICROSECOND
    if given is None or type(given) is int:
        return given
    raise _wrong("scored_at", f"it is {type(given).__name__}, neither a datetime nor whole microseconds since 1970")


def _millis(given: object) -> int | None:
    if isinstance(given, timedelta):
        return given // _MILLISECOND
    if given is None or type(given) is int:
        if given is not None and given >= _LONG:
            raise _wrong("response_time_ms", "it is beyond 64 bits")
        return given
    raise _wrong("response_time_ms", f"it is {type(given).__name__}, neither whole milliseconds nor a timedelta")


def _attributes(given: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise _wrong("attributes", "names and values are texts")
        _utf8("attributes", name + value)
    return given


def _writable(side: str, made: Body | Table) -> None:
    """What the event's schema cannot hold though the data mart would take it; fastavro would bend or hide it."""
    if isinstance(made, Body):
        _utf8(side, made.content_type)
        return
    for name in made.fields or ():
        _utf8(side, name)
    _rows(side, "values", made.fields, made.values, DEEPEST)
    if made.meta is not None:
        _rows(side, "meta.values", made.meta["fields"], made.meta["values"], 0)


def _rows(side: str, place: str, fields: Sequence[str] | None, values: Sequence[Any], deepest: int) -> None:
    for at, row in enumerate(values):
        if not isinstance(row, list | tuple):
            raise _wrong(side, f"{place}[{at}] is not an array of cells")
        for column, cell in enumerate(row):
            if (flaw := _unwritable(cell, deepest)) is not None:
                named = f"column {quoted(fields[column])}" if fields else f"cell {column}"
                raise InvalidEventError(flaw[0], f"{side}: {place}[{at}], {named} {flaw[1]}")


def _unwritable(cell: object, room: int) -> tuple[str, str] | None:
    if isinstance(cell, list | tuple):
        if room == 0:
            return "too-deep", "is nested deeper than a Table's cell may be: give it as a Body"
        return next((flaw for each in cell if (flaw := _unwritable(each, room - 1)) is not None), None)
    if type(cell) is int and cell >= _LONG:
        return "int-range", "is an integer beyond 64 bits: give it as a Body, which has room for it"
    if type(cell) is str and not cell.isascii():
        try:
            cell.encode()
        except UnicodeEncodeError:
            return "not-utf8", "holds half of a surrogate pair"
    return None


def _wrong(name: str, what: str) -> InvalidEventError:
    return InvalidEventError("shape", f"{name}: {what}")
