"""One keep-alive HTTP/1.1 connection to the data mart, and one request at a time over it.

The standard library's client: over a post of 400 KB httpx takes more than twice as long, in threads that share the
interpreter with decoding.
"""

from __future__ import annotations

import base64
import contextlib
import http
import http.client
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from worker.flow.verdict import Answer, no_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BODY_LIMIT = 64 * 1024
"""Bytes of an answer that are read: more than any error of the data mart has, less than a memory problem."""


_TAKEN = (http.HTTPStatus.ACCEPTED, http.HTTPStatus.NO_CONTENT)
"""Statuses that say all by themselves: the batch is taken, whatever becomes of the rest of the answer."""


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An HTTP answer; `headers` by lower-case name, `body` cut at `BODY_LIMIT` bytes."""

    status: int
    headers: Mapping[str, str]
    body: str


class _Request(NamedTuple):
    method: str
    path: str
    content: Callable[[], bytes | None]
    headers: Mapping[str, str]


def _nothing() -> None:
    """The body of a request that has none."""


class Connection:
    """Connects when it is needed, again after a failure. `post` and `get` are one thread's; `cut` may be any other's.

    `tls` gives what all connections share: the certificates that are trusted take a megabyte, and ten milliseconds.
    The proxies of the environment are obeyed (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
    """

    def __init__(self, url: str, timeout: float, tls: Callable[[], ssl.SSLContext]) -> None:
        self._url = urlsplit(url)
        self._timeout = timeout
        self._tls = tls
        self._proxy = _proxy(self._url)
        self._client: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()
        self._deadline: float | None = None
        self._socket: socket.socket | None = None
        self._was_cut = False

    def post(self, path: str, content: Callable[[], bytes], headers: Mapping[str, str]) -> Reply | Answer:
        """Make one attempt; `path` with its query. An `Answer` where there was no reply.

        `content` makes the body once there is a connection, and it is kept no longer than it takes to send it: what
        waits for an answer, for as long as that takes, has its records alone.
        """
        return self._attempt(_Request("POST", path, content, headers))

    def get(self, path: str, headers: Mapping[str, str]) -> Reply | Answer:
        """The same without a body."""
        return self._attempt(_Request("GET", path, _nothing, headers))

    def _attempt(self, request: _Request) -> Reply | Answer:
        connected = False
        try:
            client = self._connected()
            connected = True
            self._begin(client)
            reply = self._exchange(client, request)
            if self._end() and reply.status not in _TAKEN:
                raise TimeoutError
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:  # a cut may show as any
            cut = self._end()
            self.close()
            return no_answer("timeout" if cut else _reason(error, connected=connected), sent=connected)
        return reply

    def _begin(self, client: http.client.HTTPConnection) -> None:
        """From here on `cut` may act; the client forgets its socket once an answer says that it will close."""
        with self._lock:
            self._deadline = time.monotonic() + self._timeout
            self._socket = client.sock
            self._was_cut = False

    def _end(self) -> bool:
        """True if the attempt was cut: what came before is no whole answer."""
        with self._lock:
            self._deadline = None
            return self._was_cut

    def cut(self, now: float) -> None:
        """End a post that has taken longer than the timeout in all: socket timeouts bound only each read and write."""
        with self._lock:
            if self._deadline is None or self._socket is None or now <= self._deadline:
                return
            self._was_cut = True
            with contextlib.suppress(OSError):
                # not the TLS socket's own shutdown, which would strip the encryption from under the other thread
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Drop the connection; the next post makes another."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = self._socket = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._client is not None and _is_stale(self._client):
            self.close()
        client = self._client
        if client is None:
            client = self._new()
            client.connect()
            with self._lock:
                self._client = client
        return client

    def _new(self) -> http.client.HTTPConnection:
        place = self._proxy or self._url
        host, port = place.hostname or "", place.port
        if self._url.scheme == "http":
            client = http.client.HTTPConnection(host, port, timeout=self._timeout)
            client.response_class = _Response
            return client
        client = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._tls())
        client.response_class = _Response
        if self._proxy is not None:
            client.set_tunnel(self._url.hostname or "", self._url.port, _proxy_headers(self._proxy))
        return client

    def _exchange(self, client: http.client.HTTPConnection, request: _Request) -> Reply:
        target, headers = self._url.path + request.path, dict(request.headers)
        if self._proxy is not None and self._url.scheme == "http":
            target = self._url.geturl() + request.path
            headers |= _proxy_headers(self._proxy)
        try:
            client.request(request.method, target, request.content(), headers)
        except OSError:
            # whoever answers before all is written may have closed already: the answer says why
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._reply(client)
            raise
        return self._reply(client)

    def _reply(self, client: http.client.HTTPConnection) -> Reply:
        response = client.getresponse()
        try:
            body = self._body(response)
        except (OSError, http.client.HTTPException):
            if response.status not in _TAKEN:
                raise
            body = b""
            self.close()
        names = {name.lower(): text for name, text in response.getheaders()}
        return Reply(response.status, names, body.decode(errors="replace"))

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        body = response.read(BODY_LIMIT)
        if response.length and len(body) < BODY_LIMIT:
            raise http.client.IncompleteRead(body, response.length)
        if not response.isclosed() and response.read(1):
            self.close()
        return body


class _Response(http.client.HTTPResponse):
    """Passes over every interim answer, where the standard library passes over 100 alone (RFC 9110 §15.2)."""

    def begin(self) -> None:
        super().begin()
        while http.HTTPStatus.SWITCHING_PROTOCOLS < self.status < http.HTTPStatus.OK:
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first
            super().begin()


def _is_stale(client: http.client.HTTPConnection) -> bool:
    """Whether the server has closed a connection that was kept: nothing is to be read from one that is only idle."""
    if client.sock is None:
        return True
    poll = select.poll()
    poll.register(client.sock, select.POLLIN)
    return bool(poll.poll(0))


def _proxy(url: SplitResult) -> SplitResult | None:
    found = getproxies().get(url.scheme)
    if not found or proxy_bypass(url.hostname or ""):
        return None
    return urlsplit(found if "//" in found else f"//{found}")


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _reason(error: Exception, *, connected: bool) -> str:
    """A stable word for what went wrong on the way."""
    if isinstance(error, TimeoutError):
        return "timeout" if connected else "connect-timeout"
    if connected:
        lost = isinstance(error, OSError | http.client.RemoteDisconnected | http.client.IncompleteRead)
        return "connection-lost" if lost else "http-error"
    return "tls-failed" if isinstance(error, ssl.SSLError) else "connect-failed"
