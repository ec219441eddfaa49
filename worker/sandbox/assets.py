"""What the engines have deployed, as the sandbox was told: by file, by `POST /sandbox/assets`, or by default.

A telling is `{"binding_id": …, "resources": […]}` for one binding, or `{"engine": …, "resources": […]}` for
all bindings of an engine (`custom`, `azure-studio`, …, or a service type); a file has one or a list of them.
A resource is one deployment, in the form of the discovery (contract §4.1) or in that of a custom engine's own
`GET /v1/deployments`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.bindings import ENGINES
from worker.sandbox.errors import ApiError, bad_request
from worker.sandbox.options import OptionsError
from worker.sandbox.wire import as_object, reply

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.catalogue import Binding

_UNKNOWN_TIME = "1970-01-01T00:00:00.000Z"
# the documents of the field begin with an asset of this id on a custom engine
ACTION = {
    "metadata": {
        "guid": "action",
        "created_at": "2016-12-01T10:11:12Z",
        "modified_at": "2016-12-02T12:00:22Z",
    },
    "entity": {
        "name": "action deployment",
        "scoring_url": "http://localhost/v1/deployments/action/online",
        "asset": {"name": "area and action prediction", "guid": "action"},
        "asset_properties": {"problem_type": "multiclass", "input_data_type": "structured"},
    },
}


class Assets:
    """The deployments that are known of each binding and each engine, by deployment id."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, dict[str, Any]]] = {}
        self.tell({"engine": "custom", "resources": [ACTION]})

    def load(self, path: Path) -> None:
        """Read a file; raises `OptionsError` where it cannot be read or is not what it should be."""
        try:
            told = intake.parse_json(path.read_bytes())
            for item in told if isinstance(told, list) else [told]:
                self.tell(item)
        except OSError as exc:
            raise OptionsError(f"The assets in {path} cannot be read: {exc.strerror}") from exc
        except ApiError as exc:
            raise OptionsError(f"The assets in {path}: {exc.message}") from exc

    def tell(self, told: object) -> int:
        """Take one telling; a deployment told again replaces the one of its id. Returns how many it had."""
        if not isinstance(told, dict) or not isinstance(told.get("resources"), list):
            raise bad_request("Assets are an object with binding_id or engine, and a list resources.")
        resources = [resource(item, f"resources[{n}]") for n, item in enumerate(told["resources"])]
        known = self._known.setdefault(_owner(told), {})
        known.update({item["metadata"]["guid"]: item for item in resources})
        return len(resources)

    def of(self, binding: Binding) -> list[dict[str, Any]]:
        """What a binding's engine has: told of the engine, and of the binding itself."""
        told = self._known.get(binding.service_type, {}) | self._known.get(_binding_key(binding.id), {})
        return list(told.values())

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """All that was told, by service type, or by `binding:` and its id."""
        return {owner: list(known.values()) for owner, known in self._known.items()}


class AssetRoutes:
    """`POST` and `GET` of `/sandbox/assets`."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def routes(self) -> list[Route]:
        """Where these answer."""
        path = "/sandbox/assets"
        return [Route(path, self.tell, methods=["POST"]), Route(path, self.show, methods=["GET"])]

    async def tell(self, request: Request) -> Response:
        """201 with the number of deployments that were told."""
        return reply(201, {"resources": self._assets.tell(await intake.read_object(request))})

    async def show(self, _: Request) -> Response:
        """200 with all that is known."""
        return reply(200, self._assets.everything())


def _binding_key(binding_id: str) -> str:
    return f"binding:{binding_id}"


def _owner(told: dict[str, Any]) -> str:
    if "binding_id" in told:
        return _binding_key(intake.text(told, "binding_id"))
    engine = intake.text(told, "engine")
    service_type = ENGINES.get(engine, engine)
    if service_type not in ENGINES.values():
        raise bad_request(f"engine must be one of {', '.join(ENGINES)}.")
    return service_type


def resource(given: object, where: str) -> dict[str, Any]:
    """A deployment in the discovery's form, from that or from a custom engine's own (§4.1).

    `asset.guid` becomes `asset.asset_id`, `scoring_url` becomes `scoring_endpoint.url`; what more there is
    stays.
    """
    if not isinstance(given, dict):
        raise bad_request(f"{where} must be an object.")
    metadata = intake.optional_object(given, "metadata", f"{where}.")
    guid = intake.text(metadata, "guid", f"{where}.metadata.")
    intake.optional_texts(metadata, ("url", "created_at"), f"{where}.metadata.")
    entity = dict(intake.optional_object(given, "entity", f"{where}."))
    intake.optional_texts(entity, ("name", "type", "scoring_url"), f"{where}.entity.")
    scoring_url = entity.pop("scoring_url", "")
    endpoint = as_object(entity.get("scoring_endpoint")) or {"url": scoring_url}
    intake.optional_texts(endpoint, ("url",), f"{where}.entity.scoring_endpoint.")
    entity |= {
        "name": entity.get("name") or guid,
        "type": entity.get("type") or "online",
        "scoring_endpoint": endpoint,
        "asset": _asset(intake.optional_object(entity, "asset", f"{where}.entity."), endpoint, where),
        "asset_properties": intake.optional_object(entity, "asset_properties", f"{where}.entity."),
    }
    times = {"url": endpoint.get("url", ""), "created_at": _UNKNOWN_TIME}
    return {"metadata": times | metadata, "entity": entity}


def _asset(given: dict[str, Any], endpoint: dict[str, Any], where: str) -> dict[str, Any]:
    """The deployed asset, with its id under `asset_id`."""
    asset = dict(given)
    guid = asset.pop("guid", None)
    asset.setdefault("asset_id", guid)
    asset_id = intake.text(asset, "asset_id", f"{where}.entity.asset.")
    intake.optional_texts(asset, ("name", "asset_type", "url", "created_at"), f"{where}.entity.asset.")
    defaults = {
        "name": asset_id,
        "asset_type": "model",
        "url": endpoint.get("url", ""),
        "created_at": _UNKNOWN_TIME,
    }
    return defaults | asset
