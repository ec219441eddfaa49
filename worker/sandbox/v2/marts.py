"""Data marts of v2: each instance has at most one, under the instance's own id (contract §8).

What is kept is the v1 form, so that both APIs tell of the same database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.errors import ApiError, Code
from worker.sandbox.marts import checked, open_database
from worker.sandbox.patch import patched
from worker.sandbox.stores import POSTGRES
from worker.sandbox.v2.wire import ACTIVE, BASE, UNKNOWN_TIME, mart_of, metadata
from worker.sandbox.wire import as_object, reply

if TYPE_CHECKING:
    from starlette.requests import Request

    from worker.sandbox.catalogue import Catalogue, DataMart
    from worker.sandbox.stores import MartStores

LIST_PATH: Final = BASE + "/data_marts"
PATH: Final = LIST_PATH + "/{data_mart}"
_TEXTS: Final = ("name", "description", "service_instance_crn")
_SHOWN: Final = (*_TEXTS, "internal_database", "database_configuration")


class MartRoutes:
    """Add, list, show, patch, delete."""

    def __init__(self, catalogue: Catalogue, stores: MartStores) -> None:
        self._catalogue = catalogue
        self._stores = stores

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [
            Route(LIST_PATH, self.add, methods=["POST"]),
            Route(LIST_PATH, self.list_all, methods=["GET"]),
            Route(PATH, self.get, methods=["GET"]),
            Route(PATH, self.patch, methods=["PATCH"]),
            Route(PATH, self.delete, methods=["DELETE"]),
        ]

    async def add(self, request: Request) -> Response:
        """201; 409 where the instance has its data mart, unless `force=true`; 400 if its database fails."""
        instance = request.path_params["instance"]
        body = _taken(await intake.read_object(request))
        if instance in self._catalogue.marts and not intake.flag(request, "force"):
            raise ApiError(409, Code.DATA_MART_EXISTS, f"The data mart {instance} is already defined.")
        await open_database(self._stores, body)
        return reply(201, _details(self._catalogue.save_mart(instance, body)))

    async def list_all(self, request: Request) -> Response:
        """200 with the instance's data mart, if it has one."""
        mart = self._catalogue.marts.get(request.path_params["instance"])
        return reply(200, {"data_marts": [] if mart is None else [_details(mart)]})

    async def get(self, request: Request) -> Response:
        """200, without the credentials."""
        return reply(200, _details(self._named(request)))

    async def patch(self, request: Request) -> Response:
        """200; the pointers of the JSON Patch begin at the entity."""
        mart = self._named(request)
        body = _taken(patched(_entity(mart), await intake.read_json(request)))
        await open_database(self._stores, body)
        return reply(200, _details(self._catalogue.save_mart(mart.id, body)))

    async def delete(self, request: Request) -> Response:
        """202, and gone at once; `force` makes no difference here."""
        self._catalogue.remove_mart(self._named(request))
        return Response(status_code=202)

    def _named(self, request: Request) -> DataMart:
        mart = mart_of(self._catalogue, request)
        wanted = request.path_params["data_mart"]
        if wanted != mart.id:
            raise ApiError(404, Code.DATA_MART_UNKNOWN, f"The data mart {wanted} is not of the instance {mart.id}.")
        return mart


def _taken(given: dict[str, Any]) -> dict[str, Any]:
    """A v2 body in the form of v1."""
    intake.optional_texts(given, _TEXTS)
    body = checked({name: value for name, value in given.items() if name in _SHOWN and value is not None})
    configuration = body.get("database_configuration")
    if isinstance(configuration, dict):
        body["database_configuration"] = _configuration(configuration)
    return body


def _configuration(given: dict[str, Any]) -> dict[str, Any]:
    """A database's place and credentials as v1 has them: `location.schema`, and one URI for PostgreSQL."""
    location, credentials = dict(as_object(given.get("location"))), dict(as_object(given.get("credentials")))
    intake.optional_texts(location, ("schema_name",), "database_configuration.location.")
    if (schema := location.pop("schema_name", None)) is not None:
        location["schema"] = schema
    if given.get("database_type") == POSTGRES and "hostname" in credentials:
        credentials["uri"] = _uri(credentials)
    return given | {"location": location, "credentials": credentials}


def _uri(credentials: dict[str, Any]) -> str:
    """PostgreSQL's URI of credentials that have its parts one by one."""
    user, password, database = (quote(str(credentials.get(name) or ""), "") for name in ("username", "password", "db"))
    port, mode = credentials.get("port"), credentials.get("sslmode")
    host = f"{quote(str(credentials['hostname']), ':[]')}{'' if port is None else f':{port}'}"
    return f"postgresql://{user}:{password}@{host}/{database}{'' if mode is None else f'?sslmode={quote(str(mode))}'}"


def _entity(mart: DataMart) -> dict[str, Any]:
    """The data mart in the form of v2, with its credentials: for changes only."""
    entity: dict[str, Any] = {name: mart.body[name] for name in _SHOWN if name in mart.body}
    # v1 takes anything there
    entity = {name: value for name, value in entity.items() if name not in _TEXTS or isinstance(value, str)}
    if configuration := as_object(entity.get("database_configuration")):
        location = dict(as_object(configuration.get("location")))
        if "schema" in location:
            location["schema_name"] = str(location.pop("schema"))
        entity["database_configuration"] = configuration | {"location": location}
    return entity


def _details(mart: DataMart) -> dict[str, Any]:
    entity = _entity(mart)
    if configuration := as_object(entity.get("database_configuration")):
        # v2 tells where the secrets are kept, and never what they are
        entity["database_configuration"] = configuration | {"credentials": {"secret_id": mart.id}}
    else:
        entity.pop("database_configuration", None)
    told = metadata(mart.id, "data_marts", mart.id, UNKNOWN_TIME)
    return {"metadata": told, "entity": {"name": mart.id} | entity | {"status": ACTIVE}}
