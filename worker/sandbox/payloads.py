"""Payload logging: `POST /v1/data_marts/{data_mart}/scoring_payloads` (contract §5.1).

A post is one transaction: all of its records are stored, those that cannot be processed as errors, or none
is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.errors import ApiError, Code, bad_request, unavailable
from worker.sandbox.expand import Profile, expand
from worker.sandbox.faults import FAULTED
from worker.sandbox.marts import PATH as MART_PATH
from worker.sandbox.store import Batch, NewError, NewRecord, RepeatedError, UnavailableError
from worker.sandbox.wire import now, reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from worker.sandbox.catalogue import Catalogue, DataMart, Subscription
    from worker.sandbox.options import Options
    from worker.sandbox.store import Store
    from worker.sandbox.tally import Tally

PATH = MART_PATH + "/scoring_payloads"


class PayloadRoutes:
    """The one call that everything else is for."""

    def __init__(self, catalogue: Catalogue, store: Store, tally: Tally, options: Options) -> None:
        self._catalogue = catalogue
        self._store = store
        self._tally = tally
        self._options = options

    def routes(self) -> list[Route]:
        """Where this answers."""
        return [Route(PATH, self.post, methods=["POST"])]

    async def post(self, request: Request) -> Response:
        """202 with JSON, or 204; every answer is counted by its status."""
        try:
            answer = self._take(request.path_params["data_mart"], request, await request.body())
        except ApiError as exc:
            self._tally.answered(exc.status)
            raise
        self._tally.answered(answer.status_code)
        return answer

    # on the event loop: a batch takes the store some milliseconds, and another thread makes it no faster
    def _take(self, mart_id: str, request: Request, body: bytes) -> Response:
        mart = self._catalogue.mart(mart_id)
        check_body(request, body, self._options)
        records = _records(body)
        batch = _batch(records, _profiles(mart, records))
        store_batch(self._store, batch, self._options)
        self._tally.received(batch, faulted=FAULTED in request.scope)
        if self._options.stored_status == 204:  # noqa: PLR2004 - a status
            return Response(status_code=204)
        return reply(202, {"state": "accepted", "records": len(records)})


def check_body(request: Request, body: bytes, options: Options) -> None:
    """Refuse a body of records that is encoded (`ApiError` 415) or too large (413)."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise ApiError(415, Code.ENCODING, f"The content encoding {encoding} is not taken.")
    if len(body) > options.max_body_bytes:
        message = f"The body has {len(body)} bytes, more than {options.max_body_bytes}."
        raise ApiError(413, Code.TOO_LARGE, message)


def store_batch(store: Store, batch: Batch, options: Options) -> None:
    """Store a post; `ApiError` 409 for a scoring id that the options refuse to take again, 503 for the database."""
    try:
        store.add(batch, ignore_repeated=options.duplicates == "ignore")
    except RepeatedError as exc:
        message = f"The scoring id {exc.scoring_id} is stored already."
        raise ApiError(409, Code.SCORING_ID_REPEATED, message) from None
    except UnavailableError as exc:
        raise unavailable(exc) from None


def _records(body: bytes) -> list[dict[str, Any]]:
    """The posted array: of objects, and not empty."""
    records = intake.parse_json(body)
    if not isinstance(records, list) or not records:
        raise bad_request("The body must be an array of scoring records.")
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise bad_request(f"Record {number} must be an object.")
    return records


def _profiles(mart: DataMart, records: list[dict[str, Any]]) -> dict[tuple[str, str], Profile]:
    """What each (binding, subscription) of the records says; `ApiError` for one that takes no payloads."""
    return {key: _profile(mart, *key) for key in dict.fromkeys(_targets(records))}


def _targets(records: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for number, record in enumerate(records):
        where = f"Record {number}: "
        yield intake.text(record, "binding_id", where), intake.text(record, "subscription_id", where)


def _profile(mart: DataMart, binding_id: str, subscription_id: str) -> Profile:
    return profile_of(mart, mart.subscription(subscription_id, mart.binding(binding_id).id))


def profile_of(mart: DataMart, subscription: Subscription) -> Profile:
    """What a subscription says of its rows; `ApiError` 400 where it takes no payloads."""
    if not subscription.logging_enabled:
        message = f"Payload logging of the subscription {subscription.id} is not enabled."
        raise ApiError(400, Code.LOGGING_DISABLED, message)
    binding = mart.binding(subscription.binding_id)
    return Profile.of(mart.table(subscription), subscription, binding.service_type)


def _batch(records: list[dict[str, Any]], profiles: dict[tuple[str, str], Profile]) -> Batch:
    received = now()
    expanded = [expand(r, profiles[r["binding_id"], r["subscription_id"]], received) for r in records]
    return Batch(
        records=[item for item in expanded if isinstance(item, NewRecord)],
        errors=[item for item in expanded if isinstance(item, NewError)],
    )
