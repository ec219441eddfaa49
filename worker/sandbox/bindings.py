"""Service bindings: one for each scoring engine that a data mart watches (contract §3)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.catalogue import Binding
from worker.sandbox.errors import ApiError, Code, bad_request
from worker.sandbox.marts import PATH as MART_PATH
from worker.sandbox.wire import now, reply, timestamp

if TYPE_CHECKING:
    from starlette.requests import Request

    from worker.sandbox.catalogue import Catalogue, DataMart

LIST_PATH = MART_PATH + "/service_bindings"
PATH = LIST_PATH + "/{binding}"

# short names, as commands and files use them; the contract's table has the service types
ENGINES = {
    "custom": "custom_machine_learning",
    "azure-studio": "azure_machine_learning",
    "azure-service": "azure_machine_learning_service",
    "sagemaker": "amazon_sagemaker",
    "spss": "spss_collaboration_and_deployment_services",
    "watson": "watson_machine_learning",
}


class BindingRoutes:
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
        """201 with `metadata.guid` = the posted `instance_id`, or 409 where it is there already."""
        mart = self._mart(request)
        body = checked(await intake.read_object(request))
        if body["instance_id"] in mart.bindings:
            message = f"The service binding with id {body['instance_id']} is already defined."
            raise ApiError(409, Code.BINDING_EXISTS, message)
        binding = Binding(body["instance_id"], timestamp(now()), body)
        self._catalogue.save_binding(mart, binding)
        return reply(201, _details(mart, binding))

    async def list_all(self, request: Request) -> Response:
        """200 with all of them."""
        mart = self._mart(request)
        return reply(200, {"service_bindings": [_details(mart, binding) for binding in mart.bindings.values()]})

    async def get(self, request: Request) -> Response:
        """200, with the secrets as they were given: clients read them back."""
        mart = self._mart(request)
        return reply(200, _details(mart, mart.binding(request.path_params["binding"])))

    async def delete(self, request: Request) -> Response:
        """202, and gone at once with its subscriptions."""
        mart = self._mart(request)
        self._catalogue.remove_binding(mart, mart.binding(request.path_params["binding"]))
        return Response(status_code=202)

    def _mart(self, request: Request) -> DataMart:
        return self._catalogue.mart(request.path_params["data_mart"])


def checked(body: dict[str, Any]) -> dict[str, Any]:
    """The body with `instance_id` and `credentials` in any case."""
    intake.text(body, "name")
    if intake.text(body, "service_type") not in ENGINES.values():
        raise bad_request(f"service_type must be one of {', '.join(ENGINES.values())}.")
    credentials = intake.optional_object(body, "credentials")
    intake.optional_object(body, "request_headers")
    instance_id = intake.text(body, "instance_id") if "instance_id" in body else str(uuid.uuid4())
    return body | {"instance_id": instance_id, "credentials": credentials}


def _details(mart: DataMart, binding: Binding) -> dict[str, Any]:
    url = f"/v1/data_marts/{mart.id}/service_bindings/{binding.id}"
    metadata = {"guid": binding.id, "url": url, "created_at": binding.created_at}
    return {"metadata": metadata, "entity": binding.body | {"status": {"state": "active"}}}
