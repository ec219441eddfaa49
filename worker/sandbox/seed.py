"""A data mart to begin with: a binding and a subscription for each engine, made by the calls of clients.

The ids are fixed, so that tests, the demo and people can name them; what is there already stays as it is.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from worker.sandbox.bindings import ENGINES
from worker.sandbox.tokens import GRANT, PREAUTH_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DATA_MART_ID = "00000000-0000-4000-8000-000000000001"
ALL = ("custom", "azure-studio", "azure-service", "sagemaker")
FEATURES = ("age", "hours", "income", "sector")
NUMBERS = ("age", "hours", "income", "debt")

_AZURE_SECRETS = {"client_id": "-", "client_secret": "-", "subscription_id": "-", "tenant": "-"}
_CREDENTIALS: dict[str, dict[str, str]] = {
    "custom": {},
    "azure-studio": _AZURE_SECRETS,
    "azure-service": _AZURE_SECRETS,
    "sagemaker": {"access_key_id": "-", "secret_access_key": "-", "region": "us-east-1"},
}
# feature, prediction and probability columns, as models of each engine name them (contract §6)
_COLUMNS: dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "custom": (FEATURES, "prediction", ("probability",)),
    "azure-studio": (FEATURES, "Scored Labels", ("Scored Probabilities",)),
    "azure-service": (FEATURES, "Scored Labels", ("Scored Probabilities",)),
    "sagemaker": (NUMBERS, "predicted_label", ("score",)),
}


@dataclass(frozen=True, slots=True)
class Seeded:
    """What an event and a record must name; `features` are the subscription's feature columns, in order."""

    engine: str
    binding_id: str
    subscription_id: str
    deployment_id: str
    asset_id: str
    features: tuple[str, ...]


def planned(engine: str) -> Seeded:
    """The ids that `seed` gives an engine."""
    number = ALL.index(engine) + 1
    asset_id = "action" if engine == "custom" else f"{number}a{'0' * 30}"
    return Seeded(
        engine=engine,
        binding_id=f"00000000-0000-4000-8000-0000000b{number:04}",
        subscription_id=f"00000000-0000-4000-8000-0000000c{number:04}",
        deployment_id="action" if engine == "custom" else f"{number}d{'0' * 30}",
        asset_id=asset_id,
        features=_COLUMNS[engine][0],
    )


def seed(
    url: str,
    data_mart_id: str = DATA_MART_ID,
    engines: Iterable[str] = ALL,
    *,
    api_key: str = "sandbox",
    scoring_urls: Mapping[str, str] | None = None,
) -> dict[str, Seeded]:
    """Make the data mart, bindings and subscriptions at a sandbox's `url`; payload logging is enabled.

    `scoring_urls` says where an engine answers (by default nowhere); a custom engine is asked there for its
    deployments, which must have one of id `action`.
    """
    with connect(url) as client:
        client.headers["Authorization"] = f"Bearer {token(client, api_key)}"
        mart = f"/v1/data_marts/{data_mart_id}"
        _done(client.put(mart, json={"internal_database": True}), 200)
        return {
            engine: _engine(client, mart, planned(engine), (scoring_urls or {}).get(engine, f"{url}/scoring"))
            for engine in engines
        }


