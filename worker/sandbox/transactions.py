"""Reading what was logged: `GET /v1/data_marts/{data_mart}/scoring_transactions` (contract §5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.errors import bad_request
from worker.sandbox.marts import PATH as MART_PATH
from worker.sandbox.schema import BASE, payload_schema
from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.catalogue import Catalogue
    from worker.sandbox.store import Row, Store

PATH = MART_PATH + "/scoring_transactions"
MAX_PAGE = 1000
DEFAULT_PAGE = 100


class TransactionRoutes:
    """The rows of a subscription's payload table."""

    def __init__(self, catalogue: Catalogue, store: Store) -> None:
        self._catalogue = catalogue
        self._store = store

    def routes(self) -> list[Route]:
        """Where this answers."""
        return [Route(PATH, self.get, methods=["GET"])]

    async def get(self, request: Request) -> Response:
        """200 with `{"fields", "values"}`, the newest row first, and `total_count` when asked (§5.2)."""
        mart = self._catalogue.mart(request.path_params["data_mart"])
        subscription_id = request.query_params.get("subscription_id")
        if not subscription_id:
            raise bad_request("The query must name a subscription_id.")
        subscription = mart.subscription(subscription_id)
        table = mart.table(subscription)
        limit = min(intake.integer(request, "limit", DEFAULT_PAGE), MAX_PAGE)
        rows = self._store.newest(table, limit, intake.integer(request, "offset", 0))
        schema = payload_schema(self._store.layouts(table), rows, subscription)
        answer = _table([column["name"] for column in schema], rows)
        if intake.flag(request, "include_total_count"):
            answer["total_count"] = self._store.count(table)
        return reply(200, answer)


def _table(names: list[str], rows: list[Row]) -> dict[str, Any]:
    """Rows of any layouts under the table's own columns; a column that a row does not have is null."""
    return {
        "fields": names,
        "values": [[cells.get(name) for name in names] for cells in map(row_cells, rows)],
    }


def row_cells(row: Row) -> dict[str, Any]:
    """A row's cells by column, the table's own columns first among equals."""
    cells = dict(zip(row.layout.names, orjson.loads(row.cells), strict=True))
    own = (row.row_id, row.scoring_timestamp, row.deployment_id, row.asset_revision)
    return cells | dict(zip(BASE, own, strict=True)) | {"prediction_probability": row.prediction_probability}
