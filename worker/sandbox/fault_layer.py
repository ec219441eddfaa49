"""The layer around every route that is not the sandbox's own, where requests go wrong as the rules say.

A TCP reset needs the connection itself. `ConnectedProtocol` hands it to the application with each request; so
the fault layer works under this project's server only, and says so under another.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.sandbox.faults import FATE, FAULTED, Seen
from worker.sandbox.tokens import authorization

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from worker.sandbox.faults import Action, Faults

CONNECTION = "connection"
# with this linger a close sends RST and not FIN
_NO_LINGER = struct.pack("ii", 1, 0)
_TRICKLE_SECONDS = 0.1


class ConnectedProtocol(H11Protocol):
    """uvicorn's protocol, with the connection's transport in the state of every request on it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the server, once a connection."""
        self.app_state = {**self.app_state, CONNECTION: transport}
        super().connection_made(transport)


class FaultLayer:
    """ASGI middleware; `/sandbox/` is out of its reach, so that faults can always be ended."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's one entry."""
        if scope["type"] != "http" or scope["path"].startswith("/sandbox/"):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        action = self._faults.pick(Seen(scope["method"], scope["path"], authorization(scope), body))
        again = _Again(body, receive)
        if action is None:
            await self._app(scope, again, send)
        else:
            await self._go_wrong(action, scope, again, send)

    async def _go_wrong(self, action: Action, scope: Scope, receive: _Again, send: Send) -> None:
        """In the order that `Action` promises."""
        if action.delay_ms:
            await asyncio.sleep(action.delay_ms / 1000)
        if action.fate is not None:
            scope = {**scope, FATE: action.fate}
        if action.trickle is not None:
            send = _slowly(send, action.trickle.bytes_per_s)
        if action.answers:
            await self._app(scope, receive, send)
            return
        if action.loses_answer:
            await self._app({**scope, FAULTED: True}, receive, _nowhere)
        if action.hang_ms is not None:
            await receive.left_within(action.hang_ms / 1000)
        if action.hang_ms is not None or action.reset is not None:
            await _cut(scope, receive, reset=action.reset is not None)
        else:
            await action.response()(scope, receive, send)


class _Again:
    """An ASGI `receive` for a body that has been read already."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def left_within(self, seconds: float) -> None:
        """Wait so long, or until the client leaves."""
        try:
            async with asyncio.timeout(seconds):
                await self._receive()
        except TimeoutError:
            return


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None where the client left before its end."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _nowhere(_: Message) -> None:
    """An ASGI `send` that loses what it is given."""


def _slowly(send: Send, bytes_per_s: int) -> Send:
    """An ASGI `send` that passes bodies on in small pieces."""
    piece = max(1, round(bytes_per_s * _TRICKLE_SECONDS))

    async def trickle(message: Message) -> None:
        body = message.get("body", b"") if message["type"] == "http.response.body" else b""
        for start in range(0, len(body), piece):
            await send({"type": "http.response.body", "body": body[start : start + piece], "more_body": True})
            await asyncio.sleep(piece / bytes_per_s)
        await send({**message, "body": b""} if body else message)

    return trickle


async def _cut(scope: Scope, receive: _Again, *, reset: bool) -> None:
    """Close the connection without an answer, and wait until the server knows: it must not answer either."""
    transport = cast("asyncio.Transport", scope["state"][CONNECTION])
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await receive.left_within(1)
