"""What goes wrong, in the data mart's form: `{"trace", "errors": [{"code", "message"}]}` (contract §0)."""

from __future__ import annotations

import base64
import secrets
from enum import StrEnum
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response


class Code(StrEnum):
    """The codes in error bodies. Where the service's own code is not known, the sandbox's says `SANDBOX`."""

    DATA_MART_EXISTS = "AISCS0004W"
    DATA_MART_UNKNOWN = "AISCS0005W"
    BINDING_EXISTS = "AIQCS0010W"
    BINDING_UNKNOWN = "SANDBOX-BINDING-UNKNOWN"
    SUBSCRIPTION_EXISTS = "SANDBOX-SUBSCRIPTION-EXISTS"
    SUBSCRIPTION_UNKNOWN = "SANDBOX-SUBSCRIPTION-UNKNOWN"
    DATA_SET_UNKNOWN = "SANDBOX-DATA-SET-UNKNOWN"
    REQUEST_UNKNOWN = "SANDBOX-REQUEST-UNKNOWN"
    MONITOR_UNKNOWN = "SANDBOX-MONITOR-UNKNOWN"
    LOGGING_DISABLED = "SANDBOX-PAYLOAD-LOGGING-DISABLED"
    SCORING_ID_REPEATED = "SANDBOX-SCORING-ID-REPEATED"
    UNPROCESSABLE = "SANDBOX-RECORD-UNPROCESSABLE"
    UNAUTHORIZED = "SANDBOX-UNAUTHORIZED"
    BAD_JSON = "SANDBOX-BAD-JSON"
    BAD_REQUEST = "SANDBOX-BAD-REQUEST"
    TOO_LARGE = "SANDBOX-TOO-LARGE"
    ENCODING = "SANDBOX-CONTENT-ENCODING"
    NOT_FOUND = "SANDBOX-NOT-FOUND"
    METHOD = "SANDBOX-METHOD-NOT-ALLOWED"
    DATABASE = "SANDBOX-DATABASE"
    FAULT = "SANDBOX-FAULT"
    INTERNAL = "SANDBOX-INTERNAL"


class ApiError(Exception):
    """A request that is answered with an error body; its message names ids and fields, never values."""

    def __init__(self, status: int, code: Code, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """The answer, with a trace of its own."""
        trace = base64.b64encode(secrets.token_bytes(12)).decode()
        body = {"trace": trace, "errors": [{"code": self.code, "message": self.message}]}
        return reply(self.status, body, headers)


def bad_request(message: str) -> ApiError:
    """The 400 for a request whose JSON or parameters are not what the contract says."""
    return ApiError(400, Code.BAD_REQUEST, message)


async def answer_api_error(_: Request, exc: Exception) -> Response:
    """Starlette's handler for `ApiError`."""
    if not isinstance(exc, ApiError):
        raise TypeError(type(exc).__name__)
    return exc.response()


def unavailable(exc: Exception) -> ApiError:
    """The 503 for an `UnavailableError` of the store: a database that is away is an outage of the data mart."""
    return ApiError(503, Code.DATABASE, f"The database of the data mart cannot be used: {exc}.")


async def answer_unavailable(_: Request, exc: Exception) -> Response:
    """Starlette's handler for `UnavailableError`."""
    return unavailable(exc).response()


async def answer_http_exception(request: Request, exc: Exception) -> Response:
    """Starlette's handler for its own 404 and 405: a path or a method that the sandbox does not know."""
    if not isinstance(exc, HTTPException):
        raise TypeError(type(exc).__name__)
    code = {404: Code.NOT_FOUND, 405: Code.METHOD}.get(exc.status_code, Code.BAD_REQUEST)
    error = ApiError(exc.status_code, code, f"{request.method} {request.url.path}: {exc.detail}")
    return error.response(exc.headers)


async def answer_disconnect(_: Request, __: Exception) -> Response:
    """Starlette's handler for a client that left in the middle of its request: nobody reads this."""
    return bad_request("The request ended before its body did.").response()
