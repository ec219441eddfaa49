"""What is posted to a data set, as scoring records: those themselves, rows in JSON, or rows in CSV (contract §8).

A row that is no scoring record is taken apart by the subscription: its prediction and its probabilities are the
response's, all other columns the request's; `scoring_id`, `scoring_timestamp`, `response_time` and `asset_revision`
are the record's own.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import orjson

from worker.sandbox import intake
from worker.sandbox.cells import declared_kinds
from worker.sandbox.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.requests import Request

    from worker.sandbox.catalogue import Subscription

_OWN: Final = ("scoring_id", "scoring_timestamp", "response_time", "asset_revision")
_SIDES: Final = ("request", "response")
# a line of CSV may have so many bytes (contract §8)
_MAX_LINE: Final = 10 * 1024 * 1024


def records_of(request: Request, body: bytes, subscription: Subscription) -> list[dict[str, Any]]:
    """The posted records, at least one; `ApiError` 400 where there is none."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind == "text/csv":
        found = [_of_row(row, subscription) for row in _csv_rows(request, body, subscription)]
    else:
        found = _of_json(intake.parse_json(body), subscription)
        found = found[: intake.integer(request, "limit", len(found))]
    if not found:
        raise bad_request("There must be at least one record.")
    return found


def _of_json(parsed: object, subscription: Subscription) -> list[dict[str, Any]]:
    if not isinstance(parsed, list):
        raise bad_request("The body must be an array of records.")
    found = []
    for number, item in enumerate(parsed):
        if not isinstance(item, dict):
            raise bad_request(f"Record {number} must be an object.")
        if any(side in item for side in _SIDES):
            found.append(item)
        else:
            found += [_of_row(row, subscription) for row in _rows(item, number)]
    return found


def _rows(item: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """The rows of `{"fields", "values"}`, or the one row that the object itself is."""
    if set(item) != {"fields", "values"}:
        return [item]
    fields, values = item["fields"], item["values"]
    named = isinstance(fields, list) and all(isinstance(name, str) for name in fields)
    if not named or not isinstance(values, list):
        raise bad_request(f"Record {number} must have a list of names and a list of rows.")
    if not all(isinstance(row, list) and len(row) == len(fields) for row in values):
        raise bad_request(f"Record {number}: a row has not {len(fields)} cells.")
    return [dict(zip(fields, row, strict=True)) for row in values]


def _of_row(row: dict[str, Any], subscription: Subscription) -> dict[str, Any]:
    """A scoring record of one row."""
    outputs = _outputs(subscription)
    sent = {name: cell for name, cell in row.items() if name not in _OWN and name not in outputs}
    got = {name: cell for name, cell in row.items() if name in outputs}
    own = {name: row[name] for name in _OWN if row.get(name) is not None}
    return own | {"request": _side(sent), "response": _side(got)}


def _side(cells: dict[str, Any]) -> dict[str, Any]:
    return {"fields": list(cells), "values": [list(cells.values())]}


def _outputs(subscription: Subscription) -> set[str]:
    """The columns that the model makes, as far as the subscription names them."""
    properties = subscription.asset_properties
    names = [properties.get("prediction_field"), properties.get("predicted_target_field")]
    probability = properties.get("probability_fields") or properties.get("prediction_probability_field") or []
    names += probability if isinstance(probability, list) else [probability]
    return {name for name in names if isinstance(name, str)}


def _csv_rows(request: Request, body: bytes, subscription: Subscription) -> list[dict[str, Any]]:
    """CSV's rows by column: named by its header, else by the subscription; behind `skip`, and at most `limit`."""
    lines = list(_lines(request, body))
    names = _columns(subscription)
    if lines and _has_header(request, lines[0], names):
        names = lines.pop(0)
    skip = intake.integer(request, "skip", 0)
    lines = lines[skip : skip + intake.integer(request, "limit", len(lines))]
    kinds = declared_kinds(subscription.asset_properties)
    for number, line in enumerate(lines):
        if len(line) != len(names):
            raise bad_request(f"Row {number} has {len(line)} cells, and not {len(names)}.")
    return [
        {
            name: cell if name in kinds or name in _OWN else _guessed(cell)
            for name, cell in zip(names, cells, strict=True)
        }
        for cells in (map(_cell, line) for line in lines)
    ]


def _lines(request: Request, body: bytes) -> Iterator[list[str]]:
    delimiter = request.query_params.get("delimiter", ",")
    longest = intake.integer(request, "csv_max_line_length", _MAX_LINE)
    if any(len(line) > longest for line in body.split(b"\n")):
        raise bad_request(f"A line has more than {longest} bytes.")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise bad_request("The query's delimiter must be one character.")
    try:
        rows = csv.reader(io.StringIO(body.decode(), newline=""), delimiter=delimiter, strict=True)
        yield from (row for row in rows if row)
    except (csv.Error, UnicodeDecodeError):
        raise bad_request("The body is not CSV in UTF-8.") from None


def _has_header(request: Request, first: Sequence[str], names: Sequence[str]) -> bool:
    """As the query says; else, whether the first line has the name of a column."""
    given = request.query_params.get("header")
    if given is None:
        return any(cell in names or cell in _OWN for cell in first)
    return intake.flag(request, "header")


def _columns(subscription: Subscription) -> list[str]:
    """The columns of CSV without a header: the features as they are declared, then what the model makes."""
    features = subscription.asset_properties.get("feature_fields")
    names = [name for name in features if isinstance(name, str)] if isinstance(features, list) else []
    return [*names, *sorted(_outputs(subscription) - set(names), key=_prediction_first(subscription))]


def _prediction_first(subscription: Subscription) -> Any:
    prediction = subscription.asset_properties.get("prediction_field")
    return lambda name: (name != prediction, name)


def _cell(text: str) -> str | None:
    return text or None


def _guessed(cell: str | None) -> object:
    """A number or a list in a column that nobody declared; anything else stays a text."""
    try:
        found = None if cell is None else orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell
    return found if isinstance(found, int | float | list) else cell
