"""What became of the records that were posted to data sets: a request is `preparing`, then `active` or `error`.

Kept in memory, and only for the last `KEPT` requests: one that is older, or was made before the sandbox started, is as
unknown as one that never was.
"""

from __future__ import annotations

import base64
import secrets
import time
import uuid
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from worker.sandbox.errors import ApiError, Code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KEPT: Final = 10_000
# more of a request's errors are not told
TOLD: Final = 100


class Failure(NamedTuple):
    """Why a request is in error: a code, a sentence, and what the sentence names (index, scoring id)."""

    code: str
    message: str
    parameters: tuple[str, ...] = ()


class _Request(NamedTuple):
    data_set: str
    shown_at: float
    status: dict[str, Any]


class Requests:
    """The states of requests; each is `preparing` for the first `seconds`, as long as its rows are not shown."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic, kept: int = KEPT) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept = kept
        self._known: OrderedDict[str, _Request] = OrderedDict()

    def add(self, data_set: str, state: str, failures: Sequence[Failure] = (), told: object = None) -> str:
        """Remember a new request by its last state, and what failed, or the failure as it is `told`; returns its id."""
        own = str(uuid.uuid4())
        status: dict[str, Any] = {"state": state}
        if state == "error":
            status["failure"] = told if isinstance(told, dict) else _failure(failures)
        self._known[own] = _Request(data_set, self._clock() + self._seconds, status)
        if len(self._known) > self._kept:
            self._known.popitem(last=False)
        return own

    def status(self, data_set: str, own: str) -> dict[str, Any]:
        """A request's state as its answer has it, or `ApiError` 404."""
        found = self._known.get(own)
        if found is None or found.data_set != data_set:
            raise ApiError(404, Code.REQUEST_UNKNOWN, f"The request {own} does not exist in the data set {data_set}.")
        return found.status if found.shown_at <= self._clock() else {"state": "preparing"}


def _failure(failures: Sequence[Failure]) -> dict[str, Any]:
    trace = base64.b64encode(secrets.token_bytes(12)).decode()
    errors = [{"code": code, "message": message, "parameters": list(told)} for code, message, told in failures[:TOLD]]
    return {"trace": trace, "errors": errors}
