"""How the sandbox reads: JSON bodies, their fields, and queries; whatever is wrong is an `ApiError` 400."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from worker.sandbox.errors import ApiError, Code, bad_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

MAX_INTEGER = 2**31
# no id has it: PostgreSQL's texts cannot hold it
NUL = "\0"


class PlainPaths:
    """ASGI middleware: a path or a query with NUL in it is refused, whatever it is for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's one entry."""
        if scope["type"] == "http" and (NUL in scope["path"] or b"%00" in scope["query_string"]):
            await bad_request("The path and the query must have no NUL.").response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def read_json(request: Request) -> object:
    """The request's body, parsed."""
    return parse_json(await request.body())


async def read_object(request: Request) -> dict[str, Any]:
    """The request's body, which must be a JSON object."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise bad_request("The body must be a JSON object.")
    return body


def parse_json(body: bytes) -> object:
    """Strict JSON in UTF-8: without NaN, and not deeper than can be written again within an answer."""
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise ApiError(400, Code.BAD_JSON, f"The body is not JSON: {exc.msg}, at {exc.pos}.") from None
    try:
        # orjson reads deeper than it writes; the lists around it stand for the deepest answer
        orjson.dumps([[[[[[[[parsed]]]]]]]])
    except orjson.JSONEncodeError:
        raise ApiError(400, Code.BAD_JSON, "The body is nested too deeply.") from None
    return parsed


def text(body: dict[str, Any], name: str, where: str = "") -> str:
    """The text that `body` must have under `name`; `where` is the path of `body`, for the message."""
    value = body.get(name)
    if not isinstance(value, str) or not value or NUL in value:
        raise bad_request(f"{where}{name} must be a text.")
    return value


def optional_object(body: dict[str, Any], name: str, where: str = "") -> dict[str, Any]:
    """The object under `name`, or an empty one where there is none."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"{where}{name} must be an object.")
    return value


def optional_texts(body: dict[str, Any], names: Iterable[str], where: str = "") -> None:
    """Refuse a body in which one of these is there and is neither a text nor null."""
    for name in names:
        if not isinstance(body.get(name), str | None):
            raise bad_request(f"{where}{name} must be a text.")


def integer(request: Request, name: str, default: int) -> int:
    """The query's `name`: a whole number that is not negative."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(MAX_INTEGER))):
        raise bad_request(f"The query's {name} must be a whole number.")
    return min(int(given), MAX_INTEGER)


def flag(request: Request, name: str) -> bool:
    """The query's `name` is `true`."""
    return request.query_params.get(name, "").lower() == "true"
