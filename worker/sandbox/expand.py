"""From a scoring record to its rows: pure, and the sandbox's own reading of contract §5.1, §5.2 and §6.

One row of `values` is one row of the payload table: the request's cells, then those of the response whose
names the request does not have. Bodies are converted by `natives.py`, cells by `cells.py`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from worker.sandbox import cells as cells_of
from worker.sandbox import natives
from worker.sandbox.intake import NUL
from worker.sandbox.store import Layout, NewError, NewRecord, NewRow
from worker.sandbox.wire import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.sandbox.catalogue import Subscription
    from worker.sandbox.store import Kind, TableKey

# the one column of unstructured input, which has values and no fields
SCORING_INPUT = "scoring_input"
# what the client sends for a subscription without deployments
NO_DEPLOYMENT = "generic_deployment"


class UnprocessableError(Exception):
    """A record that is no row; the reason names fields and counts, never values."""


class Columns(NamedTuple):
    """One side of a record: names, and one list of cells a row."""

    fields: tuple[str, ...]
    rows: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Profile:
    """What the rows of a subscription take from it, and from its binding: the engine's service type."""

    table: TableKey
    engine: str
    deployment_id: str
    asset_revision: str | None
    classifies: bool
    binary: bool
    probability_fields: tuple[str, ...]
    kinds: Mapping[str, Kind]

    @classmethod
    def of(cls, table: TableKey, subscription: Subscription, engine: str) -> Profile:
        """Read a subscription's properties, however loosely its client filled them."""
        properties = subscription.asset_properties
        deployments = subscription.deployments
        revision = properties.get("asset_revision")
        return cls(
            table=table,
            engine=engine,
            deployment_id=deployments[0]["deployment_id"] if deployments else NO_DEPLOYMENT,
            asset_revision=None if revision is None else str(revision).replace(NUL, ""),
            classifies=properties.get("problem_type") != "regression",
            binary=properties.get("problem_type") == "binary",
            probability_fields=_probability_fields(properties),
            kinds=cells_of.declared_kinds(properties),
        )


def _probability_fields(properties: dict[str, Any]) -> tuple[str, ...]:
    """A list when a subscription is added, a text when it is patched or from older clients (§4.2, §4.3)."""
    given = properties.get("probability_fields") or properties.get("prediction_probability_field") or []
    names = given if isinstance(given, list) else [given]
    return tuple(name for name in names if isinstance(name, str))


def expand(record: dict[str, Any], profile: Profile, received: datetime) -> NewRecord | NewError:
    """The record to store, or why it cannot be processed (which is no HTTP error, §5.1)."""
    body = orjson.dumps(record)
    given = record.get("scoring_id")
    scoring_id = str(uuid.uuid4()) if given is None else given
    try:
        return _record(record, profile, received, scoring_id, body)
    except UnprocessableError as exc:
        named = scoring_id if isinstance(scoring_id, str) and NUL not in scoring_id else ""
        return NewError(profile.table, named, str(exc).replace(NUL, ""), body)


def _record(record: dict[str, Any], profile: Profile, received: datetime, scoring_id: object, body: bytes) -> NewRecord:
    _check_response_time(record.get("response_time"))
    layout, rows = _rows(record.get("request"), record.get("response"), profile)
    return NewRecord(
        table=profile.table,
        scoring_id=_text(scoring_id, "scoring_id"),
        scoring_timestamp=_moment(record.get("scoring_timestamp"), received),
        deployment_id=_text(record.get("deployment_id") or profile.deployment_id, "deployment_id"),
        asset_revision=profile.asset_revision,
        body=body,
        layout=layout,
        rows=rows,
        kinds=profile.kinds,
    )


def _rows(request: object, response: object, profile: Profile) -> tuple[Layout, list[NewRow]]:
    request, response = _normal(request, response, profile.engine)
    inputs, outputs = columns(request, "request"), columns(response, "response")
    if len(inputs.rows) != len(outputs.rows):
        raise UnprocessableError(f"request has {len(inputs.rows)} rows, response {len(outputs.rows)}")
    inputs = _with_meta(inputs, request)
    layout, kept = _layout(inputs.fields, outputs.fields)
    places = _places(outputs.fields, profile)
    plan = cells_of.plan(layout.names, profile.kinds)
    rows = []
    for number, (sent, got) in enumerate(zip(inputs.rows, outputs.rows, strict=True), 1):
        cells = sent + [got[n] for n in kept]
        _convert(cells, plan, number)
        found = probability([got[n] for n in places], binary=profile.binary)
        rows.append(NewRow(orjson.dumps(cells), found))
    return layout, rows


