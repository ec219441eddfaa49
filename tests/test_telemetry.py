"""Health and metrics over a real socket, logs, and the sampler."""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from worker import __version__
from worker.config import Http, Log
from worker.telemetry import COUNTERS, GAUGES, STALLED, Health, Reading, Sampler, configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Serve = Callable[..., httpx.Client]


Values = dict[str, dict[tuple[str, ...], float]]


def reading(age: float = 0, ready: str | None = None, **gauges: float) -> Reading:
    counters: Values = {"records_consumed": {(): 5.0}, "records_rejected": {("decode",): 2.0, ('odd"\n\\',): 1.0}}
    labelled: Values = {
        "consumer_lag_messages": {("t", "0"): 7.0},
        **{name: {(): value} for name, value in gauges.items()},
    }
    return Reading(time.monotonic() - age, ready, counters, labelled)


class Shown:
    """The readings that the one health server of this module shows, the last one first."""

    def __init__(self) -> None:
        self.readings = [reading()]
        self.health = Health(Http(port=0), lambda: self.readings[-1])


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    """A health server on a free port."""
    started = Shown()
    yield started
    started.health.close()


@pytest.fixture
def served(shown: Shown) -> Iterator[Serve]:
    """Makes the server show a reading; gives its client."""
    with httpx.Client(base_url=f"http://127.0.0.1:{shown.health.port}", timeout=5) as client:

        def show(latest: Reading) -> httpx.Client:
            shown.readings.append(latest)
            return client

        yield show


@pytest.mark.parametrize(("age", "status"), [(0, 200), (STALLED - 5, 200), (STALLED + 1, 503), (10 * STALLED, 503)])
def test_a_loop_that_has_stalled_is_not_alive(served: Serve, age: float, status: int) -> None:
    answer = served(reading(age)).get("/livez")
    assert answer.status_code == status
    assert answer.json()["alive"] is (status == 200)
    assert abs(answer.json()["seconds_since_turn"] - age) < 2


@pytest.mark.parametrize("reason", ["starting", "no-partitions", "forbidden", "dead-letter-topic"])
def test_a_worker_that_cannot_deliver_is_not_ready_and_says_why_but_is_alive(served: Serve, reason: str) -> None:
    answer = served(reading(ready=reason)).get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reason": reason})
    assert served(reading(ready=reason)).get("/livez").status_code == 200
    answer = served(reading()).get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reason": None})


@pytest.mark.parametrize("started", [True, False])
def test_an_outage_does_not_take_back_that_the_worker_has_started(served: Serve, *, started: bool) -> None:
    answer = served(Reading(time.monotonic(), "server-error", started=started)).get("/startupz")
    assert (answer.status_code, answer.json()) == (200 if started else 503, {"started": started})


def test_the_version_is_told_and_other_paths_are_not_there(served: Serve) -> None:
    client = served(reading())
    assert client.get("/version").json() == {"version": __version__}
    for path in ("/", "/nothing", "/livez/", "//livez", "/metrics/x", "/%00"):
        assert client.get(path).status_code == 404, path


def families(text: str) -> dict[str, str]:
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def test_every_metric_is_there_from_the_start_by_its_name_and_type(served: Serve) -> None:
    found = families(served(reading()).get("/metrics").text)
    counters = {f"payload_worker_{name}_total": "counter" for name in COUNTERS}
    gauges = {f"payload_worker_{name}": "gauge" for name in GAUGES}
    assert found == counters | gauges


def test_the_names_that_operators_know_are_among_them() -> None:
    known = "records_consumed records_delivered records_deadlettered records_duplicate http_retries rebalances"
    assert set(known.split()) <= COUNTERS.keys()
    assert {"circuit_state", "inflight_bytes", "consumer_lag_messages", "commit_offset"} <= GAUGES.keys()
    for name in (*COUNTERS, *GAUGES):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert not name.endswith(("_total", "_count", "_sum", "_bucket"))
    labels = {label for _, names in (*COUNTERS.values(), *GAUGES.values()) for label in names}
    assert labels <= {"disposition", "outcome", "reason", "name", "topic", "partition"}, "no id, no text of a record"


def test_values_and_labels_are_as_they_were_read(served: Serve) -> None:
    lines = served(reading(inflight_bytes=12)).get("/metrics").text.splitlines()
    assert "payload_worker_records_consumed_total 5.0" in lines
    assert 'payload_worker_records_rejected_total{disposition="decode"} 2.0' in lines
    assert 'payload_worker_records_rejected_total{disposition="odd\\"\\n\\\\"} 1.0' in lines
    assert 'payload_worker_consumer_lag_messages{partition="0",topic="t"} 7.0' in lines
    assert "payload_worker_inflight_bytes 12.0" in lines


def test_each_scrape_shows_the_reading_of_its_time(served: Serve) -> None:
    for number in (1, 2):
        text = served(reading(inflight_bytes=number)).get("/metrics").text
        assert f"payload_worker_inflight_bytes {number}.0" in text


def test_a_connection_that_says_nothing_holds_up_nobody(served: Serve, shown: Shown) -> None:
    client = served(reading())
    with socket.create_connection(("127.0.0.1", shown.health.port)):
        assert client.get("/livez").status_code == 200


def test_a_probe_that_resets_its_connection_leaves_no_traceback(
    served: Serve, shown: Shown, capfd: pytest.CaptureFixture[str]
) -> None:
    """Load balancers do so every few seconds; what they cause is no news, and no JSON."""
    for data in (b"", b"GET /livez"):
        probe = socket.create_connection(("127.0.0.1", shown.health.port))
        probe.sendall(data)
        time.sleep(0.05)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        probe.close()
    time.sleep(0.2)
    assert served(reading()).get("/livez").status_code == 200
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_an_error_of_the_system() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Health(Http(port=taken.getsockname()[1]), reading)


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logging_as_before")
def test_logs_are_json_lines_on_standard_error_with_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Log(format="json", level="warning"))
    structlog.get_logger().info("unseen")
    structlog.get_logger().warning("record.rejected", offset=7, detail="ä\n")
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    found = json.loads(line)
    assert found.pop("timestamp").endswith("Z")
    assert found == {"event": "record.rejected", "level": "warning", "offset": 7, "detail": "ä\n"}


@pytest.mark.usefixtures("_logging_as_before")
def test_where_no_terminal_is_there_logs_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Log())
    structlog.get_logger().info("worker.started")
    assert json.loads(capsys.readouterr().err)["event"] == "worker.started"


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 3)), max_size=60))
def test_a_sampler_lets_one_of_a_kind_through_an_interval_and_counts_the_rest(steps: list[tuple[str, float]]) -> None:
    sampler, now = Sampler(5.0), 0.0
    passed: dict[str, list[tuple[float, int]]] = {"a": [], "b": []}
    seen = {"a": 0, "b": 0}
    for kind, step in steps:
        now += step
        held = sampler.admit(kind, now)
        if held is None:
            seen[kind] += 1
        else:
            assert held == seen[kind]
            seen[kind] = 0
            passed[kind].append((now, held))
    for times in passed.values():
        assert all(later - earlier >= 5.0 for (earlier, _), (later, _) in pairwise(times))
