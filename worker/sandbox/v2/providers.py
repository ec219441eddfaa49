"""Service providers: the service bindings of v1, without their credentials (contract §8)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.bindings import checked
from worker.sandbox.catalogue import Binding
from worker.sandbox.v2.wire import ACTIVE, BASE, mart_of, metadata
from worker.sandbox.wire import now, reply, timestamp

if TYPE_CHECKING:
    from starlette.requests import Request

    from worker.sandbox.catalogue import Catalogue, DataMart

LIST_PATH: Final = BASE + "/service_providers"
PATH: Final = LIST_PATH + "/{service_provider}"
# what v2 prefers to call one of v1's engines
_ALIASES: Final = {"azure_machine_learning_studio": "azure_machine_learning"}
_TEXTS: Final = ("description", "operational_space_id", "deployment_space_id", "integrated_project_id")
_HIDDEN: Final = ("credentials", "request_headers")


class ProviderRoutes:
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
        """201 with the id that the data mart gave it: `metadata.id`."""
        mart = mart_of(self._catalogue, request)
        given = {name: value for name, value in (await intake.read_object(request)).items() if value is not None}
        intake.optional_texts(given, _TEXTS)
        kind = given.get("service_type")
        body = checked(given | {"instance_id": str(uuid.uuid4()), "service_type": _known(kind)})
        provider = Binding(body["instance_id"], timestamp(now()), body)
        self._catalogue.save_binding(mart, provider)
        return reply(201, _details(mart, provider))

    async def list_all(self, request: Request) -> Response:
        """200 with all of them, or with those of a `service_type`."""
        mart = mart_of(self._catalogue, request)
        wanted = _known(request.query_params.get("service_type"))
        found = [each for each in mart.bindings.values() if wanted in (None, each.service_type)]
        return reply(200, {"service_providers": [_details(mart, provider) for provider in found]})

    async def get(self, request: Request) -> Response:
        """200."""
        return reply(200, _details(*self._named(request)))

    async def delete(self, request: Request) -> Response:
        """202, and gone at once with its subscriptions."""
        self._catalogue.remove_binding(*self._named(request))
        return Response(status_code=202)

    def _named(self, request: Request) -> tuple[DataMart, Binding]:
        mart = mart_of(self._catalogue, request)
        return mart, mart.binding(request.path_params["service_provider"])


def _known(kind: object) -> object:
    """A service type by the name that v1 has for it."""
    return _ALIASES.get(kind, kind) if isinstance(kind, str) else kind


def _details(mart: DataMart, provider: Binding) -> dict[str, Any]:
    """A provider as every answer shows it. What has secrets is left out: the SDK refuses credentials that are told."""
    entity = {name: value for name, value in provider.body.items() if name not in _HIDDEN}
    told = metadata(mart.id, "service_providers", provider.id, provider.created_at)
    return {"metadata": told, "entity": entity | {"status": ACTIVE}}