def _normal(request: object, response: object, engine: str) -> tuple[object, object]:
    """Both sides in normal form, where the engine's own forms are converted here."""
    name = "request"
    try:
        request = natives.normal_request(request, engine)
        name = "response"
        return request, natives.normal_response(response, engine)
    except ValueError as exc:
        raise UnprocessableError(f"{name} {exc}") from None


def _convert(cells: list[Any], plan: cells_of.Plan, number: int) -> None:
    try:
        cells_of.convert(cells, plan)
    except ValueError as exc:
        raise UnprocessableError(f"row {number}: {exc}") from None


def columns(side: object, name: str) -> Columns:
    """One side of a record in normal form, `{"fields", "values"}`; `name` says which, in a reason (§6)."""
    values = side.get("values") if isinstance(side, dict) else None
    if not isinstance(side, dict) or not isinstance(values, list) or not values:
        raise UnprocessableError(f"{name} has no values")
    if name == "request" and side.get("fields") is None:
        return Columns((SCORING_INPUT,), [[value] for value in values])
    fields = side.get("fields")
    if not isinstance(fields, list) or not all(isinstance(field, str) for field in fields):
        raise UnprocessableError(f"{name}.fields is not a list of names")
    if len(set(fields)) != len(fields):
        raise UnprocessableError(f"{name}.fields has a name twice")
    # one flat list is one row: the tutorial for SageMaker stores it so
    rows = values if isinstance(values[0], list) else [values]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) != len(fields):
            raise UnprocessableError(f"row {number} of {name}.values has not {len(fields)} cells")
    return Columns(tuple(fields), rows)


def _with_meta(inputs: Columns, request: object) -> Columns:
    """The request's columns and, behind them, those of its `meta`: columns that are no features (§6)."""
    meta = request.get("meta") if isinstance(request, dict) else None
    if meta is None:
        return inputs
    more = columns(meta, "request.meta")
    if len(more.rows) != len(inputs.rows):
        raise UnprocessableError(f"request has {len(inputs.rows)} rows, request.meta {len(more.rows)}")
    layout, kept = _layout(inputs.fields, more.fields)
    rows = [sent + [extra[n] for n in kept] for sent, extra in zip(inputs.rows, more.rows, strict=True)]
    return Columns(layout.features + layout.outputs, rows)


@lru_cache(maxsize=1024)
def _layout(sent: tuple[str, ...], got: tuple[str, ...]) -> tuple[Layout, tuple[int, ...]]:
    """A row's columns, and which of the second side's cells it takes: a column on both sides occurs once."""
    known = set(sent)
    kept = tuple(n for n, name in enumerate(got) if name not in known)
    return Layout(sent, tuple(got[n] for n in kept)), kept


def _places(fields: tuple[str, ...], profile: Profile) -> tuple[int, ...]:
    """Where the probabilities are in a row of the response: as the subscription names them, else as Azure does."""
    if not profile.classifies:
        return ()
    if profile.probability_fields:
        return tuple(fields.index(name) for name in profile.probability_fields if name in fields)
    if profile.engine not in (natives.STUDIO, natives.SERVICE):
        return ()
    return tuple(n for n, name in enumerate(fields) if name.startswith(natives.PROBABILITIES))


def probability(cells: list[Any], *, binary: bool) -> float | None:
    """`prediction_probability` of one row (§5.2); Azure ML Studio writes its numbers as texts.

    The greatest of an array or of several columns; of one number p in binary classification max(p, 1 - p).
    """
    arrays = any(isinstance(cell, list) for cell in cells)
    numbers = [n for cell in cells for each in (cell if isinstance(cell, list) else [cell]) for n in _number(each)]
    if not numbers:
        return None
    if binary and not arrays and len(numbers) == 1:
        return max(numbers[0], 1 - numbers[0])
    return max(numbers)


def _number(cell: object) -> tuple[float, ...]:
    """The number in a cell, if there is one."""
    if type(cell) is float:
        return (cell,)
    try:
        return (cells_of.number(cell),)
    except ValueError:
        return ()


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value or NUL in value:
        raise UnprocessableError(f"{name} is not a text")
    return value


def _check_response_time(value: object) -> None:
    """Whole milliseconds, as a number or as a text of one (§5.1)."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is None or whole or (isinstance(value, str) and value.isascii() and value.isdigit()):
        return
    raise UnprocessableError("response_time is not whole milliseconds")


def _moment(value: object, received: datetime) -> str:
    """The record's time as the table shows it: without a zone it is UTC, without a time the server's clock."""
    if value is None:
        return timestamp(received)
    try:
        moment = datetime.fromisoformat(_text(value, "scoring_timestamp"))
        return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise UnprocessableError("scoring_timestamp is not an ISO 8601 time") from None
