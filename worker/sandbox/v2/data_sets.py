"""Data sets: every subscription whose payload logging was ever switched on has one, `payload_logging` (contract §8)."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from worker.sandbox.errors import ApiError, Code
from worker.sandbox.marts import schema_name
from worker.sandbox.schema import payload_schema
from worker.sandbox.v2.wire import BASE, mart_of, metadata
from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.catalogue import Catalogue, DataMart, Subscription
    from worker.sandbox.store import Store

LIST_PATH: Final = BASE + "/data_sets"
PATH: Final = LIST_PATH + "/{data_set}"
KIND: Final = "payload_logging"
_TARGET: Final = "subscription"
# as many of the newest rows as the types of undeclared columns are read from
_SAMPLE: Final = 100


@lru_cache(maxsize=65536)
def id_of(data_mart_id: str, subscription_id: str) -> str:
    """The id of a subscription's data set: always the same, and so not kept anywhere."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{data_mart_id}/{subscription_id}/{KIND}"))


class DataSets:
    """Which subscription each data set is of."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._subscriptions: dict[str, str] = {}

    def of(self, request: Request) -> tuple[DataMart, Subscription]:
        """The data mart and the subscription of the request's data set, or `ApiError` 404."""
        mart = mart_of(self._catalogue, request)
        wanted = request.path_params["data_set"]
        if wanted not in self._subscriptions:
            self._subscriptions.update({id_of(mart.id, own): own for own in mart.subscriptions})
        found = mart.subscriptions.get(self._subscriptions.get(wanted, ""))
        if found is None or id_of(mart.id, found.id) != wanted or KIND not in found.monitors:
            raise ApiError(404, Code.DATA_SET_UNKNOWN, f"The data set {wanted} does not exist.")
        return mart, found


class DataSetRoutes:
    """List, show."""

    def __init__(self, catalogue: Catalogue, store: Store, data_sets: DataSets) -> None:
        self._catalogue = catalogue
        self._store = store
        self._data_sets = data_sets

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [Route(LIST_PATH, self.list_all, methods=["GET"]), Route(PATH, self.get, methods=["GET"])]

    async def list_all(self, request: Request) -> Response:
        """200 with all of the instance, or with those of a `type`, a `target.target_id`, a `target.target_type`."""
        mart, query = mart_of(self._catalogue, request), request.query_params
        found = []
        if query.get("type", KIND) == KIND and query.get("target.target_type", _TARGET) == _TARGET:
            wanted = query.get("target.target_id")
            found = [
                each for each in mart.subscriptions.values() if KIND in each.monitors and wanted in (None, each.id)
            ]
        return reply(200, {"data_sets": [self._details(mart, subscription) for subscription in found]})

    async def get(self, request: Request) -> Response:
        """200 with the schema of what is stored."""
        return reply(200, self._details(*self._data_sets.of(request)))

    def _details(self, mart: DataMart, subscription: Subscription) -> dict[str, Any]:
        table, own = mart.table(subscription), id_of(mart.id, subscription.id)
        columns = payload_schema(self._store.layouts(table), self._store.newest(table, _SAMPLE, 0), subscription)
        return {
            "metadata": metadata(mart.id, "data_sets", own, subscription.created_at, subscription.modified_at),
            "entity": {
                "data_mart_id": mart.id,
                "name": f"Payload_{subscription.id}",
                "type": KIND,
                "target": {"target_id": subscription.id, "target_type": _TARGET},
                "schema_update_mode": "auto",
                "data_schema": {"type": "struct", "fields": columns},
                "location": {"table_name": f"{schema_name(mart)}.Payload_{subscription.id}"},
                "status": {"state": "active" if subscription.logging_enabled else "disabled"},
            },
        }
