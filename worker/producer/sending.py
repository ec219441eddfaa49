"""The producer itself: hands events to librdkafka within a deadline, and holds an account of what became of them."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Self

from confluent_kafka import KafkaException, Producer

from worker.producer import encoding, events
from worker.producer.errors import NotDeliveredError, NotSentError, ProducerError, QueueFullError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta
    from types import TracebackType

    from confluent_kafka import KafkaError, Message

    from worker.config import Registry
    from worker.model import Event, Target
    from worker.producer.events import Content

    Told = Callable[[str | None], None]

DEFAULTS: Final[Mapping[str, Any]] = {
    "linger.ms": 5,
    "compression.type": "lz4",
    "delivery.timeout.ms": 60_000,
    "partitioner": "murmur2_random",  # a key's partition is then the same from every language
    "batch.size": 200_000,  # far less than a topic takes: a batch that is refused is refused with all in it
}
"""What a producer is made with unless told otherwise; docs/producers.md says why."""

_FIXED: Final[Mapping[str, Any]] = {"enable.idempotence": True, "acks": "all"}
_REFUSED: Final = frozenset(
    {
        *_FIXED,
        "request.required.acks",
        "bootstrap.servers",
        "metadata.broker.list",
        "delivery.report.only.error",
        "transactional.id",
        "on.delivery",
        "dr.cb",
        "dr.msg.cb",
    }
)
_UNDERSCORED: Final = frozenset({"log_level", "logger", "error_cb", "stats_cb", "throttle_cb", "oauth_cb"})
_TIMEOUT_NAMES: Final = ("message.timeout.ms", "delivery.timeout.ms")
EVENT_BYTES: Final = 1 << 20
"""`limits.event_bytes` of a worker that is not told otherwise."""

KEPT: Final = 10_000
"""Scoring ids that are kept of events that were not delivered."""

_SLICE: Final = 0.1
_GRACE: Final = 5.0
"""Seconds that librdkafka has to report beyond the timeout it was given."""

_log = logging.getLogger("worker.producer")


class PayloadProducer:
    """Sends payload events idempotently and with acks=all; to be used in a `with`, from any number of threads.

    Made without a broker's answer: what cannot be delivered is told later, by `on_failure(scoring_id, reason)` for each
    event, or else all together by a `NotDeliveredError` from `flush` and from the end of the `with`.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topic: str = "payload-events",
        framing: encoding.Framing = "confluent",
        schema_id: int | None = None,
        registry: Registry | str | None = None,
        subject: str | None = None,
        written_as: encoding.Encoding | None = None,
        target: Target | None = None,
        event_bytes: int = EVENT_BYTES,
        send_seconds: float = 10,
        on_failure: Callable[[str, str], None] | None = None,
        **settings: Any,
    ) -> None:
        """Make one.

        Args:
            bootstrap_servers: brokers, `host:port` by commas.
            topic: of events.
            framing: how a record names its schema (schemas/README.md).
            schema_id: Confluent's id of the event's schema, where the worker's index.json has another than 1.
            registry: ask there for the id, once and now: its URL, or a `worker.config.Registry` with credentials.
            subject: of the schema in the registry; `<topic>-value` unless given.
            written_as: an encoding made before, in place of the four above.
            target: the engine that bodies are for, so that they can be checked as far as the worker does.
            event_bytes: `limits.event_bytes` of the worker.
            send_seconds: the longest that `send` may wait while the queue is full.
            on_failure: called with a scoring id and a reason for each event that was not delivered, inside any later
                call of this producer.
            settings: librdkafka's, by its names with underscores for dots: `linger_ms=50`.

        Raises:
            ProducerError: a setting is refused, or there is no such schema.
        """
        self._encoding = written_as or _encoding(framing, schema_id, registry, subject or f"{topic}-value")
        self._topic = topic
        self._target = target
        self._event_bytes = event_bytes
        self._send_seconds = send_seconds
        self._on_failure = on_failure
        given = _named(settings)
        timeouts = [float(given[name]) for name in _TIMEOUT_NAMES if name in given]
        self.delivery_seconds = (timeouts or [float(DEFAULTS["delivery.timeout.ms"])])[0] / 1000
        self._producer = _made(bootstrap_servers, given, event_bytes)
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._failed: list[str] = []
        self.delivered = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
        except NotDeliveredError as undelivered:
            if error is None:
                raise
            error.add_note(str(undelivered))  # what ended the block says more, and must not be hidden

    def send(
        self,
        *,
        asset: str,
        request: Content,
        response: Content,
        scoring_id: str | None = None,
        scored_at: datetime | int | None = None,
        response_time_ms: timedelta | int | None = None,
        binding: str | None = None,
        deployment: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> str:
        """Check an event and hand it over; returns its scoring id. Waits only while the queue is full.

        Args:
            asset: the subscription's asset id or asset name, or the subscription's own id.
            request: a `Body`, a `Table`, the bytes or text of JSON, or objects and arrays to be written as JSON.
            response: the same.
            scoring_id: a new UUID unless given; what is sent again has to be sent with the id it had.
            scored_at: a datetime with its time zone, or microseconds since 1970; left out: when it is sent.
            response_time_ms: whole milliseconds, or a timedelta.
            binding: id or name; needed only for an asset that several have.
            deployment: id or name; left out: the subscription's first.
            attributes: free texts, which the worker does not send on.

        Raises:
            InvalidEventError: the worker would refuse it; nothing was sent.
            QueueFullError: the queue stayed full for `send_seconds`; nothing was sent.
            NotSentError: the client has given up, for a reason that will not pass; nothing was sent.
        """
        named = str(uuid.uuid4()) if scoring_id is None else scoring_id
        made = events.event(
            asset=asset,
            request=request,
            response=response,
            scoring_id=named,
            scored_at=scored_at,
            response_time_ms=response_time_ms,
            binding=binding,
            deployment=deployment,
            attributes=attributes,
            target=self._target,
        )
        self.hand_over(named, self.value(made))
        return named

    def value(self, event: Event) -> bytes:
        """The record's value for an event that was checked; raises `InvalidEventError` where it is too large."""
        return self._encoding.fitting(event, self._event_bytes)

    def hand_over(self, scoring_id: str, value: bytes, seconds: float | None = None, told: Told | None = None) -> None:
        """Hand a value over; waits while the queue is full, `seconds` (else `send_seconds`) at most.

        `told` is called with None once it is acknowledged, or with the reason why it is not delivered, in place of
        `on_failure` and `flush`.

        Raises:
            QueueFullError, NotSentError: as `send`.
        """
        wait = self._send_seconds if seconds is None else seconds
        deadline = time.monotonic() + wait
        with self._lock:
            self._open[scoring_id] += 1
        while not self._produced(scoring_id, value, told):
            if time.monotonic() >= deadline:
                self._closed(scoring_id)
                raise QueueFullError(f"the queue has been full for {wait:g} s: the brokers take too little, or nothing")
            self._producer.poll(min(_SLICE, max(0.0, deadline - time.monotonic())))
        self._producer.poll(0)

    def flush(self, seconds: float | None = None) -> None:
        """Wait until all is acknowledged or given up: `seconds`, or as long as a delivery may take and a little more.

        Raises:
            NotDeliveredError: not all is known to be written, and there is no `on_failure` that was told.
        """
        deadline = time.monotonic() + (self.delivery_seconds + _GRACE if seconds is None else seconds)
        # in slices, so that a signal is heard meanwhile
        while self._producer.flush(min(_SLICE, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                break
        silent = self._silent()
        with self._lock:
            reasons, failed = self._reasons, self._failed
            self._reasons, self._failed = Counter(), []
        if silent:
            reasons["no report yet"] += len(silent)
        if reasons:
            raise NotDeliveredError(reasons, [*failed, *silent][:KEPT])

    def poll(self, seconds: float = 0) -> None:
        """Let reports in; for services that send seldom, so that they hear of failures in between."""
        self._producer.poll(seconds)

    def __len__(self) -> int:
        """Events that were handed over and are not reported yet."""
        with self._lock:
            return self._open.total()

    def __bool__(self) -> bool:
        return True

    def partitions(self, seconds: float = 10) -> int:
        """How many partitions the topic has; 0: there is no such topic. Raises `UnreachableError` without an answer."""
        try:
            found = self._producer.list_topics(timeout=seconds).topics.get(
                self._topic
            )  # of all: naming one may make it
        except KafkaException as error:
            raise UnreachableError(f"no broker answers ({error.args[0].str()})") from None
        return len(found.partitions) if found is not None else 0

    def _produced(self, scoring_id: str, value: bytes, told: Told | None) -> bool:
        """False while the queue is full."""

        def reported(error: KafkaError | None, _: Message) -> None:
            self._reported(scoring_id, error, told)

        try:
            self._producer.produce(self._topic, value, scoring_id, on_delivery=reported)
        except BufferError:
            return False
        except KafkaException as error:
            self._closed(scoring_id)
            raise NotSentError(f"{self._topic}: {error.args[0].str()}") from None
        return True

    def _reported(self, scoring_id: str, error: KafkaError | None, told: Told | None) -> None:
        self._closed(scoring_id)
        if told is not None:
            told(None if error is None else error.str())
            return
        if error is None:
            with self._lock:
                self.delivered += 1
            return
        reason = error.str()
        with self._lock:
            first = not self._reasons[reason]
            if self._on_failure is None:
                self._reasons[reason] += 1
                self._failed += [scoring_id] if len(self._failed) < KEPT else []
        if self._on_failure is None:
            if first:
                _log.log(logging.ERROR, "an event was not delivered: %s (others for it are counted)", reason)
            return
        try:
            self._on_failure(scoring_id, reason)
        except Exception:  # noqa: BLE001 - it must not come out of a send of another event, which was handed over
            _log.exception("on_failure has raised")

    def _closed(self, scoring_id: str) -> None:
        with self._lock:
            self._open[scoring_id] -= 1
            if self._open[scoring_id] <= 0:
                del self._open[scoring_id]

    def _silent(self) -> list[str]:
        with self._lock:
            return list(self._open.elements())


def _encoding(
    framing: encoding.Framing, schema_id: int | None, registry: Registry | str | None, subject: str
) -> encoding.Encoding:
    if registry is not None and framing == "confluent" and schema_id is None:
        return encoding.registered(registry, subject)
    return encoding.offline(framing, schema_id=schema_id)


def _named(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The names of librdkafka; raises `ProducerError` for those that would break what is promised."""
    named = {name if name in _UNDERSCORED else name.replace("_", "."): value for name, value in settings.items()}
    for name in named:
        if name in _REFUSED:
            raise ProducerError(f"{name} cannot be set: what is acknowledged must be written, once, and be reported")
    return named


def _made(bootstrap_servers: str, given: Mapping[str, Any], event_bytes: int) -> Producer:
    # the event's limit is checked here; the record has a key and a head as well, and the broker knows its own limit
    ours = {**DEFAULTS, "message.max.bytes": max(1_000_000, event_bytes + 65_536)}
    if "message.timeout.ms" in given:  # two names of one setting
        del ours["delivery.timeout.ms"]
    try:
        return Producer({**ours, **given, **_FIXED, "bootstrap.servers": bootstrap_servers})
    except (KafkaException, TypeError, ValueError) as error:
        text = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        raise ProducerError(text) from None
