"""What the sandbox tells of itself: `/sandbox/stats`, and what it received and stored, for comparisons.

Nothing here is of the data mart's contract, and none of it wants a token.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.errors import bad_request
from worker.sandbox.store import TableKey
from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.faults import Faults
    from worker.sandbox.store import Row, Store
    from worker.sandbox.tally import Received, Tally

MAX_PAGE = 10_000
_COUNTS = ("received", "distinct", "duplicates", "seen", "stored_rows", "errors")


class StatsRoutes:
    """Counts, ids and rows; `subscription_id` names a table, and `data_mart_id` where two have it."""

    def __init__(self, store: Store, tally: Tally, faults: Faults) -> None:
        self._store = store
        self._tally = tally
        self._faults = faults

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [
            Route("/sandbox/health", self.health, methods=["GET"]),
            Route("/sandbox/stats", self.stats, methods=["GET"]),
            Route("/sandbox/received", self.received, methods=["GET"]),
            Route("/sandbox/rows", self.rows, methods=["GET"]),
            Route("/sandbox/records", self.records, methods=["GET"]),
            Route("/sandbox/errors", self.errors, methods=["GET"]),
        ]

    async def health(self, _: Request) -> Response:
        """200 as soon as it answers at all."""
        return reply(200, {"status": "ok"})

    async def stats(self, _: Request) -> Response:
        """Counts of the whole sandbox, and the same of each subscription.

        `posts` and `answers` are of scoring_payloads, without those that a fault kept away; `duplicates`
        counts ids received again; `seen` counts records that were processed behind a fault, which are in none
        of the others but `stored_rows` and `errors`. All but `stored_rows` begin at zero when the sandbox
        starts.
        """
        tables = self._per_subscription()
        total = Counter({name: sum(counts[name] for counts in tables.values()) for name in _COUNTS})
        answer = {
            "posts": self._tally.answers.total(),
            "answers": {str(status): count for status, count in sorted(self._tally.answers.items())},
            "faults": dict(self._faults.injected),
            **total,
            "subscriptions": tables,
        }
        return reply(200, answer)

    async def received(self, request: Request) -> Response:
        """Scoring ids in the order in which they first came: `{"ids": [[id, received, seen], …], "next": …}`.

        `after` is the `next` of the page before; `next` is null behind the last.
        """
        tally = self._tally.tables.get(self._table(request))
        after, limit = intake.integer(request, "after", 0), _limit(request)
        ids = tally.page(after, limit) if tally else []
        more = tally is not None and after + len(ids) < len(tally.order)
        return reply(200, {"ids": ids, "next": after + len(ids) if more else None})

    async def rows(self, request: Request) -> Response:
        """Rows in the order of arrival, with their columns: `{"rows": [{"fields", "values", …}], "next": …}`.

        A page has the rows of at most `limit` whole records, of one `scoring_id` where it is given.
        """
        after, limit = intake.integer(request, "after", 0), _limit(request)
        wanted = request.query_params.get("scoring_id")
        rows = self._store.arrived(self._table(request), after, limit, wanted)
        full = len({row.sequence for row in rows}) == limit
        return reply(200, {"rows": [_row(row) for row in rows], "next": rows[-1].sequence if full and rows else None})

    async def records(self, request: Request) -> Response:
        """Records in the order of arrival, exactly as they were received: `{"records": […], "next": …}`."""
        after, limit = intake.integer(request, "after", 0), _limit(request)
        found = self._store.bodies(self._table(request), after, limit)
        last = found[-1][0] if len(found) == limit and found else None
        return reply(200, {"records": [orjson.Fragment(body) for _, body in found], "next": last})

    async def errors(self, request: Request) -> Response:
        """The newest records that could not be processed, with the reason: `{"errors": […]}`."""
        found = self._store.errors(self._table(request), _limit(request))
        listed = [{"scoring_id": e.scoring_id, "reason": e.reason, "record": orjson.Fragment(e.body)} for e in found]
        return reply(200, {"errors": listed})

    def _per_subscription(self) -> dict[str, dict[str, int]]:
        """The counts by subscription id, together where several data marts have it."""
        stored = self._store.counts()
        tables: dict[str, Counter[str]] = {}
        for table in stored | self._tally.tables:
            counts = tables.setdefault(table.subscription_id, Counter(dict.fromkeys(_COUNTS, 0)))
            counts.update(_counts(self._tally.tables.get(table)), stored_rows=stored.get(table, 0))
        return {subscription: dict(counts) for subscription, counts in tables.items()}

    def _table(self, request: Request) -> TableKey:
        """The table that the query names; one that is not there is an empty one."""
        subscription_id = request.query_params.get("subscription_id")
        if not subscription_id:
            raise bad_request("The query must name a subscription_id.")
        mart_id = request.query_params.get("data_mart_id")
        if mart_id is not None:
            return TableKey(mart_id, subscription_id)
        known = [table for table in self._store.counts() if table.subscription_id == subscription_id]
        if len(known) > 1:
            raise bad_request("Several data marts have this subscription: the query must name a data_mart_id.")
        return known[0] if known else TableKey("", subscription_id)


def _limit(request: Request) -> int:
    return min(intake.integer(request, "limit", MAX_PAGE), MAX_PAGE)


def _counts(tally: Received | None) -> dict[str, int]:
    if tally is None:
        return {}
    return {
        "received": tally.total,
        "distinct": tally.distinct,
        "duplicates": tally.duplicates,
        "seen": tally.seen.total(),
        "errors": tally.errors,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "id": row.row_id,
        "scoring_id": row.scoring_id,
        "scoring_timestamp": row.scoring_timestamp,
        "deployment_id": row.deployment_id,
        "prediction_probability": row.prediction_probability,
        "fields": row.layout.names,
        "values": orjson.Fragment(row.cells),
    }
