"""An end to HTTP requests that take too long in all: httpx's own timeouts bound each read, however many there are."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AGAIN: Final = 0.1
"""Seconds after which what has connected meanwhile is cut as well."""


class Deadline:
    """Ends requests of one httpx client that take more than `seconds`. Those of other threads end with them.

    `trace` is to be their extension of this name, which tells of connections as they are made.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpx; a TLS handshake has a deadline of its own, in which each connection gets another socket."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._sockets.add(info["return_value"].get_extra_info("socket"))

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """A request, with the reading of its answer.

        Raises:
            httpx.ReadTimeout: it took too long: what came before is no whole answer.
        """
        ended, late = threading.Event(), threading.Event()
        threading.Thread(target=self._watch, args=(ended, late), name="deadline", daemon=True).start()
        try:
            yield
        except (httpx.HTTPError, OSError):
            if not late.is_set():
                raise
        finally:
            ended.set()
        if late.is_set():
            raise httpx.ReadTimeout("the request took too long in all")

    def _watch(self, ended: threading.Event, late: threading.Event) -> None:
        wait = self._seconds
        while not ended.wait(wait):
            late.set()
            self._cut()
            wait = AGAIN

    def _cut(self) -> None:
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            with contextlib.suppress(OSError):
                # not the TLS socket's own shutdown, which would strip the encryption from under the other thread
                socket.socket.shutdown(each, socket.SHUT_RDWR)
