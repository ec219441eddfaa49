"""The schema of a subscription's payload table: its own columns, then what was logged (contract §5.2).

Types are the ones that the subscription's asset declares; else they are read off the newest logged cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from worker.sandbox.cells import declared

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.sandbox.catalogue import Subscription
    from worker.sandbox.store import Layout, Row

BASE = ("scoring_id", "scoring_timestamp", "deployment_id", "asset_revision")
PROBABILITY = "prediction_probability"


def payload_schema(layouts: Sequence[Layout], rows: Sequence[Row], subscription: Subscription) -> list[dict[str, Any]]:
    """The table's columns in order; `rows` are some that show what undeclared columns hold."""
    properties = subscription.asset_properties
    features = _merged([layout.features for layout in layouts] or [_declared_features(properties)])
    outputs = [name for name in _merged(layout.outputs for layout in layouts) if name not in features]
    types = _seen(rows) | declared(properties)
    own = {*BASE, PROBABILITY}
    columns = [_column(name, types, _role(name, properties, "feature")) for name in features if name not in own]
    columns += [_column(name, types, _role(name, properties, None)) for name in outputs if name not in own]
    if properties.get("problem_type") != "regression":
        columns.append(column(PROBABILITY, "double", "prediction-probability"))
    return [*_base(), *columns]


def column(name: str, kind: object, role: str | None, *, nullable: bool = True) -> dict[str, Any]:
    """One field of a schema."""
    return {
        "name": name,
        "type": kind,
        "nullable": nullable,
        "metadata": {} if role is None else {"modeling_role": role},
    }


def _base() -> list[dict[str, Any]]:
    return [
        column("scoring_id", "string", "record-id", nullable=False),
        column("scoring_timestamp", "timestamp", "record-timestamp", nullable=False),
        column("deployment_id", "string", None, nullable=False),
        column("asset_revision", "string", None),
    ]


def _column(name: str, types: dict[str, object], role: str | None) -> dict[str, Any]:
    return column(name, types.get(name, "string"), role)


def _role(name: str, properties: dict[str, Any], otherwise: str | None) -> str | None:
    """A column's role in the model, as far as the subscription says."""
    probability = properties.get("probability_fields") or []
    if name in (probability if isinstance(probability, list) else [probability]):
        return "probability"
    if name in (properties.get("prediction_field"), properties.get("predicted_target_field")):
        return "prediction"
    return otherwise


def _merged(layouts: Iterable[Sequence[str]]) -> dict[str, None]:
    """The names of all layouts, each once, in the order in which they came."""
    return dict.fromkeys(name for names in layouts for name in names)


def _declared_features(properties: dict[str, Any]) -> list[str]:
    names = properties.get("feature_fields")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _seen(rows: Sequence[Row]) -> dict[str, object]:
    """The types of what was logged: the first cell that is not null tells, but any float makes a double."""
    types: dict[str, object] = {}
    for row in rows:
        names = row.layout.names
        for name, cell in zip(names, orjson.loads(row.cells), strict=True):
            if cell is not None and (name not in types or isinstance(cell, float)):
                types[name] = _type(cell)
    return types


def _type(cell: object) -> object:
    match cell:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "double"
        case [first, *_]:
            numbers = isinstance(first, (int, float)) and not isinstance(first, bool)
            return {
                "type": "array",
                "elementType": "double" if numbers else _type(first),
                "containsNull": True,
            }
        case list():
            return {"type": "array", "elementType": "string", "containsNull": True}
        case _:
            return "string"
