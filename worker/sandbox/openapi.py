"""The sandbox's own description, `GET /openapi.json`: every route of the application, in OpenAPI 3.1.

Paths, methods and summaries are read off the routes and their docstrings; what a call takes and answers is told in
`openapi_calls.py`. A route that is not told there is described without bodies.
"""

from __future__ import annotations

import re
from inspect import getdoc
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from worker.sandbox.openapi_call import Call
from worker.sandbox.openapi_calls import CALLS
from worker.sandbox.openapi_schemas import JSON, SCHEMAS, content, ref
from worker.sandbox.tokens import GUARDED
from worker.sandbox.v2.openapi import SCHEMAS as V2_SCHEMAS
from worker.sandbox.wire import reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

PATH: Final = "/openapi.json"
_PARAMETER: Final = re.compile(r"{(\w+)}")
_ERRORS: Final = {
    400: "The request is not what it should be.",
    401: "The token or the password is missing, unknown or expired.",
    404: "What the path or the body names is not there.",
    409: "It is there already.",
    413: "The body is larger than is taken.",
    415: "The body is encoded in a way that is not taken.",
    503: "The data mart's database does not answer.",
}


def with_description(routes: Sequence[Route]) -> list[Route]:
    """The routes, and one more that describes them all and itself."""

    async def show(_: Request) -> Response:
        """200 with the description of every call, this one too."""
        return reply(200, described)

    every = [*routes, Route(PATH, show, methods=["GET"])]
    described = description(every)
    return every


def description(routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        # a HEAD comes with every GET, and says the same without a body
        for method in sorted((route.methods or set()) - {"HEAD"}):
            paths.setdefault(route.path, {})[method.lower()] = _operation(method, route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Payload logging of AI OpenScale: the sandbox",
            "version": "1",
            "description": "A local data mart. What is under /sandbox/ is its own, all else is the data mart's.",
        },
        "paths": paths,
        "components": {
            "schemas": SCHEMAS | V2_SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "password": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _operation(method: str, route: Route) -> dict[str, Any]:
    call = CALLS.get((method, route.path), Call())
    guarded = route.path.startswith(GUARDED)
    told = " ".join((getdoc(route.endpoint) or "").split())
    operation: dict[str, Any] = {
        "operationId": f"{method} {route.path}",
        "summary": told,
        "parameters": [*map(_in_path, _PARAMETER.findall(route.path)), *map(_in_query, call.query)],
        "responses": _responses(route, call, guarded=guarded),
    }
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": content(call.body, call.body_type)}
    if guarded or call.security:
        operation["security"] = [{call.security or "token": []}]
    return operation


def _responses(route: Route, call: Call, *, guarded: bool) -> dict[str, Any]:
    answers = {str(status): _answer(status, schema) for status, schema in call.answers.items()}
    unknown = guarded and _PARAMETER.search(route.path) is not None and not call.creates
    for status in sorted({400, *call.errors, *([401] if guarded else []), *([404] if unknown else [])}):
        schema = call.error or ref("Error")
        answers[str(status)] = {"description": _ERRORS[status], "content": content(schema, JSON)}
    return answers


def _answer(status: int, schema: dict[str, Any] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "It is done." if status != 202 else "It is taken."}  # noqa: PLR2004 - a status
    return answer if schema is None else answer | {"content": content(schema, JSON)}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _in_query(given: tuple[str, dict[str, Any], bool]) -> dict[str, Any]:
    name, schema, required = given
    return {"name": name, "in": "query", "required": required, "schema": schema}
