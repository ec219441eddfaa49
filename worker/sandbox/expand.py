"""From a scoring record to its rows: pure, and the sandbox's own reading of contract §5.1, §5.2 and §6.

One row of `values` is one row of the payload table: the request's cells, then those of the response whose
names the request does not have. Cells are kept as they are; nothing is converted.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from worker.sandbox.store import Layout, NewError, NewRecord, NewRow
from worker.sandbox.wire import timestamp

if TYPE_CHECKING:
    from worker.sandbox.catalogue import Subscription
    from worker.sandbox.store import TableKey

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
    """What the rows of a subscription take from it."""

    table: TableKey
    deployment_id: str
    asset_revision: str | None
    classifies: bool
    binary: bool
    probability_fields: tuple[str, ...]

    @classmethod
    def of(cls, table: TableKey, subscription: Subscription) -> Profile:
        """Read a subscription's properties, however loosely its client filled them."""
        properties = subscription.asset_properties
        deployments = subscription.deployments
        revision = properties.get("asset_revision")
        return cls(
            table=table,
            deployment_id=deployments[0]["deployment_id"] if deployments else NO_DEPLOYMENT,
            asset_revision=None if revision is None else str(revision),
            classifies=properties.get("problem_type") != "regression",
            binary=properties.get("problem_type") == "binary",
            probability_fields=_probability_fields(properties),
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
        return NewError(profile.table, scoring_id if isinstance(scoring_id, str) else "", str(exc), body)


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
    )


def _rows(request: object, response: object, profile: Profile) -> tuple[Layout, list[NewRow]]:
    inputs, outputs = columns(request, "request"), columns(response, "response")
    if len(inputs.rows) != len(outputs.rows):
        raise UnprocessableError(f"request has {len(inputs.rows)} rows, response {len(outputs.rows)}")
    inputs = _with_meta(inputs, request)
    layout, kept = _layout(inputs.fields, outputs.fields)
    places = _places(outputs.fields, profile.probability_fields) if profile.classifies else ()
    rows = [
        NewRow(
            orjson.dumps(sent + [got[n] for n in kept]),
            probability([got[n] for n in places], binary=profile.binary),
        )
        for sent, got in zip(inputs.rows, outputs.rows, strict=True)
    ]
    return layout, rows


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


@lru_cache(maxsize=1024)
def _places(fields: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(fields.index(name) for name in wanted if name in fields)


def probability(cells: list[Any], *, binary: bool) -> float | None:
    """`prediction_probability` of one row (§5.2).

    The greatest of an array or of several columns; of one number p in binary classification max(p, 1 - p).
    """
    arrays = any(isinstance(cell, list) for cell in cells)
    numbers = [n for cell in cells for n in (cell if isinstance(cell, list) else [cell]) if _is_number(n)]
    if not numbers:
        return None
    if binary and not arrays and len(numbers) == 1:
        return float(max(numbers[0], 1 - numbers[0]))
    return float(max(numbers))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
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
