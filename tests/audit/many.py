"""A data mart that holds millions of rows and stores none: each page is made up from the places of the events.

It answers the calls that an audit makes, as the sandbox does, for one subscription of one binding.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from worker.model import Claim, Envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.rooms.identity import Identity

MART, BINDING, SUBSCRIPTION, ASSET = "mart", "binding", "subscription", "action"
TIMESTAMP = "2026-01-01T00:00:00.000Z"
FIELDS = ["scoring_id", "scoring_timestamp", "age"]


class Ids:
    """The row ids of `count` events, the newest first: the n-th event lies in partition n % `partitions`."""

    def __init__(self, identity: Identity, topic: str, count: int, partitions: int, gone: set[int]) -> None:
        self._identity = identity
        self._claims = [Claim(topic, number) for number in range(partitions)]
        self._kept = count
        self._gone = gone

    def total(self) -> int:
        """Rows."""
        return self._kept - len(self._gone)

    def page(self, offset: int, limit: int) -> list[str]:
        """Row ids of a page; what is gone leaves its place to the rows behind it."""
        found: list[str] = []
        number = self._behind(offset)
        while number >= 0 and len(found) < limit:
            if number not in self._gone:
                found.append(f"{self.of(number)}-1")
            number -= 1
        return found

    def _behind(self, offset: int) -> int:
        """The event of the row at `offset`: further back by as many as are gone before it."""
        number = self._kept - 1 - offset
        for gone in sorted(self._gone, reverse=True):
            number -= gone >= number
        return number

    def of(self, number: int) -> str:
        """The scoring id of an event."""
        claim = self._claims[number % len(self._claims)]
        return self._identity.scoring_id(Envelope(claim, number // len(self._claims), 0, None, None, ()))


@contextmanager
def mart(ids: Ids) -> Iterator[str]:
    """The URL of such a data mart."""
    handler = type("Handler", (_Handler,), {"ids": ids})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    ids: ClassVar[Ids]

    def do_GET(self) -> None:
        """Bindings, subscriptions, rows."""
        path = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(path.query).items()}
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "service_bindings": _bindings,
            "subscriptions": _subscriptions,
            "scoring_transactions": lambda: self._rows(query),
        }
        body = json.dumps(answers[path.path.rpartition("/")[2]]()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _rows(self, query: dict[str, str]) -> dict[str, Any]:
        page = self.ids.page(int(query["offset"]), min(1000, int(query["limit"])))
        told = {"total_count": self.ids.total()} if "include_total_count" in query else {}
        return {"fields": FIELDS, "values": [[each, TIMESTAMP, 1] for each in page], **told}


def _bindings() -> dict[str, Any]:
    entity = {"name": BINDING, "service_type": "custom_machine_learning"}
    return {"service_bindings": [{"metadata": {"guid": BINDING}, "entity": entity}]}


def _subscriptions() -> dict[str, Any]:
    entity = {"asset": {"asset_id": ASSET, "name": ASSET}, "asset_properties": {}, "deployments": []}
    return {"subscriptions": [{"metadata": {"guid": SUBSCRIPTION}, "entity": entity}]}
