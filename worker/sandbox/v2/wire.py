"""What every v2 path and every v2 answer has (contract §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.errors import bad_request

if TYPE_CHECKING:
    from starlette.requests import Request

    from worker.sandbox.catalogue import Catalogue, DataMart

BASE: Final = "/openscale/{instance}/v2"
ACTIVE: Final = {"state": "active"}
# of what belongs to an instance itself, the time of making is not kept
UNKNOWN_TIME: Final = "1970-01-01T00:00:00.000Z"


def metadata(instance: str, kind: str, own_id: str, created_at: str, modified_at: str | None = None) -> dict[str, Any]:
    """The metadata of one thing of a kind, as `data_sets`."""
    known = {"id": own_id, "url": f"/openscale/{instance}/v2/{kind}/{own_id}", "created_at": created_at}
    return known if modified_at is None else known | {"modified_at": modified_at}


def mart_of(catalogue: Catalogue, request: Request) -> DataMart:
    """The data mart of the request's instance, or `ApiError` 404."""
    return catalogue.mart(request.path_params["instance"])


def check_mart(mart: DataMart, data_mart_id: object) -> None:
    """Refuse a body that names another data mart than its instance's."""
    if data_mart_id != mart.id:
        raise bad_request(f"data_mart_id must be that of the instance, {mart.id}.")
