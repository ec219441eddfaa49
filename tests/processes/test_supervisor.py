"""The supervisor with processes that do as the test says, by a clock that the test holds."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from worker.processes.child import STOP, STOP_NOW
from worker.processes.supervisor import MARGIN, Supervisor
from worker.telemetry import STALLED, Reading

if TYPE_CHECKING:
    from collections.abc import Callable

DRAIN = 20.0


@dataclass
class Acted:
    """A process: runs until it has a code, and notes what is done to it."""

    pid: int = 4711
    turning: bool = True
    silent: bool = False
    obeys: bool = True
    ends_with: int | None = None
    told: list[bytes] = field(default_factory=list)
    closed: bool = False
    _reading: Reading = field(default_factory=lambda: Reading(0, None))

    def reading(self) -> Reading | None:
        if self.turning:
            self._reading = replace(self._reading, turned=self._reading.turned + 1)
        return None if self.silent else self._reading

    def code(self) -> int | None:
        return self.ends_with

    def tell(self, word: bytes) -> None:
        self.told.append(word)
        if self.obeys:
            self.ends_with = 0

    def kill(self) -> None:
        self.ends_with = -signal.SIGKILL

    def close(self) -> None:
        self.closed = True


class Play:
    """A supervisor, every process that it has started, and what is to happen at which second."""

    def __init__(self, count: int = 2, *, made: Callable[[int], Acted] = lambda _: Acted()) -> None:
        self.now = 0.0
        self.step = 0.1
        self.started: list[tuple[int, Acted]] = []
        self.tries: list[float] = []
        self.plan: list[tuple[float, Callable[[], object]]] = []
        self._made = made
        self.supervisor = Supervisor(
            count, start=self._start, wait=float, drain=DRAIN, clock=lambda: self.now, pause=self._pause
        )

    def at(self, second: float, what: Callable[[], object]) -> None:
        self.plan.append((second, what))

    def end(self, second: float, index: int, code: int) -> None:
        """That a process, counted from the first start, ends so."""
        self.change(second, index, ends_with=code)

    def change(self, second: float, index: int, **what: object) -> None:
        def changed() -> None:
            for name, value in what.items():
                setattr(self.started[index][1], name, value)

        self.at(second, changed)

    def run(self) -> int:
        return self.supervisor.run()

    def numbers(self) -> list[int]:
        return [number for number, _ in self.started]

    def stop(self) -> None:
        self.supervisor.note(signal.SIGTERM)

    def _start(self, number: int) -> Acted:
        self.tries.append(self.now)
        self.started.append((number, self._made(len(self.tries))))
        return self.started[-1][1]

    def _pause(self, _: float) -> None:
        self.now += self.step
        assert self.now < 10_000, "it does not end"
        due = [what for second, what in self.plan if second <= self.now]
        self.plan = [(second, what) for second, what in self.plan if second > self.now]
        for what in due:
            what()


def test_a_signal_stops_all_once_and_the_exit_code_is_0_where_all_is_settled() -> None:
    play = Play()
    play.at(5, play.stop)
    assert play.run() == 0
    assert play.numbers() == [1, 2]
    assert [process.told for _, process in play.started] == [[STOP], [STOP]]
    assert all(process.closed for _, process in play.started)
    assert play.now < 6


def test_a_process_that_crashes_is_started_again_and_the_other_one_is_left_alone() -> None:
    play = Play()
    play.end(5, 1, -signal.SIGSEGV)
    play.at(10, play.stop)
    assert play.run() == 0
    assert play.numbers() == [1, 2, 2]
    assert play.started[0][1].told == [STOP]


def test_a_process_that_ends_with_a_configuration_error_ends_all() -> None:
    play = Play()
    play.end(5, 0, 78)
    assert play.run() == 78
    assert play.numbers() == [1, 2]
    assert play.started[1][1].told == [STOP]


def test_a_process_that_finds_no_kafka_is_tried_again_alone_with_growing_waits() -> None:
    play = Play(made=lambda n: Acted(silent=n <= 3, ends_with=69 if n <= 3 else None))
    play.at(20, play.stop)
    assert play.run() == 0
    assert play.numbers() == [1, 1, 1, 1, 2]
    waits = [round(later - earlier) for earlier, later in pairwise(play.tries)]
    assert waits == [1, 2, 3, 0]


def test_a_process_that_the_system_does_not_start_is_tried_again() -> None:
    def made(number: int) -> Acted:
        if number == 1:
            raise OSError
        return Acted()

    play = Play(count=1, made=made)
    play.at(5, play.stop)
    assert play.run() == 0
    assert len(play.tries) == 2


def test_a_loop_that_stands_still_is_ended_by_force_and_started_again() -> None:
    play = Play()
    play.change(5, 1, turning=False)
    play.at(STALLED + 20, play.stop)
    assert play.run() == 0
    assert play.numbers() == [1, 2, 2]
    assert play.started[1][1].ends_with == -signal.SIGKILL


def test_after_the_whole_machine_stood_still_no_process_is_blamed() -> None:
    """The supervisor looks before any loop has turned again."""
    play = Play()
    for index in range(2):
        play.change(4, index, turning=False)
        play.change(10 * STALLED + 8, index, turning=True)
    play.at(5, lambda: setattr(play, "now", play.now + 10 * STALLED))
    play.at(11 * STALLED, play.stop)
    assert play.run() == 0
    assert play.numbers() == [1, 2]


def test_what_does_not_end_within_the_drain_budget_and_a_margin_is_ended_by_force() -> None:
    play = Play(made=lambda n: Acted(obeys=n != 2))
    play.at(5, play.stop)
    assert play.run() == 75
    assert 5 + DRAIN + MARGIN <= play.now < 6 + DRAIN + MARGIN
    assert play.started[0][1].ends_with == 0


def test_a_second_signal_is_passed_on_too_and_told_by_the_exit_code() -> None:
    play = Play(count=1, made=lambda _: Acted(obeys=False))
    play.at(5, play.stop)
    play.at(6, lambda: play.supervisor.note(signal.SIGINT))
    play.end(7, 0, 75)
    assert play.run() == 128 + signal.SIGINT
    assert play.started[0][1].told == [STOP, STOP_NOW]


def test_what_is_stopped_before_it_has_shown_anything_had_nothing_to_settle() -> None:
    play = Play(count=1, made=lambda _: Acted(silent=True, obeys=False))
    play.at(0.5, play.stop)
    play.end(1, 0, -signal.SIGTERM)
    assert play.run() == 0


def test_a_process_that_had_crashed_before_the_signal_left_something_unsettled() -> None:
    play = Play()
    play.end(5, 1, -signal.SIGKILL)
    play.at(5.5, play.stop)
    assert play.run() == 75
    assert play.numbers() == [1, 2]


def test_it_is_ready_once_all_are_and_stopped_from_the_signal_on() -> None:
    play, seen = Play(), []
    for second in (0.1, 3, 5.3):
        play.at(second, lambda: seen.append(play.supervisor.reading.ready))
    play.change(4, 0, obeys=False)
    play.at(5, play.stop)
    play.end(7, 0, 0)
    assert play.run() == 0
    assert seen == ["process 1: starting", None, "stopped"]
