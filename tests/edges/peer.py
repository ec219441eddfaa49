"""A TCP peer for one test: answers each connection as a function says, byte by byte if it likes."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Peer:
    """Listens on a free loopback port; `requests` holds what came, one entry a connection."""

    def __init__(self, behave: Callable[[socket.socket], None], *, polite: bool = True) -> None:
        self._behave = behave
        self._polite = polite
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self.requests.append(receive(connection) if self._polite else connection.recv(65536))
            self._behave(connection)

    def close(self) -> None:
        """Take no more connections; those that are open end with their behaviour."""
        self._listener.close()


@contextmanager
def peer(behave: Callable[[socket.socket], None], *, polite: bool = True) -> Iterator[Peer]:
    """A peer that ends with the context; one that is not `polite` does not wait for a whole request."""
    started = Peer(behave, polite=polite)
    try:
        yield started
    finally:
        started.close()


def receive(connection: socket.socket) -> bytes:
    """One HTTP request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := connection.recv(65536)):
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
    )
    while len(body) < length and (part := connection.recv(65536)):
        body += part
    return head + b"\r\n\r\n" + body


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """An HTTP answer as bytes."""
    lines = [f"HTTP/1.1 {status} Odd", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def reset(connection: socket.socket) -> None:
    """Close with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
