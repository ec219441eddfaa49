"""Subscriptions: an asset of a binding, with its deployments, that is watched (contract §4.2, §4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.bindings import PATH as BINDING_PATH
from worker.sandbox.catalogue import Subscription
from worker.sandbox.errors import ApiError, Code, bad_request
from worker.sandbox.patch import patched
from worker.sandbox.wire import now, reply, timestamp

if TYPE_CHECKING:
    from starlette.requests import Request

    from worker.sandbox.catalogue import Catalogue, DataMart

LIST_PATH = BINDING_PATH + "/subscriptions"
PATH = LIST_PATH + "/{subscription}"

# type and definition id of each monitor that a subscription shows; the sandbox configures the first two
MONITORS = {
    "payload_logging": "payload_logging",
    "performance_monitoring": "performance_monitoring",
    "quality_monitoring": "quality",
    "fairness_monitoring": "fairness",
    "explainability": "explainability",
}


class SubscriptionRoutes:
    """Add, list, show, patch, delete."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [
            Route(LIST_PATH, self.list_all, methods=["GET"]),
            Route(PATH, self.put, methods=["PUT"]),
            Route(PATH, self.get, methods=["GET"]),
            Route(PATH, self.patch, methods=["PATCH"]),
            Route(PATH, self.delete, methods=["DELETE"]),
        ]

    async def put(self, request: Request) -> Response:
        """201, under the id that the client made; 409 where it is there already."""
        return reply(201, details(*self.create(request, await intake.read_object(request), {})))

    def create(
        self, request: Request, body: dict[str, Any], monitors: dict[str, dict[str, Any]]
    ) -> tuple[DataMart, Subscription]:
        """Make the subscription of the request's path, with what is configured of it; `ApiError` 409 if it is there."""
        mart = self._catalogue.mart(request.path_params["data_mart"])
        binding = mart.binding(request.path_params["binding"])
        subscription_id = request.path_params["subscription"]
        if subscription_id in mart.subscriptions:
            message = f"The subscription {subscription_id} is already defined."
            raise ApiError(409, Code.SUBSCRIPTION_EXISTS, message)
        created_at = timestamp(now())
        parts = checked(body, created_at)
        made = Subscription(subscription_id, binding.id, created_at, created_at, **parts, monitors=monitors)
        self._catalogue.save_subscription(mart, made)
        return mart, made

    async def list_all(self, request: Request) -> Response:
        """200 with all of the binding."""
        mart = self._catalogue.mart(request.path_params["data_mart"])
        binding = mart.binding(request.path_params["binding"])
        found = [s for s in mart.subscriptions.values() if s.binding_id == binding.id]
        return reply(200, {"subscriptions": [details(mart, subscription) for subscription in found]})

    async def get(self, request: Request) -> Response:
        """200."""
        return reply(200, details(*self.named(request)))

    async def patch(self, request: Request) -> Response:
        """200; the pointers of the JSON Patch begin at the entity."""
        mart, subscription = self.named(request)
        before = {
            "asset": subscription.asset,
            "asset_properties": subscription.asset_properties,
            "deployments": subscription.deployments,
        }
        after = checked(patched(before, await intake.read_json(request)), subscription.created_at)
        subscription.asset = after["asset"]
        subscription.asset_properties = after["asset_properties"]
        subscription.deployments = after["deployments"]
        subscription.modified_at = timestamp(now())
        self._catalogue.save_subscription(mart, subscription)
        return reply(200, details(mart, subscription))

    async def delete(self, request: Request) -> Response:
        """202, and gone at once."""
        self._catalogue.remove_subscription(*self.named(request))
        return Response(status_code=202)

    def named(self, request: Request) -> tuple[DataMart, Subscription]:
        """The data mart and the subscription of the request's path, or `ApiError` 404."""
        mart = self._catalogue.mart(request.path_params["data_mart"])
        binding = mart.binding(request.path_params["binding"])
        return mart, mart.subscription(request.path_params["subscription"], binding.id)


def checked(body: dict[str, Any], created_at: str) -> dict[str, Any]:
    """`asset`, `asset_properties` and `deployments` of a body, with the keys that every answer must have."""
    deployments = body.get("deployments", [])
    if not isinstance(deployments, list):
        raise bad_request("deployments must be a list.")
    asset = intake.optional_object(body, "asset")
    intake.optional_texts(asset, ("name", "url", "asset_type", "created_at"), "asset.")
    defaults = {
        "name": intake.text(asset, "asset_id", "asset."),
        "asset_type": "model",
        "created_at": created_at,
    }
    return {
        "asset": defaults | asset,
        "asset_properties": intake.optional_object(body, "asset_properties"),
        "deployments": [_deployment(item, f"deployments[{n}].") for n, item in enumerate(deployments)],
    }


def _deployment(given: object, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise bad_request(f"{where[:-1]} must be an object.")
    intake.optional_texts(given, ("name", "url", "deployment_type", "created_at"), where)
    return {"name": intake.text(given, "deployment_id", where), "deployment_type": "online"} | given


def details(mart: DataMart, subscription: Subscription) -> dict[str, Any]:
    """A subscription as every answer shows it."""
    url = f"/v1/data_marts/{mart.id}/service_bindings/{subscription.binding_id}/subscriptions/{subscription.id}"
    return {
        "metadata": {
            "guid": subscription.id,
            "url": url,
            "created_at": subscription.created_at,
            "modified_at": subscription.modified_at,
        },
        "entity": {
            "service_binding_id": subscription.binding_id,
            "status": {"state": "active"},
            "asset": subscription.asset,
            "asset_properties": subscription.asset_properties,
            "deployments": subscription.deployments,
            "configurations": [_monitor(subscription, name, url) for name in MONITORS],
        },
    }


def _monitor(subscription: Subscription, name: str, url: str) -> dict[str, Any]:
    return {
        "type": name,
        "monitor_definition_id": MONITORS[name],
        "enabled": bool(subscription.monitors.get(name, {}).get("enabled")),
        "url": f"{url}/configurations/{name}",
    }
