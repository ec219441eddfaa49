"""Discovery: what an engine has deployed, `GET /v1/ml_instances/{binding}/deployments` (contract §4.1)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.assets import resource
from worker.sandbox.bindings import ENGINES
from worker.sandbox.errors import ApiError, Code
from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.assets import Assets
    from worker.sandbox.catalogue import Binding, Catalogue

PATH = "/v1/ml_instances/{binding}/deployments"
# a client waits for this answer in the middle of adding a subscription
ENGINE_SECONDS = 2.0


class DiscoveryRoutes:
    """One call for every engine: a custom one is asked itself, of the others the sandbox was told."""

    def __init__(self, catalogue: Catalogue, assets: Assets) -> None:
        self._catalogue = catalogue
        self._assets = assets

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [Route(PATH, self.deployments, methods=["GET"])]

    async def deployments(self, request: Request) -> Response:
        """200 with `{"count", "resources"}`; there are no pages."""
        binding = self._binding(request)
        resources = await self._of_engine(binding) or self._assets.of(binding)
        resources = resources[: intake.integer(request, "limit", len(resources))]
        return reply(200, {"count": len(resources), "resources": resources})

    def _binding(self, request: Request) -> Binding:
        """The binding, in the data mart of the query, or in any where the query names none."""
        binding_id = request.path_params["binding"]
        mart_id = request.query_params.get("datamart_id")
        if mart_id is not None:
            return self._catalogue.mart(mart_id).binding(binding_id)
        for mart in self._catalogue.marts.values():
            if binding_id in mart.bindings:
                return mart.bindings[binding_id]
        raise ApiError(404, Code.BINDING_UNKNOWN, f"The service binding {binding_id} does not exist.")

    async def _of_engine(self, binding: Binding) -> list[dict[str, Any]]:
        """What a custom engine answers of itself; empty where it does not answer, or not as it should."""
        url = binding.body["credentials"].get("url")
        if binding.service_type != ENGINES["custom"] or not isinstance(url, str):
            return []
        try:
            async with asyncio.timeout(ENGINE_SECONDS):
                return _resources(await _ask(url.rstrip("/") + "/v1/deployments", binding))
        except (httpx.HTTPError, httpx.InvalidURL, ApiError, TimeoutError, ValueError):
            return []


async def _ask(url: str, binding: Binding) -> bytes:
    credentials = binding.body["credentials"]
    auth = None
    if isinstance(credentials.get("username"), str):
        auth = httpx.BasicAuth(credentials["username"], str(credentials.get("password", "")))
    headers = {str(name): str(value) for name, value in (binding.body.get("request_headers") or {}).items()}
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.get(url, auth=auth, headers=headers)
        response.raise_for_status()
        return response.content


def _resources(body: bytes) -> list[dict[str, Any]]:
    answer = intake.parse_json(body)
    listed = answer.get("resources") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        return []
    return [resource(item, f"resources[{n}]") for n, item in enumerate(listed)]
