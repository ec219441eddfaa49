"""Follows a procedure of the runbook on a stage: are its signs seen, do its commands say that, does it end it?"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

import httpx
from confluent_kafka import Consumer, TopicPartition

from tests.runbook import page
from tests.runbook.promql import Series, parsed
from tests.way.stage import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runbook.page import Command, Procedure, Sign
    from tests.runbook.tools import Tools
    from tests.way.stage import Stage, WorkerProcess

PREFIX: Final = "PAYLOAD_WORKER_"
PATIENCE: Final = 90.0
"""Seconds that a sign may be long in coming: CI's cores are slow and shared."""
STOPPED: Final = (0, 75)
"""What a worker may exit with that was stopped by one signal, as the page says."""


class Play:
    """One procedure with its stage, and the workers that run on it now; a context manager that ends them.

    `settings` are of all workers that are started from then on. `variables` are those of the page's commands.
    """

    def __init__(self, stage: Stage, tools: Tools, title: str) -> None:
        self.stage = stage
        self.procedure: Procedure = page.procedures()[title]
        self.workers: list[WorkerProcess] = []
        self.variables = {"PARTITION": "0"}
        self.said: set[str] = set()
        """Reasons of `/readyz` that were seen while the trouble lasted."""
        self._tools = tools
        self._series = Series()
        self._ended = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.close()

    # --- the stage --------------------------------------------------------------------------------------------------

    def start(self, count: int = 1) -> None:
        """Start so many workers, and wait until each shows metrics."""
        for _ in range(count):
            self.workers.append(self._ended.enter_context(self.stage.worker()))
        until(lambda: all(worker.lines("worker.started") for worker in self.workers), "the workers' start")
        until(lambda: all(_shows(worker) for worker in self.workers), "the workers' metrics")
        self.scrape()

    def stop(self) -> None:
        """Stop all workers by the command of the page, and hold them to the exit codes that it says."""
        for worker in self.workers:
            self._run(*page.commands(page.sections()["Stopping and starting"]), PID=str(worker.process.pid))
            code = worker.process.wait(PATIENCE)
            assert code in STOPPED, worker.log()
        self.workers.clear()

    def scrape(self) -> None:
        """One more scrape of all workers that run, as Prometheus would take it."""
        found: dict[Any, float] = {}
        for worker in self.workers:
            found |= parsed(httpx.get(f"{address(worker)}/metrics", timeout=10).text, str(worker.process.pid))
        self._series.add(found)

    # --- the procedure ----------------------------------------------------------------------------------------------

    def see(self, reason: str | None = None) -> None:
        """All signs of the trouble are seen; of `/readyz` this reason, where the page has several."""
        for sign in self.procedure.seen:
            if sign.where == "/readyz" and reason is not None:
                assert reason in sign.what, f"the page does not tell of {reason}"
                self._await(page.Sign(sign.where, (reason,)))
                self.said.add(reason)
            else:
                self._await(sign)

    def look(self) -> None:
        """Run what the page says to look at."""
        self._run(*self.procedure.look)

    def do(self, mend: Callable[[], object] | None = None) -> None:
        """Do all steps in their order; `mend` is what is not a command, and has to be a step if it is given."""
        verbs = [step.verb for step in self.procedure.do]
        assert (mend is not None) == ("Mend" in verbs), verbs
        for step in self.procedure.do:
            self._run(*step.commands)
            for name, value in step.settings:
                self.stage.settings[name.removeprefix(PREFIX)] = value
            if step.verb == "Mend" and mend is not None:
                mend()
            elif step.verb == "Stop the workers":
                self.stop()
            elif step.verb in {"Start the workers", "Start one more worker"}:
                self.start()

    def over(self) -> None:
        """The page's signs of the end are seen, its last commands say that all is well, and no alert fires any more."""
        for sign in self.procedure.over:
            self._await(sign, every=True)
        self._series.forget()
        self._run(*self.procedure.after)
        for expression in (sign.what[0] for sign in self.procedure.seen if sign.where == "alert"):
            self._until(partial(self._is_quiet, expression), f"the end of {expression}")

    def holds(self, expression: str) -> None:
        """An expression that the page's text names comes to hold."""
        assert f"`{expression}`" in self.procedure.text
        self.until(expression)

    def until(self, expression: str) -> None:
        """Wait until an expression holds."""
        self._until(lambda: self._series.holds(expression), expression)

    def told_all(self) -> None:
        """Each reason of `/readyz` that the page has for this trouble was seen."""
        assert self.said == {reason for sign in self.procedure.seen if sign.where == "/readyz" for reason in sign.what}

    def settled(self) -> None:
        """Everything that is in the topic is committed, so it is stored or in the dead-letter topic; all end with 0."""
        until(lambda: self.stage.committed() == end(self.stage), "the last commit", PATIENCE)
        for worker in self.workers:
            code, log = worker.stop(PATIENCE)
            assert code == 0, log

    def _run(self, *commands: Command, **more: str) -> None:
        stage = self.stage
        own = {"BOOTSTRAP": stage.bootstrap, "GROUP": stage.group, "TOPIC": stage.topic, "LETTERS": stage.letters}
        if self.workers:
            own["HTTP"] = address(self.workers[0])
        for command in commands:
            self._tools.run(command, {**stage.environment(), **own, **self.variables, **more})

    def _await(self, sign: Sign, *, every: bool = False) -> None:
        self._until(lambda: self._is_seen(sign, every=every), f"{sign.where} {' '.join(sign.what)}")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        """As `until`, with a scrape before each look."""
        deadline = time.monotonic() + PATIENCE
        self.scrape()
        while not condition():
            if time.monotonic() > deadline:
                told = "\n".join(worker.log()[-3000:] for worker in self.workers)
                raise AssertionError(f"{self.procedure.title}: not seen: {what}\n{told}")
            time.sleep(0.1)
            self.scrape()

    def _is_quiet(self, expression: str) -> bool:
        return not self._series.holds(expression)

    def _is_seen(self, sign: Sign, *, every: bool) -> bool:
        if sign.where in {"alert", "metric"}:
            return self._series.holds(sign.what[0])
        if sign.where == "log":
            return any(_logged(worker, *sign.what) for worker in self.workers)
        assert sign.where == "/readyz", sign
        quantified = all if every else any
        return quantified(_says(worker, sign.what) for worker in self.workers)


