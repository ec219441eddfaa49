"""A sandbox on a socket: for good (`serve`), or beside a test or a demo (`running`)."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import uvicorn

from worker.sandbox.app import create_app
from worker.sandbox.fault_layer import ConnectedProtocol
from worker.sandbox.options import Options
from worker.sandbox.seed import DATA_MART_ID, connect, seed

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_SECONDS = 10
# requests that hang in a fault must not hold the sandbox when it is to stop
_STOP_SECONDS = 1
# the SDK of v2 asks every 5 s on one connection, and does not ask again where it finds it closed
_IDLE_SECONDS = 75


def serve(options: Options, host: str, port: int, *, seeded: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; raises `OptionsError` before it listens where the options do not do.

    `seeded`: begin with what `seed` makes, in the data mart that the options name, else in its own.
    """
    server = uvicorn.Server(_config(options, host=host, port=port))
    if seeded:
        threading.Thread(target=_seed, args=(server, options, port), name="seed", daemon=True).start()
    server.run()


def _seed(server: uvicorn.Server, options: Options, port: int) -> None:
    while not server.started:
        time.sleep(0.02)
    seed(
        f"http://127.0.0.1:{port}",
        options.data_mart_id or DATA_MART_ID,
        api_key=options.api_key or "sandbox",
    )


@contextmanager
def running(options: Options | None = None) -> Iterator[RunningSandbox]:
    """A sandbox on a free loopback port, in a thread of this process; it stops when the context ends."""
    server = uvicorn.Server(_config(options or Options()))
    listener = _listener()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        with RunningSandbox(f"http://127.0.0.1:{listener.getsockname()[1]}") as sandbox:
            yield sandbox
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)
        listener.close()


class RunningSandbox:
    """A sandbox's own answers, under `/sandbox/`, in one process or from another: `url` is all it needs."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = connect(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def stats(self) -> dict[str, Any]:
        """As `GET /sandbox/stats`."""
        return self._get("/sandbox/stats")

    def received(self, subscription_id: str) -> dict[str, tuple[int, int]]:
        """Every scoring id that came, in that order: how often it was received, and how often only seen."""
        pages = self._pages("/sandbox/received", "ids", subscription_id=subscription_id)
        return {scoring_id: (received, seen) for scoring_id, received, seen in pages}

    def rows(self, subscription_id: str) -> list[dict[str, Any]]:
        """Every stored row, in the order of arrival."""
        return list(self._pages("/sandbox/rows", "rows", subscription_id=subscription_id))

    def records(self, subscription_id: str) -> list[dict[str, Any]]:
        """Every stored record exactly as it was received, in the order of arrival."""
        return list(self._pages("/sandbox/records", "records", subscription_id=subscription_id))

    def errors(self, subscription_id: str) -> list[dict[str, Any]]:
        """The newest records that could not be processed."""
        errors: list[dict[str, Any]] = self._get("/sandbox/errors", subscription_id=subscription_id)["errors"]
        return errors

    def fault(self, *rules: dict[str, Any]) -> None:
        """Add fault rules (see `faults.py`)."""
        self._client.post("/sandbox/faults", json=rules).raise_for_status()

    def heal(self) -> None:
        """End all faults."""
        self._client.delete("/sandbox/faults").raise_for_status()

    def tell_assets(self, told: dict[str, Any]) -> None:
        """Tell what an engine has deployed (see `assets.py`)."""
        self._client.post("/sandbox/assets", json=told).raise_for_status()

    def revoke_tokens(self) -> None:
        """Make all tokens unknown."""
        self._client.delete("/sandbox/tokens").raise_for_status()

    def _pages(self, path: str, name: str, **query: str) -> Iterator[Any]:
        after = 0
        while after is not None:
            page = self._get(path, **query, after=str(after))
            yield from page[name]
            after = page["next"]

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.get(path, params=query).raise_for_status().json()
        return answer


def _listener() -> socket.socket:
    """A free loopback port. asyncio sends small answers at once only where the socket names its protocol."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    return listener


def _config(options: Options, **address: Any) -> uvicorn.Config:
    """One server for both ways: no access log, since paths name people's data marts and bodies are theirs."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return uvicorn.Config(
        create_app(options),
        http=ConnectedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        timeout_keep_alive=_IDLE_SECONDS,
        **address,
    )


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("The sandbox did not start.")
        time.sleep(0.005)
