"""Storing and reading the records of a data set (contract §8).

A post is all or nothing. Its records are stored before it is answered, in one transaction, and its request is
`preparing` until they are shown. Where any of them cannot be processed, or is a repetition that the sandbox's options
refuse, none is stored, and the request ends in `error`: one entry of `failure.errors` for each such record (the first
hundred), whose `parameters` are the record's place in the post, from 0, and its scoring id. With `on_error=continue`
the others are stored, and those are kept as v1 keeps them. A body that is no list of records at all is a 400.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from worker.sandbox import intake
from worker.sandbox.errors import ApiError, Code, bad_request
from worker.sandbox.expand import expand
from worker.sandbox.faults import FATE, FAULTED, Fate
from worker.sandbox.payloads import check_body, profile_of, store_batch
from worker.sandbox.store import Batch, NewError, NewRecord
from worker.sandbox.v2.data_sets import PATH as DATA_SET_PATH
from worker.sandbox.v2.data_sets import id_of
from worker.sandbox.v2.given import records_of
from worker.sandbox.v2.page import page_of
from worker.sandbox.v2.requests import Failure
from worker.sandbox.wire import now, reply

if TYPE_CHECKING:
    from typing import Any

    from starlette.requests import Request
    from starlette.responses import Response

    from worker.sandbox.expand import Profile
    from worker.sandbox.options import Options
    from worker.sandbox.store import Store
    from worker.sandbox.tally import Tally
    from worker.sandbox.v2.data_sets import DataSets
    from worker.sandbox.v2.requests import Requests

PATH: Final = DATA_SET_PATH + "/records"
REQUEST_PATH: Final = DATA_SET_PATH + "/requests/{request}"
_AS_IT_IS: Final = Fate("active", stored=True, failure=None)


class RecordRoutes:
    """Store, ask what became of it, read."""

    def __init__(self, data_sets: DataSets, store: Store, tally: Tally, requests: Requests, options: Options) -> None:
        self._data_sets = data_sets
        self._store = store
        self._tally = tally
        self._requests = requests
        self._options = options

    def routes(self) -> list[Route]:
        """Where these answer."""
        return [
            Route(PATH, self.post, methods=["POST"]),
            Route(PATH, self.get, methods=["GET"]),
            Route(REQUEST_PATH, self.status, methods=["GET"]),
        ]

    async def post(self, request: Request) -> Response:
        """202 with the request's path in `Location`; JSON or CSV, and every answer is counted by its status."""
        try:
            answer = self._take(request, await request.body())
        except ApiError as exc:
            self._tally.answered(exc.status)
            raise
        self._tally.answered(answer.status_code)
        return answer

    async def status(self, request: Request) -> Response:
        """200 with `state`: preparing, active, or error and why."""
        mart, subscription = self._data_sets.of(request)
        return reply(200, self._requests.status(id_of(mart.id, subscription.id), request.path_params["request"]))

    async def get(self, request: Request) -> Response:
        """200 with the rows, the newest first unless `order` says otherwise, and `total_count` when asked."""
        mart, subscription = self._data_sets.of(request)
        return reply(200, page_of(request, self._store, mart, subscription))

    # on the event loop: a batch takes the store some milliseconds, and another thread makes it no faster
    def _take(self, request: Request, body: bytes) -> Response:
        mart, subscription = self._data_sets.of(request)
        check_body(request, body, self._options)
        profile = profile_of(mart, subscription)
        given = records_of(request, body, subscription)
        data_set = id_of(mart.id, subscription.id)
        own = self._store_or_not(request, data_set, _expanded(given, profile))
        where = f"/openscale/{mart.id}/v2/data_sets/{data_set}/requests/{own}"
        return reply(202, {"state": "preparing"}, {"Location": where})

    def _store_or_not(self, request: Request, data_set: str, found: list[NewRecord | NewError]) -> str:
        """Store a post unless it fails or a fault forbids it; returns the id of its request."""
        batch = Batch([each for each in found if isinstance(each, NewRecord)], _errors(found))
        fate: Fate = request.scope.get(FATE, _AS_IT_IS)
        failures = [] if _continues(request) else _failures(found)
        self._tally.refused(batch.errors if failures else [])
        if fate.stored and not failures:
            failures = self._stored(request, batch, unsure=fate.state != "active")
        state = "error" if failures and fate.state == "active" else fate.state
        if state == "error" and not failures:
            failures = [Failure(Code.FAULT, "An injected fault.")]
        return self._requests.add(data_set, state, failures, fate.failure)

    def _stored(self, request: Request, batch: Batch, *, unsure: bool) -> list[Failure]:
        """Store it, or say why that is not done; the sender is `unsure` where it is not told that this is stored."""
        try:
            store_batch(self._store, batch, self._options)
        except ApiError as exc:
            if exc.code is not Code.SCORING_ID_REPEATED:
                raise
            return [Failure(exc.code, exc.message)]
        self._tally.received(batch, faulted=unsure or FAULTED in request.scope)
        return []


def _continues(request: Request) -> bool:
    given = request.query_params.get("on_error", "stop")
    if given not in ("stop", "continue"):
        raise bad_request("The query's on_error must be stop or continue.")
    return given == "continue"


def _expanded(given: list[dict[str, Any]], profile: Profile) -> list[NewRecord | NewError]:
    received = now()
    return [_with_revision(expand(record, profile, received), record.get("asset_revision")) for record in given]


def _with_revision(expanded: NewRecord | NewError, revision: object) -> NewRecord | NewError:
    """A record of v2 may tell its own revision of the asset."""
    if isinstance(expanded, NewRecord) and isinstance(revision, str) and intake.NUL not in revision:
        return replace(expanded, asset_revision=revision)
    return expanded


def _errors(found: list[NewRecord | NewError]) -> list[NewError]:
    return [each for each in found if isinstance(each, NewError)]


def _failures(found: list[NewRecord | NewError]) -> list[Failure]:
    return [_failure(place, each) for place, each in enumerate(found) if isinstance(each, NewError)]


def _failure(place: int, error: NewError) -> Failure:
    message = f"Record {place} ({error.scoring_id or 'without a scoring id'}) cannot be processed: {error.reason}."
    return Failure(Code.UNPROCESSABLE, message, (str(place), error.scoring_id))
