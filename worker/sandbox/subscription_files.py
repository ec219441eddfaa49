"""A subscription as a file: exported from one data mart, imported into another (contract §4.3).

The file's form is the sandbox's own, since nobody has told it: `asset`, `asset_properties` and `deployments` as in
`PUT …/subscriptions/{s}`, and `configurations`, a list of `{"type", "enabled", "parameters"}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.errors import bad_request
from worker.sandbox.subscriptions import MONITORS
from worker.sandbox.subscriptions import PATH as SUBSCRIPTION_PATH
from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.subscriptions import SubscriptionRoutes

PATH = SUBSCRIPTION_PATH + "/file"


class SubscriptionFileRoutes:
    """Export and import."""

    def __init__(self, subscriptions: SubscriptionRoutes) -> None:
        self._subscriptions = subscriptions

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [Route(PATH, self.get, methods=["GET"]), Route(PATH, self.put, methods=["PUT"])]

    async def get(self, request: Request) -> Response:
        """200 with the file."""
        _, subscription = self._subscriptions.named(request)
        file = {
            "asset": subscription.asset,
            "asset_properties": subscription.asset_properties,
            "deployments": subscription.deployments,
            "configurations": [{"type": name} | found for name, found in subscription.monitors.items()],
        }
        return reply(200, file)

    async def put(self, request: Request) -> Response:
        """200 with what was done, or 409 where the subscription is there already."""
        file = await intake.read_object(request)
        monitors = _monitors(file)
        self._subscriptions.create(request, file, monitors)
        done = ["The subscription is made.", *(f"{name} is configured." for name in monitors)]
        return reply(200, [{"success": True, "message": message} for message in done])


def _monitors(file: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The file's configurations, as a subscription keeps them."""
    given = file.get("configurations", [])
    if not isinstance(given, list):
        raise bad_request("configurations must be a list.")
    return dict(_monitor(item, f"configurations[{n}]") for n, item in enumerate(given))


def _monitor(given: object, where: str) -> tuple[str, dict[str, Any]]:
    if not isinstance(given, dict) or not isinstance(given.get("enabled"), bool):
        raise bad_request(f"{where} must be an object with a type, and enabled: true or false.")
    name = intake.text(given, "type", f"{where}.")
    if name not in MONITORS:
        raise bad_request(f"{where}.type must be one of {', '.join(MONITORS)}.")
    parameters = intake.optional_object(given, "parameters", f"{where}.")
    return name, {"enabled": given["enabled"], "parameters": parameters}
