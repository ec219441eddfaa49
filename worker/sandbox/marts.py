"""Data marts: `PUT`, `GET` and `DELETE` of `/v1/data_marts/{data_mart}` (contract §2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.errors import ApiError, Code, bad_request
from worker.sandbox.store import UnavailableError
from worker.sandbox.stores import schema_of
from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from starlette.requests import Request

    from worker.sandbox.catalogue import Catalogue, DataMart
    from worker.sandbox.stores import MartStores

PATH = "/v1/data_marts/{data_mart}"
INTERNAL = {"internal_database": True}


class MartRoutes:
    """The calls of `setup`, `update`, `get_details` and `delete`."""

    def __init__(self, catalogue: Catalogue, stores: MartStores) -> None:
        self._catalogue = catalogue
        self._stores = stores

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [
            Route(PATH, self.put, methods=["PUT"]),
            Route(PATH, self.get, methods=["GET"]),
            Route(PATH, self.delete, methods=["DELETE"]),
        ]

    async def put(self, request: Request) -> Response:
        """200, or 409 where it is there already, unless `force=true` asks to change it; 400 if its database fails."""
        mart_id = request.path_params["data_mart"]
        body = checked(await intake.read_object(request))
        if mart_id in self._catalogue.marts and not intake.flag(request, "force"):
            raise ApiError(409, Code.DATA_MART_EXISTS, f"The data mart {mart_id} is already defined.")
        await open_database(self._stores, body)
        return reply(200, _details(self._catalogue.save_mart(mart_id, body)))

    async def get(self, request: Request) -> Response:
        """200, with the credentials as they were given: the v1 service hides nothing."""
        return reply(200, _details(self._catalogue.mart(request.path_params["data_mart"])))

    async def delete(self, request: Request) -> Response:
        """202, and gone at once; `force` makes no difference here."""
        self._catalogue.remove_mart(self._catalogue.mart(request.path_params["data_mart"]))
        return Response(status_code=202)


async def open_database(stores: MartStores, body: dict[str, Any]) -> None:
    """Connect to the database that a data mart's body names; `ApiError` 400 where that fails."""
    try:
        await asyncio.to_thread(stores.open, body)
    except UnavailableError as exc:
        raise ApiError(400, Code.DATABASE, f"The database cannot be used: {exc}.") from None


def checked(body: dict[str, Any]) -> dict[str, Any]:
    """The body where it names a database: its own configuration, or the internal one."""
    if body.get("internal_database") is True:
        return body
    if not intake.optional_object(body, "database_configuration"):
        raise bad_request("Either database_configuration or internal_database must be given.")
    configuration = body["database_configuration"]
    intake.optional_object(configuration, "location", "database_configuration.")
    intake.optional_object(configuration, "credentials", "database_configuration.")
    return body


def _details(mart: DataMart) -> dict[str, Any]:
    answer = {"database_configuration": mart.body.get("database_configuration", {})}
    if mart.body.get("internal_database") is True:
        answer |= INTERNAL
    return answer | {"status": {"state": "active"}, "service_instance_crn": "N/A"}


def schema_name(mart: DataMart) -> str:
    """The schema in which the data mart's tables are (§5)."""
    return schema_of(mart.body)
