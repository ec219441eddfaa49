"""Logs, metrics and health: every name is declared here, once."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from dataclasses import dataclass, field
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from worker import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    from worker.config import Http, Log

NAME = "payload_worker"
"""Prefix of every metric."""

STALLED = 60.0
"""Seconds without a turn of the loop after which the worker no longer counts as alive."""

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(log: Log, **bound: object) -> None:
    """Logs go to standard error: for people on a terminal, as JSON lines otherwise; `bound`: fields of every line."""
    console = log.format == "console" or (log.format == "auto" and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            lambda _, __, line: {**bound, **line},  # for all threads, as a context variable would not be
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[log.level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # a line in one write: processes share the file
    )


class Sampler:
    """Lets one line of a kind through each `interval` seconds, with the count of those it held back."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._seen: dict[object, tuple[float, int]] = {}

    def admit(self, kind: object, now: float) -> int | None:
        """How many of this kind were held back since the last that passed; None: hold this one back too."""
        since, held = self._seen.get(kind, (float("-inf"), 0))
        if now - since < self._interval:
            self._seen[kind] = (since, held + 1)
            return None
        self._seen[kind] = (now, 0)
        return held


@dataclass(frozen=True, slots=True)
class Reading:
    """What the worker shows of itself; made by its thread about once a second, read by any other.

    `ready` is None while all is well, else the reason in a word; `turned`: `time.monotonic()` of the loop's last turn.
    `started`: once the first directory has come; an outage later does not take it back.
    """

    turned: float
    ready: str | None
    counters: Mapping[str, Mapping[tuple[str, ...], float]] = field(default_factory=dict)
    gauges: Mapping[str, Mapping[tuple[str, ...], float]] = field(default_factory=dict)
    started: bool = True


COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "records_consumed": ("Records read from Kafka.", ()),
    "records_delivered": ("Records that the data mart accepted.", ()),
    "records_duplicate": ("Records that the data mart had already, after an attempt whose end was not seen.", ()),
    "records_rejected": ("Records refused, to be dead-lettered.", ("disposition",)),
    "records_deadlettered": ("Records that the dead-letter topic acknowledged.", ("disposition",)),
    "dead_letter_failures": ("Attempts to dead-letter a record that failed; it is held.", ()),
    "commits_refused": (
        "Commits refused because they would have passed an unsettled record: a fault of this program.",
        (),
    ),
    "offsets_lost": ("Offsets that Kafka deleted before they were read.", ("topic", "partition")),
    "http_requests": ("Posts that ended, by what the answer meant.", ("reason",)),
    "http_retries": ("Posts that are tried again, by reason.", ("reason",)),
    "token_refresh": ("Tokens asked for.", ()),
    "directory_fetches": ("Fetches of bindings and subscriptions.", ()),
    "schema_fetches": ("Writer schemas asked of the registry, by what came of it.", ("outcome",)),
    "rebalances": ("Assignments of partitions.", ()),
    "kafka_errors": ("Errors that librdkafka reported, by name.", ("name",)),
    "process_restarts": ("Processes of --processes that were started again after they had ended.", ()),
}
"""Counters: name (exported with `_total`), help, labels."""

GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "records_in_flight": ("Records read and not settled.", ()),
    "inflight_bytes": ("Bytes of the records read and not settled.", ()),
    "records_unread": ("Records that wait for their writer schema.", ()),
    "records_unpaired": ("Records that wait for the other half of their scoring.", ()),
    "posts_in_flight": ("Posts whose answer is awaited.", ()),
    "posts_limit": ("Posts that may be in flight now, as the endpoint bears them.", ()),
    "circuit_state": ("0: delivering, 1: held, halted or an outage.", ()),
    "flood_stopped": ("1: the flood guard has stopped everything, until it is resumed.", ()),
    "partitions_paused": (
        "Partitions that are not read: what they hold cannot be delivered, and crowds out others.",
        (),
    ),
    "partition_held_up_offsets": ("Settled offsets whose commit waits for one older record.", ("topic", "partition")),
    "partitions_assigned": ("Partitions that this worker owns.", ()),
    "consumer_lag_messages": ("Records behind the end of the partition, as last fetched.", ("topic", "partition")),
    "commit_offset": ("Position last handed to Kafka to be committed.", ("topic", "partition")),
    "directory_subscriptions": ("Subscriptions in the cached directory.", ()),
    "process_up": ("1: this process of --processes runs, 0: it has ended and is to be started again.", ()),
}
"""Gauges: name, help, labels."""


class _Collector:
    def __init__(self, reading: Callable[[], Reading], more: tuple[str, ...]) -> None:
        self._reading = reading
        self._more = more

    def collect(self) -> Iterator[Metric]:
        reading = self._reading()
        for name, (text, labels) in COUNTERS.items():
            counter = CounterMetricFamily(f"{NAME}_{name}", text, labels=labels + self._more)
            for values, number in reading.counters.get(name, {}).items():
                counter.add_metric(values, number)
            yield counter
        for name, (text, labels) in GAUGES.items():
            gauge = GaugeMetricFamily(f"{NAME}_{name}", text, labels=labels + self._more)
            for values, number in reading.gauges.get(name, {}).items():
                gauge.add_metric(values, number)
            yield gauge


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A probe that hangs up is not news either."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Probes every few seconds are not news."""


class Health:
    """`/metrics`, `/livez`, `/readyz`, `/startupz` and `/version` on a thread of its own.

    `labels`: those that every value in the reading has beside its metric's own.
    """

    def __init__(self, http: Http, reading: Callable[[], Reading], labels: tuple[str, ...] = ()) -> None:
        self._reading = reading
        registry = CollectorRegistry()
        registry.register(_Collector(reading, labels))
        self._metrics = make_wsgi_app(registry)
        self._server = make_server(http.host, http.port, self._answer, server_class=_Server, handler_class=_Quiet)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            metrics: Iterable[bytes] = self._metrics(environ, start)
            return metrics
        status, found = self._state(path)
        start(status, [("Content-Type", "application/json")])
        return [json.dumps(found).encode() + b"\n"]

    def _state(self, path: str) -> tuple[str, dict[str, Any]]:
        reading = self._reading()
        age = time.monotonic() - reading.turned
        match path:
            case "/livez":
                alive = age < STALLED
                return _status(alive), {"alive": alive, "seconds_since_turn": round(age, 1)}
            case "/startupz":
                return _status(reading.started), {"started": reading.started}
            case "/readyz":
                return _status(reading.ready is None), {"ready": reading.ready is None, "reason": reading.ready}
            case "/version":
                return "200 OK", {"version": __version__}
            case _:
                return "404 Not Found", {"error": "try /livez, /readyz, /metrics or /version"}


def _status(good: bool) -> str:  # noqa: FBT001 - a state, not a switch
    return "200 OK" if good else "503 Service Unavailable"
