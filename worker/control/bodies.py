"""What is sent to the data mart, to the letter (contract §2 to §5): pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.control.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.control.credentials import Given
    from worker.control.engines import Engine

SAGEMAKER: Final = "amazon_sagemaker"
# what clients send of a deployment that does not say when it was made
_NO_TIME: Final = "0000-01-01T00:00:00.0Z"
_NAMESPACE: Final = uuid.UUID("6f1c3a52-8f0e-5d0b-9d55-0b6f3c0d7a11")


@dataclass(frozen=True, slots=True)
class Columns:
    """What a person says of an asset; what is None or empty is left to what the engine says."""

    input_data_type: str | None = None
    problem_type: str | None = None
    label: str | None = None
    prediction: str | None = None
    probability: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()

    def properties(self) -> dict[str, Any]:
        """As `asset_properties` (§4.2)."""
        named = {
            "input_data_type": self.input_data_type,
            "problem_type": self.problem_type,
            "label_column": self.label,
            "prediction_field": self.prediction,
            "probability_fields": list(self.probability),
            "feature_fields": list(self.features),
            "categorical_fields": list(self.categorical),
        }
        return {key: value for key, value in named.items() if value}


INTERNAL: Final[Mapping[str, Any]] = {"internal_database": True}


def database(credentials: Mapping[str, Any], schema: str | None) -> dict[str, Any]:
    """The body of `setup` for a database (§2); raises `ControlError` for one that is not PostgreSQL."""
    kind = str(credentials.get("db_type") or "")
    text = " ".join(map(str, credentials.values()))
    if kind != "postgresql" and (kind or "postgres" not in text):
        raise ControlError("the database's credentials name no PostgreSQL: a uri begins with postgres://")
    name = str(credentials.get("name") or "postgresql")
    location = {"schema": schema} if schema else {}
    of = {"database_type": "postgresql", "name": name, "credentials": dict(credentials), "location": location}
    return {"database_configuration": of}


def binding(engine: Engine, name: str, given: Given, binding_id: str | None) -> dict[str, Any]:
    """The body of a new binding (§3). Its id: as said, else a random one, but of a custom engine always the same.

    That one is derived from the engine's URL and user and from nothing secret, since ids are shown to everyone.
    """
    found = binding_id or given.instance_id
    if found is None and engine.name == "custom":
        found = str(uuid.uuid5(_NAMESPACE, "\n".join((given.values["url"], given.values.get("username", "")))))
    body = {
        "name": name,
        "service_type": engine.service_type,
        "instance_id": found or str(uuid.uuid4()),
        "credentials": given.values,
    }
    return body | ({"request_headers": given.request_headers} if given.request_headers else {})


def subscription(service_type: str, resource: Mapping[str, Any], columns: Columns) -> dict[str, Any]:
    """The body of a new subscription to a discovered deployment (§4.2)."""
    entity = resource["entity"]
    asset, endpoint = entity["asset"], entity["scoring_endpoint"]
    metadata = {"url": "", "created_at": _NO_TIME} | resource["metadata"]
    named = {"asset_id": asset["asset_id"], "url": asset.get("url") or endpoint.get("url", ""), "name": asset["name"]}
    named |= {"asset_type": asset.get("asset_type") or "model"}
    deployment = {
        "deployment_id": metadata["guid"],
        "url": metadata["url"],
        "name": entity["name"],
        "deployment_type": entity["type"],
        "created_at": metadata["created_at"],
        "scoring_endpoint": endpoint,
    }
    return {
        "asset": named | {key: asset[key] for key in ("created_at",) if key in asset},
        "asset_properties": _properties(service_type, entity.get("asset_properties") or {}, columns),
        "deployments": [deployment | {key: entity[key] for key in ("deployment_rn",) if key in entity}],
    }


def _properties(service_type: str, discovered: Mapping[str, Any], columns: Columns) -> dict[str, Any]:
    """What was discovered, copied whole, under what was said; features from the training data where nobody says."""
    found = {**discovered}
    if service_type == SAGEMAKER and (predicted := found.pop("predicted_target_field", None)):
        found["prediction_field"] = predicted
    found |= columns.properties()
    training = found.get("training_data_schema") or {}
    if found.get("label_column") and "feature_fields" not in found and training.get("fields"):
        names = [field["name"] for field in training["fields"]]
        found["feature_fields"] = [name for name in names if name != found["label_column"]]
    return found


def patch(service_type: str, changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The JSON Patch that gives a subscription other properties (§4.3), which names two of them in its own way."""
    return [
        {"op": "add", "path": f"/asset_properties/{path}", "value": value}
        for path, value in (_patched(service_type, key, value) for key, value in changes.items())
    ]


def _patched(service_type: str, key: str, value: Any) -> tuple[str, Any]:
    if key == "prediction_field" and service_type != SAGEMAKER:
        return "predicted_target_field", value
    if key == "probability_fields" and len(value) == 1:
        return key, value[0]
    return key, value


def differing(wanted: Columns, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that were said and are otherwise, as they were said; what was not said may be anything."""
    return {key: value for key, value in wanted.properties().items() if _current(properties, key) != value}


def _current(properties: Mapping[str, Any], key: str) -> Any:
    """A property as it is, wherever a patch or an older client may have put it."""
    if key == "prediction_field":
        return properties.get("predicted_target_field") or properties.get(key)
    found = properties.get(key)
    if key == "probability_fields":
        found = found or properties.get("prediction_probability_field")
        return [found] if isinstance(found, str) else found
    return found
