"""Monitors of v2, as far as the SDK needs them to be there (contract §8).

A monitor instance is what v1 configures of a subscription: `enabled` and `parameters`. Nothing is ever monitored.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.errors import ApiError, Code, bad_request
from worker.sandbox.v2.wire import ACTIVE, BASE, UNKNOWN_TIME, check_mart, mart_of, metadata
from worker.sandbox.wire import now, reply, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.catalogue import Catalogue, DataMart, Subscription

DEFINITIONS_PATH: Final = BASE + "/monitor_definitions"
DEFINITION_PATH: Final = DEFINITIONS_PATH + "/{monitor_definition}"
LIST_PATH: Final = BASE + "/monitor_instances"
PATH: Final = LIST_PATH + "/{monitor_instance}"
# definition ids, and what v1 calls them
NAMES: Final = {
    "performance": "performance_monitoring",
    "quality": "quality_monitoring",
    "fairness": "fairness_monitoring",
    "explainability": "explainability",
}


class MonitorRoutes:
    """Definitions to list and show; instances to add, list and show."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [
            Route(DEFINITIONS_PATH, self.definitions, methods=["GET"]),
            Route(DEFINITION_PATH, self.definition, methods=["GET"]),
            Route(LIST_PATH, self.add, methods=["POST"]),
            Route(LIST_PATH, self.list_all, methods=["GET"]),
            Route(PATH, self.get, methods=["GET"]),
        ]

    async def definitions(self, request: Request) -> Response:
        """200, with or without a data mart: the SDK asks before it makes one."""
        instance = request.path_params["instance"]
        return reply(200, {"monitor_definitions": [_definition(instance, name) for name in NAMES]})

    async def definition(self, request: Request) -> Response:
        """200."""
        name = request.path_params["monitor_definition"]
        return reply(200, _definition(request.path_params["instance"], _known(name, 404)))

    async def add(self, request: Request) -> Response:
        """201; the subscription shows the monitor as enabled, in v1 too."""
        mart = mart_of(self._catalogue, request)
        body = await intake.read_object(request)
        check_mart(mart, body.get("data_mart_id"))
        name = _known(intake.text(body, "monitor_definition_id"), 400)
        target = intake.optional_object(body, "target")
        subscription = mart.subscription(intake.text(target, "target_id", "target."))
        parameters = intake.optional_object(body, "parameters")
        subscription.monitors[NAMES[name]] = {"enabled": True, "parameters": parameters}
        subscription.modified_at = timestamp(now())
        self._catalogue.save_subscription(mart, subscription)
        return reply(201, _instance(mart, subscription, name))

    async def list_all(self, request: Request) -> Response:
        """200 with all of the instance, or with those of a definition or a target."""
        mart = mart_of(self._catalogue, request)
        wanted = request.query_params.get("monitor_definition_id")
        target = request.query_params.get("target.target_id")
        found = [each for each in _enabled(mart) if wanted in (None, each[1]) and target in (None, each[0].id)]
        return reply(200, {"monitor_instances": [_instance(mart, *each) for each in found]})

    async def get(self, request: Request) -> Response:
        """200."""
        mart = mart_of(self._catalogue, request)
        wanted = request.path_params["monitor_instance"]
        for subscription, name in _enabled(mart):
            if _id(mart, subscription, name) == wanted:
                return reply(200, _instance(mart, subscription, name))
        raise ApiError(404, Code.MONITOR_UNKNOWN, f"The monitor instance {wanted} does not exist.")


def _known(name: str, status: int) -> str:
    if name in NAMES:
        return name
    message = f"The monitor definition {name} does not exist."
    raise bad_request(message) if status == 400 else ApiError(status, Code.MONITOR_UNKNOWN, message)  # noqa: PLR2004 - a status


def _definition(instance: str, name: str) -> dict[str, Any]:
    entity = {"name": name.capitalize(), "metrics": [], "tags": []}
    return {"metadata": metadata(instance, "monitor_definitions", name, UNKNOWN_TIME), "entity": entity}


def _enabled(mart: DataMart) -> Iterator[tuple[Subscription, str]]:
    for subscription in mart.subscriptions.values():
        for name, monitor in NAMES.items():
            if subscription.monitors.get(monitor, {}).get("enabled"):
                yield subscription, name


def _id(mart: DataMart, subscription: Subscription, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{mart.id}/{subscription.id}/monitors/{name}"))


def _instance(mart: DataMart, subscription: Subscription, name: str) -> dict[str, Any]:
    own = _id(mart, subscription, name)
    return {
        "metadata": metadata(mart.id, "monitor_instances", own, subscription.created_at, subscription.modified_at),
        "entity": {
            "data_mart_id": mart.id,
            "monitor_definition_id": name,
            "target": {"target_id": subscription.id, "target_type": "subscription"},
            "parameters": subscription.monitors[NAMES[name]].get("parameters", {}),
            "status": ACTIVE,
        },
    }
