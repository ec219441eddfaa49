"""Workers come and go in one group: nothing missing, and in orderly moves nothing twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from tests.way.events import confluent, custom
from tests.way.stage import Stage, WorkerProcess, until

SECONDS = 8
PROTOCOLS = {
    "range": {"KAFKA__CONSUMER__PARTITION_ASSIGNMENT_STRATEGY": "range"},
    # librdkafka may leave a member out of a rebalance that follows another at once: only the broker's patience ends it
    "cooperative-sticky": {
        "KAFKA__CONSUMER__PARTITION_ASSIGNMENT_STRATEGY": "cooperative-sticky",
        "KAFKA__CONSUMER__SESSION_TIMEOUT_MS": "6000",
        "KAFKA__CONSUMER__MAX_POLL_INTERVAL_MS": "10000",
    },
    "consumer": {"KAFKA__CONSUMER__GROUP_PROTOCOL": "consumer"},
}


class Stream:
    """Events that keep coming while workers move, about a thousand a second."""

    def __init__(self, stage: Stage) -> None:
        self.count = 0
        self._stage = stage
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        value = confluent(custom())
        while not self._stop.is_set():
            self._stage.produce(value for _ in range(100))
            self.count += 100
            time.sleep(0.1)

    def end(self) -> int:
        """Stop; how many events there were."""
        self._stop.set()
        self._thread.join()
        return self.count


def _begun(*workers: WorkerProcess) -> None:
    """Until then they do not listen for signals."""
    until(lambda: all(each.lines("worker.started") for each in workers), "the workers' start")


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_workers_join_and_leave_and_no_event_is_missing_nor_received_twice(stage: Stage, protocol: str) -> None:
    stage.settings |= PROTOCOLS[protocol]
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(stage.worker()) for _ in range(3))
        _begun(first, second, third)
        stream = Stream(stage)
        try:
            time.sleep(SECONDS / 2)
            assert first.stop()[0] == 0, first.log()
            late = stack.enter_context(stage.worker())
            _begun(late)
            time.sleep(SECONDS / 2)
            assert second.stop()[0] == 0, second.log()
        finally:
            count = stream.end()
        until(lambda: stage.sandbox.stats()["distinct"] >= count, f"{count} records")
        for each in (third, late):
            assert each.stop()[0] == 0, each.log()
    received = stage.sandbox.received(stage.seeded["custom"].subscription_id)
    assert len(received) == count
    if protocol != "cooperative-sticky":
        assert Counter(times for times, _ in received.values()) == {1: count}
    assert stage.committed() == count
