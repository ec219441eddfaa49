"""What stands before a registry and counts: each request by its path, passed on as it is."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

import httpx

if TYPE_CHECKING:
    from types import TracebackType


class Front:
    """A server on loopback, a context manager; `url` leads to `target`, an address without a path."""

    def __init__(self, target: str) -> None:
        self.asked: Counter[str] = Counter()
        """How often each path was asked for."""
        self.down = threading.Event()
        """While it is set nothing is passed on."""
        self.client = httpx.Client(base_url=target, timeout=30)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="front", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.client.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _handler(front: Front) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if front.down.is_set():
                self.send_error(503)
                return
            front.asked[self.path] += 1
            found = front.client.get(self.path)
            self.send_response(found.status_code)
            self.send_header("Content-Type", found.headers.get("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    return Handler
