"""The outermost layer: a bug of the sandbox is the documented error body, and a traceback only in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from worker.sandbox.errors import ApiError, Code

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = structlog.get_logger(__name__)


class LastResort:
    """ASGI middleware. Starlette's own would raise again behind its answer, which costs the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's one entry."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if scope["type"] != "http" or started:
                raise
            _log.exception("sandbox.failed", method=scope["method"], path=scope["path"])
            await ApiError(500, Code.INTERNAL, "The sandbox failed; its log says where.").response()(
                scope, receive, send
            )
