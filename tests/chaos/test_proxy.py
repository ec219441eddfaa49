"""Each kind of weather, seen by a client of an echoing server behind the proxy."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from chaos.proxy import CLEAR, Proxy, Weather

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 20


@contextmanager
def echo() -> Iterator[str]:
    """A server that answers with what it is told, one thread a connection; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(accepted,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def answer(accepted: socket.socket) -> None:
    with accepted:
        try:
            while data := accepted.recv(65_536):
                accepted.sendall(data)
        except OSError:
            return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with ExitStack() as stack:
        yield stack.enter_context(Proxy(stack.enter_context(echo()), seed=1))


def connect(proxy: Proxy) -> socket.socket:
    host, _, port = proxy.address.rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE)


def ask(client: socket.socket, text: bytes = b"hello") -> bytes:
    client.sendall(text)
    return received(client, len(text))


def received(client: socket.socket, count: int) -> bytes:
    """So many bytes, or those before the other side hung up."""
    found = b""
    while len(found) < count and (data := client.recv(65_536)):
        found += data
    return found


def seconds(client: socket.socket, text: bytes) -> float:
    began = time.monotonic()
    assert ask(client, text) == text
    return time.monotonic() - began


def test_in_clear_weather_everything_passes_as_it_is_and_an_end_is_told(proxy: Proxy) -> None:
    text = bytes(range(256)) * 4096
    with connect(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(text,))
        sender.start()
        assert received(client, len(text)) == text
        sender.join(PATIENCE)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert proxy.resets == 0


def test_latency_makes_answers_late_and_ends_with_the_weather(proxy: Proxy) -> None:
    with connect(proxy) as client:
        proxy.become(Weather(latency=0.3))
        assert seconds(client, b"hello") >= 0.3
        proxy.become(CLEAR)
        assert ask(client) == b"hello"


def test_a_bounded_bandwidth_is_kept(proxy: Proxy) -> None:
    with connect(proxy) as client:
        proxy.become(Weather(bandwidth=20_000))
        assert seconds(client, b"x" * 10_000) >= 0.4


def test_about_the_share_of_requests_that_was_asked_is_reset_and_the_same_ones_by_the_same_seed() -> None:
    def failures() -> list[int]:
        with echo() as target, Proxy(target, seed=7) as proxy:
            proxy.become(Weather(resets=0.2))
            return [number for number in range(100) if is_reset(proxy)]

    first = failures()
    assert 8 <= len(first) <= 35
    assert first == failures()


def is_reset(proxy: Proxy) -> bool:
    with connect(proxy) as client:
        try:
            assert ask(client) == b"hello"
        except ConnectionResetError:
            return True
        return False


def test_a_half_open_connection_stays_open_and_never_speaks_again_but_new_ones_do(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert ask(client) == b"hello"
        proxy.become(Weather(silent=True))
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            ask(client)
        with connect(proxy) as late:
            late.settimeout(0.3)
            with pytest.raises(TimeoutError):
                ask(late)
        proxy.become(CLEAR)
        with pytest.raises(TimeoutError):
            ask(client)
    assert proxy.muted == 2
    with connect(proxy) as client:
        assert ask(client) == b"hello"


def test_while_it_refuses_nobody_listens_open_connections_are_reset_and_then_the_port_is_the_same(
    proxy: Proxy,
) -> None:
    address = proxy.address
    with connect(proxy) as client:
        assert ask(client) == b"hello"
        proxy.become(Weather(refuse=True))
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
    proxy.become(CLEAR)
    assert proxy.address == address
    with connect(proxy) as client:
        assert ask(client) == b"hello"


def test_a_target_that_is_not_there_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"127.0.0.1:{gone.getsockname()[1]}"
    with Proxy(address, seed=1) as proxy, connect(proxy) as client:
        assert client.recv(1) == b""
