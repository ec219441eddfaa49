"""The sandbox in a process of its own, with a clock at its door: `python -m chaos.endpoint` prints its URL.

It ends when its standard input does, so with whoever started it, whatever happens. `/chaos/requests` tells of every
request to the data mart when it arrived, when it was answered, and how.
"""

from __future__ import annotations

import argparse
import logging
import re
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.responses import JSONResponse

from worker.sandbox.app import create_app
from worker.sandbox.fault_layer import ConnectedProtocol
from worker.sandbox.options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUESTS = "/chaos/requests"
OWN = ("/sandbox/", "/chaos/")
_SCORING_ID = re.compile(rb'"scoring_id":"([^"]+)"')


class Door:
    """ASGI middleware that notes `[method, path, arrived, answered, status, records, fresh]` of each request.

    Times are those of the machine's monotonic clock, which its processes share; an answer that was not given is null.
    `records` counts the scoring ids in the body, `fresh` those that no earlier request had.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._notes: list[list[Any]] = []
        self._ids: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's one entry."""
        if scope["type"] == "http" and scope["path"] == REQUESTS:
            after = int(scope["query_string"].partition(b"=")[2] or 0)
            await JSONResponse(self._notes[after:])(scope, receive, send)
        elif scope["type"] == "http" and not scope["path"].startswith(OWN):
            note = [scope["method"], scope["path"], time.monotonic(), None, None, 0, 0]
            self._notes.append(note)
            await self._app(scope, self._reading(receive, note), _answering(send, note))
        else:
            await self._app(scope, receive, send)

    def _reading(self, receive: Receive, note: list[Any]) -> Receive:
        parts: list[bytes] = []

        async def read() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    note[5:] = self._count(b"".join(parts))
            return message

        return read

    def _count(self, body: bytes) -> tuple[int, int]:
        found, before = _SCORING_ID.findall(body), len(self._ids)
        self._ids.update(found)
        return len(found), len(self._ids) - before


def _answering(send: Send, note: list[Any]) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            note[3:5] = [time.monotonic(), message["status"]]
        await send(message)

    return answer


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="chaos.endpoint")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--token-ttl", type=float, default=3600)
    parser.add_argument("--duplicates", choices=["ignore", "error"], default="ignore")
    given = parser.parse_args(arguments)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    server = _server(Options(store=given.store, token_ttl=given.token_ttl, duplicates=given.duplicates))
    threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server.run(sockets=[listener])


def _server(options: Options) -> uvicorn.Server:
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        Door(create_app(options)),
        http=ConnectedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _end_with_input(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


if __name__ == "__main__":
    main()
