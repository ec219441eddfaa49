"""What goes wrong while Kafka is read: then nothing more is committed, so that the next one reads it all again."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError

from tests.edges.reading import Log
from worker.edges.failures import Failures
from worker.edges.source import KafkaSource, SourceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import FrameType

    from tests.conftest import TopicFactory
    from tests.edges.reading import Reader
    from tests.kafka.broker import Broker
    from worker.model import Claim

COUNT = 20_000


@pytest.fixture
def log(broker: Broker, make_topic: TopicFactory) -> Log:
    log = Log(broker, make_topic(1))
    log.produce(COUNT, size=100)
    return log


def read_and_commit(reader: Reader) -> int:
    """Some records, and the place that is committed then."""
    reader.until_read(1_000)
    assert reader.source.commit({reader.claim(): reader.position()}, wait=True)
    return reader.position()


def nothing_is_committed_past(place: int, log: Log, reader: Reader) -> None:
    """Nor read: whatever the worker offers after the failure, now and as it leaves, the next one begins there."""
    reader.holding.marks = dict.fromkeys(reader.source.claims, COUNT)
    assert not reader.source.commit(reader.holding.marks, wait=True)
    assert not reader.source.commit(reader.holding.marks, wait=False)
    with pytest.raises(SourceError, match="nothing more is committed"):
        reader.turn()
    reader.source.close()
    assert log.committed() == {0: place}
    with log.reader() as following:
        following.until(lambda: following.offsets[0] and following.position() == COUNT, "the end")
        assert following.offsets[0] == list(range(place, COUNT))


@contextmanager
def interrupted(error: BaseException) -> Iterator[None]:
    """A signal again and again, whose handler raises as soon as it strikes within a read."""
    stop = threading.Event()
    main = threading.get_ident()

    def send() -> None:
        while not stop.wait(0.003):
            signal.pthread_kill(main, signal.SIGUSR1)

    def handle(_: int, frame: FrameType | None) -> None:
        while frame is not None:
            # the frame in which the client's C code is called: what it has taken out of its queue is lost
            if frame.f_code is KafkaSource._consume.__code__:  # noqa: SLF001 - to strike there and nowhere else
                stop.set()
                raise error
            frame = frame.f_back

    before = signal.signal(signal.SIGUSR1, handle)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        stop.set()
        sender.join()
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.kafka
def test_a_signal_handler_that_raises_ends_the_source_and_all_is_read_again(log: Log) -> None:
    reader = log.reader()
    place = read_and_commit(reader)
    with (
        interrupted(RuntimeError("a handler")),
        pytest.raises(SourceError, match=r"reading failed \(RuntimeError: a handler\); nothing more is committed"),
    ):
        reader.until(lambda: False, "the handler")
    nothing_is_committed_past(place, log, reader)


@pytest.mark.kafka
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_goes_through_as_it_is_and_all_is_read_again(log: Log, kind: type[BaseException]) -> None:
    reader = log.reader()
    place = read_and_commit(reader)
    with interrupted(kind()), pytest.raises(kind):
        reader.until(lambda: False, "the interrupt")
    nothing_is_committed_past(place, log, reader)


@pytest.mark.kafka
def test_a_callback_of_the_client_that_raises_ends_the_source_and_all_is_read_again(log: Log) -> None:
    armed = threading.Event()

    def statistics(_: str) -> None:
        if armed.is_set():
            armed.clear()
            raise ValueError("a callback")

    reader = log.reader({"stats_cb": statistics, "statistics.interval.ms": 20})
    place = read_and_commit(reader)
    armed.set()
    with pytest.raises(SourceError, match=r"ValueError: a callback\); nothing more is committed"):
        reader.until(lambda: False, "the callback")
    nothing_is_committed_past(place, log, reader)


@pytest.mark.kafka
def test_a_holder_that_raises_in_a_rebalance_ends_the_source_and_nothing_is_committed(log: Log) -> None:
    def assigned(_: Collection[Claim]) -> None:
        raise ValueError("a holder")

    log.commit({0: 100})
    reader = log.reader()
    reader.holding.assigned = assigned  # type: ignore[assignment,method-assign]  # a holder that is out of order
    with pytest.raises(SourceError, match=r"ValueError: a holder\); nothing more is committed"):
        reader.until(lambda: False, "the holder's end")
    nothing_is_committed_past(100, log, reader)


def test_a_callback_of_the_sources_own_never_raises_and_what_went_wrong_is_told() -> None:
    failures = Failures()

    def broken(_: Any) -> None:
        raise ValueError("broken")

    failures.safe(broken)(1)
    assert failures.any
    with pytest.raises(SourceError, match="ValueError: broken"):
        failures.check()


def test_what_librdkafka_goes_on_from_is_counted_by_name_and_fails_nothing() -> None:
    failures = Failures()
    for code in (KafkaError._TRANSPORT, KafkaError._TRANSPORT, KafkaError.REQUEST_TIMED_OUT):  # noqa: SLF001
        failures.note(KafkaError(code))
    failures.check()
    assert failures.counts == {"_TRANSPORT": 2, "REQUEST_TIMED_OUT": 1}


def test_what_librdkafka_does_not_go_on_from_ends_the_reading_in_either_form() -> None:
    for error in (KafkaError(KafkaError._FATAL, "gone"), KafkaError(KafkaError.UNKNOWN, "gone", fatal=True)):  # noqa: SLF001
        failures = Failures()
        failures.note(error)
        with pytest.raises(SourceError, match=r"given up \(gone\); nothing more is committed"):
            failures.check()


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_of_two_with_one_group_instance_id_one_ends_and_says_so(log: Log, protocol: str) -> None:
    settings: dict[str, Any] = {"group.protocol": protocol, "group.instance.id": "the-same"}
    if protocol == "classic":
        settings["session.timeout.ms"] = 6_000
    first, second = log.reader(settings), log.reader(settings)
    first.until_read(1_000)
    with pytest.raises(SourceError, match=r"Another worker has the same group\.instance\.id") as ended:
        first.until(lambda: not (second.turn(timeout=0.01), first.turn(timeout=0.01)), "the end of one")
    assert "nothing more is committed" in str(ended.value)
    kept, fenced = (second, first) if protocol == "classic" else (first, second)
    with pytest.raises(SourceError):
        fenced.turn()
    fenced.source.close()
    log.produce(10)
    kept.until(lambda: kept.offsets[0] and kept.position() == COUNT + 10, "all that came, for the one that is kept")
    kept.source.close()