def address(worker: WorkerProcess) -> str:
    """Where a worker that has started shows health and metrics."""
    return f"http://127.0.0.1:{worker.lines('worker.started')[0]['http_port']}"


def end(stage: Stage) -> int:
    """How many events there ever were in the topic."""
    consumer = Consumer({"bootstrap.servers": stage.bootstrap, "group.id": f"{stage.group}-look", "log_level": 0})
    try:
        partitions = consumer.list_topics(stage.topic, timeout=10).topics[stage.topic].partitions
        places = [TopicPartition(stage.topic, number) for number in partitions]
        return sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
    finally:
        consumer.close()


def _shows(worker: WorkerProcess) -> bool:
    """Whether its loop has shown anything; of a supervisor's processes none may have begun."""
    return not {"circuit_state", "process_up"}.isdisjoint(worker.metrics())


def _says(worker: WorkerProcess, reasons: tuple[str, ...]) -> bool:
    """Whether `/readyz` says one of these; `…` at the end of one stands for anything."""
    status, told = worker.health("/readyz")
    said = "200" if status == httpx.codes.OK else str(told["reason"])
    return any(said == each or (each.endswith("…") and said.startswith(each[:-1])) for each in reasons)


def _logged(worker: WorkerProcess, event: str, *fields: str) -> bool:
    wanted = dict(field.split("=", 1) for field in fields)
    return any(
        wanted.items() <= {name: str(value) for name, value in line.items()}.items() for line in worker.lines(event)
    )