def connect(url: str) -> httpx.Client:
    """A client of a sandbox: plain HTTP, so no certificates are loaded, which would take longer than a request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.Client(base_url=url.rstrip("/"), timeout=60, trust_env=False, verify=context)


def token(client: httpx.Client, api_key: str) -> str:
    """An IAM token, asked for as the cloud client does at a URL that it does not know (contract §1.1)."""
    answer = client.post(PREAUTH_PATH, data={"grant_type": GRANT, "apikey": api_key})
    return str(_done(answer, 200)["access_token"])


def _engine(client: httpx.Client, mart: str, seeded: Seeded, scoring_url: str) -> Seeded:
    """The binding, then the calls of `subscriptions.add` in their order (contract §4.2)."""
    _bind(client, mart, seeded, scoring_url)
    if seeded.engine != "custom":
        told = {"binding_id": seeded.binding_id, "resources": [_resource(seeded, scoring_url)]}
        _done(client.post("/sandbox/assets", json=told), 201)
    binding = f"{mart}/service_bindings/{seeded.binding_id}"
    _done(client.get(binding), 200)
    subscription = f"{binding}/subscriptions/{seeded.subscription_id}"
    _done(client.put(subscription, json=_subscription(seeded, _discovered(client, mart, seeded))), 201)
    _done(client.put(f"{subscription}/configurations/payload_logging", json={"enabled": True}), 200)
    performance = {"enabled": True, "parameters": {}}
    _done(client.put(f"{subscription}/configurations/performance_monitoring", json=performance), 200)
    return seeded


def _bind(client: httpx.Client, mart: str, seeded: Seeded, scoring_url: str) -> None:
    credentials = _CREDENTIALS[seeded.engine] | ({"url": scoring_url} if seeded.engine == "custom" else {})
    body = {
        "name": seeded.engine,
        "service_type": ENGINES[seeded.engine],
        "instance_id": seeded.binding_id,
        "credentials": credentials,
    }
    _done(client.post(f"{mart}/service_bindings", json=body), 201)


def _discovered(client: httpx.Client, mart: str, seeded: Seeded) -> dict[str, Any]:
    """The deployment of the seeded id, as the discovery has it."""
    query = {"datamart_id": mart.rpartition("/")[2], "limit": "1000"}
    answer = _done(client.get(f"/v1/ml_instances/{seeded.binding_id}/deployments", params=query), 200)
    for resource in answer["resources"]:
        if resource["metadata"]["guid"] == seeded.deployment_id:
            found: dict[str, Any] = resource
            return found
    raise LookupError(f"The engine {seeded.engine} has no deployment {seeded.deployment_id}.")


def _subscription(seeded: Seeded, resource: dict[str, Any]) -> dict[str, Any]:
    """The body that the client makes of a discovered deployment and of what its caller knows of the model."""
    metadata, entity = resource["metadata"], resource["entity"]
    features, prediction, probabilities = _COLUMNS[seeded.engine]
    learnt = {
        "input_data_type": "structured",
        "problem_type": "binary",
        "label_column": "approved",
        "prediction_field": prediction,
        "probability_fields": list(probabilities),
        "feature_fields": list(features),
        "categorical_fields": [name for name in features if name == "sector"],
    }
    deployment = {
        "deployment_id": metadata["guid"],
        "url": metadata["url"],
        "name": entity["name"],
        "deployment_type": entity["type"],
        "created_at": metadata["created_at"],
        "scoring_endpoint": entity["scoring_endpoint"],
    }
    properties = entity["asset_properties"] | learnt
    return {"asset": entity["asset"], "asset_properties": properties, "deployments": [deployment]}


def _resource(seeded: Seeded, scoring_url: str) -> dict[str, Any]:
    """What the engine's own service would say of its deployment (contract §4.1)."""
    schema = [
        {"name": name, "type": "string" if name == "sector" else "double", "nullable": False}
        for name in seeded.features
    ]
    return {
        "metadata": {
            "guid": seeded.deployment_id,
            "url": scoring_url,
            "created_at": "2019-05-06T11:33:11.219Z",
        },
        "entity": {
            "name": f"{seeded.engine}-loans",
            "type": "online",
            "scoring_endpoint": {"url": scoring_url, "request_headers": {"Content-Type": "application/json"}},
            "asset": {"asset_id": seeded.asset_id, "name": f"{seeded.engine}-loans", "url": scoring_url},
            "asset_properties": {
                "problem_type": "binary",
                "input_data_schema": {"type": "struct", "fields": schema},
            },
        },
    }


def _done(answer: httpx.Response, expected: int) -> dict[str, Any]:
    """The answer's JSON where it is the expected one; what is there already (409) is as good."""
    if answer.status_code == 409:  # noqa: PLR2004 - a status
        return {}
    if answer.status_code != expected:
        raise RuntimeError(f"{answer.request.method} {answer.request.url.path} was answered {answer.status_code}.")
    body: dict[str, Any] = answer.json()
    return body
