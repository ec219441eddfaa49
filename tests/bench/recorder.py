"""A sink that keeps what is posted to it, for tests: the catalogue is the benchmark's own sink's."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.endpoint import ANSWER_SECONDS, PAYLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator


class Recorder(ThreadingHTTPServer):
    """Stores records, or refuses all posts with `status`, and passes on everything else to the sink at `url`."""

    daemon_threads = True

    def __init__(self, url: str, status: int = 202) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sink = urlsplit(url).netloc
        self.status = status
        self.records: list[dict[str, Any]] = []
        self.refused = 0
        self.url = f"http://127.0.0.1:{self.server_port}"

    def take(self, body: bytes) -> int:
        """Store a post; the status that it is answered with."""
        if self.status == http.client.ACCEPTED:
            self.records += json.loads(body)
        else:
            self.refused += 1
        return self.status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == PAYLOADS:
            self._answer(self.server.take(body), b"{}")
        else:
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        connection = http.client.HTTPConnection(self.server.sink, timeout=ANSWER_SECONDS)
        connection.request(self.command, self.path, body)
        answer = connection.getresponse()
        self._answer(answer.status, answer.read())
        connection.close()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def recorder(url: str, status: int = 202) -> Iterator[Recorder]:
    """A running recorder before the sink at `url`."""
    with Recorder(url, status) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
