"""Bodies in gzip (`Content-Encoding`, RFC 9110 §8.4), for all that comes behind: faults and routes see them plain."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request

from worker.sandbox.errors import ApiError, Code, bad_request

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_GZIP: Final = zlib.MAX_WBITS | 16


class Unzipped:
    """ASGI middleware; `limit`: bytes that a body may have once it is plain. Other encodings are left alone."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's one entry."""
        if scope["type"] != "http" or Request(scope).headers.get("content-encoding", "").lower() != "gzip":
            await self._app(scope, receive, send)
            return
        try:
            body = unzip(await Request(scope, receive).body(), self._limit)
        except ClientDisconnect:
            return
        except ApiError as error:
            await error.response()(scope, receive, send)
            return
        headers = MutableHeaders(raw=list(scope["headers"]))
        del headers["content-encoding"]
        headers["content-length"] = str(len(body))
        await self._app({**scope, "headers": headers.raw}, _first(body, receive), send)


def unzip(body: bytes, limit: int) -> bytes:
    """The plain body; `ApiError` where it is no whole gzip stream, or larger than `limit`, which is never made."""
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error:
        raise bad_request("The body is not gzip.") from None
    if len(plain) > limit:
        raise ApiError(413, Code.TOO_LARGE, f"The body has more than {limit} bytes once it is plain.")
    if not stream.eof or stream.unused_data:
        raise bad_request("The body is not one whole gzip stream.")
    return plain


def _first(body: bytes, receive: Receive) -> Receive:
    """An ASGI `receive` that has this body, and then what the connection has."""
    left = [body]

    async def first() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return first
