"""Subscriptions of v2: those of v1, with one deployment, and with two properties in the asset (contract §8)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.catalogue import Subscription
from worker.sandbox.expand import NO_DEPLOYMENT
from worker.sandbox.subscriptions import checked
from worker.sandbox.v2.wire import ACTIVE, BASE, check_mart, mart_of, metadata
from worker.sandbox.wire import now, reply, timestamp

if TYPE_CHECKING:
    from starlette.requests import Request

    from worker.sandbox.catalogue import Catalogue, DataMart

LIST_PATH: Final = BASE + "/subscriptions"
PATH: Final = LIST_PATH + "/{subscription}"
# v1 has these among the properties
_OF_ASSET: Final = ("problem_type", "input_data_type")


class SubscriptionRoutes:
    """Add, list, show, delete."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [
            Route(LIST_PATH, self.add, methods=["POST"]),
            Route(LIST_PATH, self.list_all, methods=["GET"]),
            Route(PATH, self.get, methods=["GET"]),
            Route(PATH, self.delete, methods=["DELETE"]),
        ]

    async def add(self, request: Request) -> Response:
        """201 with the id that the data mart gave it; its data set is there at once."""
        mart = mart_of(self._catalogue, request)
        body = await intake.read_object(request)
        check_mart(mart, body.get("data_mart_id"))
        provider = mart.binding(intake.text(body, "service_provider_id"))
        created_at = timestamp(now())
        made = Subscription(
            str(uuid.uuid4()), provider.id, created_at, created_at, **checked(_as_v1(body), created_at),
            monitors={"payload_logging": {"enabled": True, "parameters": {}}},
        )  # fmt: skip
        self._catalogue.save_subscription(mart, made)
        return reply(201, _details(mart, made))

    async def list_all(self, request: Request) -> Response:
        """200 with all of the instance, or with those of a provider, an asset or a deployment."""
        mart = mart_of(self._catalogue, request)
        found = [_details(mart, subscription) for subscription in mart.subscriptions.values()]
        for path in FILTERS:
            wanted = request.query_params.get(path)
            found = [each for each in found if wanted in (None, _at(each["entity"], path))]
        return reply(200, {"subscriptions": found})

    async def get(self, request: Request) -> Response:
        """200."""
        return reply(200, _details(*self._named(request)))

    async def delete(self, request: Request) -> Response:
        """202, and gone at once with its data set."""
        self._catalogue.remove_subscription(*self._named(request))
        return Response(status_code=202)

    def _named(self, request: Request) -> tuple[DataMart, Subscription]:
        mart = mart_of(self._catalogue, request)
        return mart, mart.subscription(request.path_params["subscription"])


FILTERS: Final = (
    "data_mart_id", "service_provider_id", "asset.asset_id", "deployment.deployment_id", "deployment.deployment_type"
)  # fmt: skip


def _at(entity: dict[str, Any], path: str) -> object:
    """What an entity has at a path such as `asset.asset_id`."""
    found: object = entity
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _as_v1(body: dict[str, Any]) -> dict[str, Any]:
    """A v2 body in the form of v1; what is null counts as left out."""
    asset = _without_nulls(intake.optional_object(body, "asset"))
    properties = _without_nulls(intake.optional_object(body, "asset_properties"))
    properties |= {name: asset.pop(name) for name in _OF_ASSET if name in asset}
    deployment = _without_nulls(intake.optional_object(body, "deployment"))
    intake.text(deployment, "deployment_id", "deployment.")
    return {"asset": asset, "asset_properties": properties, "deployments": [deployment]}


def _without_nulls(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _details(mart: DataMart, subscription: Subscription) -> dict[str, Any]:
    """A subscription as every answer shows it."""
    own, changed = subscription.id, subscription.modified_at
    asset, properties = _without_nulls(subscription.asset), dict(subscription.asset_properties)
    of_asset = {name: properties.pop(name) for name in _OF_ASSET if name in properties}
    if isinstance(properties.get("probability_fields"), str):
        properties["probability_fields"] = [properties["probability_fields"]]
    return {
        "metadata": metadata(mart.id, "subscriptions", own, subscription.created_at, changed),
        "entity": {
            "data_mart_id": mart.id,
            "service_provider_id": subscription.binding_id,
            "asset": {"name": asset["asset_id"], "asset_type": "model"} | asset | of_asset,
            "asset_properties": properties,
            "deployment": subscription.deployments[0] if subscription.deployments else _NO_DEPLOYMENT,
            "status": ACTIVE,
        },
    }


_NO_DEPLOYMENT: Final = {"deployment_id": NO_DEPLOYMENT, "name": NO_DEPLOYMENT, "deployment_type": "online"}
