"""A process's side: over a real socket, with a worker that only notes what it is told."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from tests.way.stage import until
from worker.config import Kafka, Mart, Settings
from worker.processes.child import STOP, STOP_NOW
from worker.processes.link import Link, of_process
from worker.processes.reports import decode
from worker.telemetry import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator


Gauges = dict[str, dict[tuple[str, ...], float]]
MART = Mart(api_key=SecretStr("k"))


class Noted:
    """A worker that counts its stops."""

    def __init__(self) -> None:
        self.reading = Reading(1, None, {"records_consumed": {(): 5.0}})
        self.stops = 0

    def stop(self) -> None:
        self.stops += 1


class Held:
    """A link, the supervisor's end of its socket, and the codes with which it would have left."""

    def __init__(self) -> None:
        self.end, theirs = socket.socketpair()
        self.end.settimeout(10)
        self.left: list[int] = []
        self.worker = Noted()
        self.link = Link(theirs, self.left.append)

    def shown(self) -> Reading | None:
        """The next reading."""
        line = b""
        while not line.endswith(b"\n"):
            line += self.end.recv(1)
        return decode(line)

    def quiet(self, stops: int) -> None:
        """Wait until the link has looked again, by the reading that it shows then."""
        self.shown()
        self.shown()
        assert self.worker.stops == stops


@pytest.fixture
def held() -> Iterator[Held]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    made = Held()
    yield made
    made.end.close()
    until(lambda: not any(thread.name == "link" for thread in threading.enumerate()), "the end of the link")
    for number, handler in before.items():
        signal.signal(number, handler)


def test_readings_are_shown_at_once_again_and_again_and_at_the_end(held: Held) -> None:
    held.link.attend(held.worker)
    assert held.shown() == held.worker.reading
    held.worker.reading = Reading(2, "forbidden")
    while (found := held.shown()) != held.worker.reading:
        assert found is not None
        assert found.turned == 1
    held.worker.reading = Reading(3, "stopped")
    held.link.close()
    while held.shown() != held.worker.reading:
        pass


def test_told_twice_to_stop_and_by_signals_too_it_is_one_wish(held: Held) -> None:
    held.link.heed_signals()
    held.link.attend(held.worker)
    held.end.send(STOP)
    until(lambda: held.worker.stops == 1, "a stop")
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    held.end.send(STOP)
    held.quiet(1)


def test_a_signal_alone_is_a_wish_to_stop(held: Held) -> None:
    held.link.heed_signals()
    held.link.attend(held.worker)
    os.kill(os.getpid(), signal.SIGTERM)
    until(lambda: held.worker.stops == 1, "a stop")
    held.quiet(1)


@pytest.mark.parametrize("words", [[STOP_NOW], [STOP, STOP_NOW], [STOP + STOP_NOW]])
def test_told_to_end_at_once_it_does(held: Held, words: list[bytes]) -> None:
    held.link.attend(held.worker)
    for word in words:
        held.end.send(word)
    until(lambda: held.worker.stops == 2, "an end at once")


def test_without_a_supervisor_it_stops_once(held: Held) -> None:
    held.link.attend(held.worker)
    held.end.close()
    until(lambda: held.worker.stops > 0, "a stop")
    assert held.worker.stops == 1


def test_with_no_worker_yet_there_is_nothing_to_settle(held: Held) -> None:
    held.end.send(STOP)
    until(lambda: bool(held.left), "the end")
    assert held.left == [0]


def test_a_supervisor_that_does_not_read_holds_up_no_stop(held: Held) -> None:
    gauges: Gauges = {"consumer_lag_messages": {("t", str(number)): 1.0 for number in range(100_000)}}
    held.worker.reading = Reading(1, None, {}, gauges)
    held.link.attend(held.worker)
    held.end.send(STOP)
    until(lambda: held.worker.stops == 1, "a stop")
    held.link.close()


def test_a_static_member_gets_its_number_and_nothing_else_changes() -> None:
    settings = Settings(mart=MART, kafka=Kafka(consumer={"group.instance.id": "pod-0", "client.id": "c"}))
    assert of_process(settings, 3).kafka.consumer == {"group.instance.id": "pod-0-3", "client.id": "c"}
    assert settings.kafka.consumer["group.instance.id"] == "pod-0"
    plain = Settings(mart=MART)
    assert of_process(plain, 3) == plain
