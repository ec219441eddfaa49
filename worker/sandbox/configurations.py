"""What is configured of a subscription, and the table that follows from it (contract §5).

`…/configurations/payload_logging`, `…/configurations/performance_monitoring` and `…/payload_table_schema`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.errors import bad_request
from worker.sandbox.marts import schema_name
from worker.sandbox.schema import BASE, payload_schema
from worker.sandbox.subscriptions import PATH as SUBSCRIPTION_PATH
from worker.sandbox.wire import now, reply, timestamp

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.catalogue import Catalogue, DataMart, Subscription
    from worker.sandbox.store import Store
    from worker.sandbox.subscriptions import SubscriptionRoutes

LOGGING_PATH = SUBSCRIPTION_PATH + "/configurations/payload_logging"
PERFORMANCE_PATH = SUBSCRIPTION_PATH + "/configurations/performance_monitoring"
SCHEMA_PATH = SUBSCRIPTION_PATH + "/payload_table_schema"
# as many of the newest rows as the types of undeclared columns are read from
_SAMPLE = 100


class ConfigurationRoutes:
    """Enable, disable, show."""

    def __init__(self, catalogue: Catalogue, store: Store, subscriptions: SubscriptionRoutes) -> None:
        self._catalogue = catalogue
        self._store = store
        self._subscriptions = subscriptions

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [
            Route(LOGGING_PATH, self.put_logging, methods=["PUT"]),
            Route(LOGGING_PATH, self.get_logging, methods=["GET"]),
            Route(PERFORMANCE_PATH, self.put_performance, methods=["PUT"]),
            Route(PERFORMANCE_PATH, self.get_performance, methods=["GET"]),
            Route(SCHEMA_PATH, self.get_schema, methods=["GET"]),
        ]

    async def put_logging(self, request: Request) -> Response:
        """200: payloads are taken from now on, or no more."""
        mart, subscription = await self._configure(request, "payload_logging")
        return reply(200, self._logging(mart, subscription))

    async def get_logging(self, request: Request) -> Response:
        """200 with the table's name and what it has beyond its own columns."""
        return reply(200, self._logging(*self._subscriptions.named(request)))

    async def put_performance(self, request: Request) -> Response:
        """200."""
        _, subscription = await self._configure(request, "performance_monitoring")
        return reply(200, subscription.monitors["performance_monitoring"])

    async def get_performance(self, request: Request) -> Response:
        """200."""
        _, subscription = self._subscriptions.named(request)
        none = {"enabled": False, "parameters": {}}
        return reply(200, subscription.monitors.get("performance_monitoring", none))

    async def get_schema(self, request: Request) -> Response:
        """200 with the columns of the payload table."""
        mart, subscription = self._subscriptions.named(request)
        return reply(200, {"table_schema": {"type": "struct", "fields": self._columns(mart, subscription)}})

    async def _configure(self, request: Request, monitor: str) -> tuple[DataMart, Subscription]:
        mart, subscription = self._subscriptions.named(request)
        body = await intake.read_object(request)
        if not isinstance(body.get("enabled"), bool):
            raise bad_request("enabled must be true or false.")
        before = subscription.monitors.get(monitor, {}).get("parameters", {})
        parameters = before | intake.optional_object(body, "parameters")
        subscription.monitors[monitor] = {"enabled": body["enabled"], "parameters": parameters}
        subscription.modified_at = timestamp(now())
        self._catalogue.save_subscription(mart, subscription)
        return mart, subscription

    def _logging(self, mart: DataMart, subscription: Subscription) -> dict[str, Any]:
        logged = [column for column in self._columns(mart, subscription) if column["name"] not in BASE]
        parameters = {
            "table_name": f"{schema_name(mart)}.Payload_{subscription.id}",
            "dynamic_schema_update": False,
            "output_data_schema": {"type": "struct", "fields": logged},
        }
        given = subscription.monitors.get("payload_logging", {}).get("parameters", {})
        return {"enabled": subscription.logging_enabled, "parameters": parameters | given}

    def _columns(self, mart: DataMart, subscription: Subscription) -> list[dict[str, Any]]:
        table = mart.table(subscription)
        return payload_schema(self._store.layouts(table), self._store.newest(table, _SAMPLE, 0), subscription)
