"""One post, one answer, over real sockets: whatever the other end does, an outcome comes back in time."""

from __future__ import annotations

import gc
import gzip
import json
import logging
import socket
import ssl
import threading
import time
import tracemalloc
import weakref
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.edges.peer import answer, peer, reset
from tests.flow.build import envelope
from worker.config import Mart
from worker.edges.connection import BODY_LIMIT, Connection, Reply
from worker.edges.courier import Courier
from worker.flow.batch import Batch, Lane
from worker.flow.breaker import Breaker, BreakerPolicy
from worker.flow.jobs import Post, Posted
from worker.flow.verdict import Answer, Verdict
from worker.mart.client import USER_AGENT
from worker.mart.token import FetchedToken, ReadyToken, TokenError, TokenSource, iam_fetcher
from worker.model import Claim, Row
from worker.sandbox.options import Options
from worker.sandbox.seed import DATA_MART_ID, Seeded, seed
from worker.sandbox.serve import RunningSandbox, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fetched = Callable[..., FetchedToken]

SECRET = "s3cret-t0ken"  # noqa: S105 - one that would be seen
PAYLOADS = {"path": "scoring_payloads$"}


def post(*payloads: bytes) -> Post:
    rows = [Row(envelope(Claim("t", 0), at), "s", payload) for at, payload in enumerate(payloads or (b"{}",))]
    return Post(Lane("mart", Breaker(BreakerPolicy(1, float))), Batch(rows), 0.0)


def mart(url: str, seconds: float = 5) -> Mart:
    return Mart.model_validate({"url": url, "data_mart_id": DATA_MART_ID, "token": SECRET, "timeout_seconds": seconds})


@contextmanager
def couriers(
    settings: Mart, tokens: TokenSource | None = None, threads: int = 1, *, compress: bool = False
) -> Iterator[Courier]:
    courier = Courier(settings, tokens or ReadyToken(SECRET), threads, compress=compress)
    try:
        yield courier
    finally:
        courier.close()


def polled(courier: Courier, wait: float) -> list[Posted]:
    """What comes out, asked for again and again, as the loop does."""
    deadline = time.monotonic() + wait
    while not (outcomes := courier.collect(0.02)) and time.monotonic() < deadline:
        pass
    return outcomes


def sent(settings: Mart, tokens: TokenSource | None = None, job: Post | None = None, wait: float = 10) -> Answer:
    """The outcome of one post."""
    with couriers(settings, tokens) as courier:
        return answered(courier, job or post(), wait)


def answered(courier: Courier, job: Post, wait: float = 10) -> Answer:
    courier.send(job)
    outcomes = polled(courier, wait)
    assert len(outcomes) == 1, "no outcome"
    assert outcomes[0].post is job
    return outcomes[0].answer


def against(behave: Callable[[socket.socket], None], seconds: float = 5, wait: float = 10) -> Answer:
    with peer(behave) as other:
        return sent(mart(f"http://127.0.0.1:{other.port}", seconds), wait=wait)


def summary(found: Answer) -> tuple[Verdict, str, bool]:
    return found.verdict, found.reason, found.unseen


@pytest.fixture(scope="module")
def seeded() -> Iterator[tuple[RunningSandbox, Seeded]]:
    """A sandbox with a custom engine's subscription."""
    with running(Options(api_key="k3y")) as sandbox:
        yield sandbox, seed(sandbox.url, engines=["custom"], api_key="k3y")["custom"]


@pytest.fixture
def sandbox(seeded: tuple[RunningSandbox, Seeded]) -> Iterator[RunningSandbox]:
    """The same without faults."""
    seeded[0].heal()
    yield seeded[0]
    seeded[0].heal()


def keyed(url: str, seconds: float = 5) -> Mart:
    return Mart.model_validate({"url": url, "data_mart_id": DATA_MART_ID, "api_key": "k3y", "timeout_seconds": seconds})


@pytest.fixture
def fetched() -> Iterator[Fetched]:
    """Makes token sources for a sandbox."""
    with httpx.Client() as client:
        yield lambda url, key="k3y": FetchedToken(iam_fetcher(client, url, key))


def record(seeded: Seeded, scoring_id: str) -> bytes:
    ids = {name: getattr(seeded, name) for name in ("binding_id", "subscription_id", "deployment_id")}
    more = {"request": {"fields": ["a"], "values": [[1]]}, "response": {"fields": ["p"], "values": [[2]]}}
    return json.dumps({**ids, **more, "scoring_id": scoring_id}).encode()


# --- the sandbox -----------------------------------------------------------------------------------------------------


def test_a_batch_is_stored_as_one_array(
    sandbox: RunningSandbox, seeded: tuple[RunningSandbox, Seeded], fetched: Fetched
) -> None:
    settings = keyed(sandbox.url)
    found = sent(settings, fetched(sandbox.url), post(record(seeded[1], "c-1"), record(seeded[1], "c-2")))
    assert (found.verdict, found.status) == (Verdict.ACCEPTED, 202)
    assert {"c-1", "c-2"} <= sandbox.received(seeded[1].subscription_id).keys()


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"status": 200, "body": "<html>log in</html>"}, Verdict.HALT),
        ({"status": 201}, Verdict.HALT),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/login"}}, Verdict.HALT),
        ({"status": 400}, Verdict.SPLIT),
        ({"status": 401}, Verdict.REFRESH),
        ({"status": 403}, Verdict.HALT),
        ({"status": 403, "body": "<html>blocked</html>", "headers": {"Content-Type": "text/html"}}, Verdict.SPLIT_EDGE),
        ({"status": 404, "body": "<html>"}, Verdict.HALT),
        ({"status": 404, "body": {"errors": [{"code": "AISCS0005W"}]}}, Verdict.HALT),
        ({"status": 404}, Verdict.SPLIT),
        ({"status": 409}, Verdict.SPLIT),
        ({"status": 413}, Verdict.TOO_LARGE),
        ({"status": 422}, Verdict.SPLIT),
        ({"status": 429, "headers": {"Retry-After": "7"}}, Verdict.THROTTLE),
        ({"status": 500}, Verdict.RETRY),
        ({"status": 503, "headers": {"Retry-After": "7"}}, Verdict.RETRY),
    ],
)
def test_each_answer_has_its_verdict_over_a_socket(
    sandbox: RunningSandbox, fetched: Fetched, action: dict[str, Any], expected: Verdict
) -> None:
    sandbox.fault({"match": PAYLOADS, "action": action})
    settings = keyed(sandbox.url)
    found = sent(settings, fetched(sandbox.url))
    assert (found.verdict, found.status) == (expected, action["status"])
    assert found.retry_after == (7 if "Retry-After" in action.get("headers", {}) else None)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ({"reset": "before"}, "connection-lost"),
        ({"reset": "after"}, "connection-lost"),
        pytest.param({"hang_ms": 9000}, "timeout"),
    ],
)
def test_an_attempt_that_is_cut_may_have_been_seen(
    sandbox: RunningSandbox, fetched: Fetched, action: dict[str, Any], reason: str
) -> None:
    sandbox.fault({"match": PAYLOADS, "action": action})
    settings = keyed(sandbox.url, 0.3)
    began = time.monotonic()
    assert summary(sent(settings, fetched(sandbox.url))) == (Verdict.RETRY, reason, True)
    assert time.monotonic() - began < 6, "it waits for the answer"


def test_a_401_drops_the_token_and_the_next_attempt_has_another(
    sandbox: RunningSandbox, seeded: tuple[RunningSandbox, Seeded], fetched: Fetched
) -> None:
    settings = keyed(sandbox.url)
    tokens = fetched(sandbox.url)
    old = tokens.current()
    sandbox.revoke_tokens()
    job = post(record(seeded[1], "after-401"))
    assert sent(settings, tokens, job).verdict is Verdict.REFRESH
    assert sent(settings, tokens, job).verdict is Verdict.ACCEPTED
    assert tokens.current() != old


def test_a_refused_key_halts_and_a_token_service_that_is_down_does_not(
    sandbox: RunningSandbox, fetched: Fetched
) -> None:
    settings = keyed(sandbox.url)
    assert summary(sent(settings, fetched(sandbox.url, "wr0ng"))) == (Verdict.HALT, "credentials-refused", False)
    sandbox.fault({"match": {"path": "validateAuth"}, "action": {"status": 503}})
    assert summary(sent(settings, fetched(sandbox.url))) == (Verdict.RETRY, "no-token", False)


# --- compression -----------------------------------------------------------------------------------------------------


def test_a_batch_goes_as_gzip_and_the_same_records_are_stored(
    sandbox: RunningSandbox, seeded: tuple[RunningSandbox, Seeded], fetched: Fetched
) -> None:
    with couriers(keyed(sandbox.url), fetched(sandbox.url), compress=True) as courier:
        job = post(*(record(seeded[1], f"zip-{number}") for number in range(50)))
        assert answered(courier, job).verdict is Verdict.ACCEPTED
    assert {f"zip-{number}" for number in range(50)} <= sandbox.received(seeded[1].subscription_id).keys()


BIG = b'{"a":"' + b"x" * 10_000 + b'"}'


def zipped(request: bytes) -> bool:
    """Whether the body of a request is gzip, and said to be so."""
    head, _, body = request.partition(b"\r\n\r\n")
    if b"content-encoding: gzip" not in head.lower():
        assert json.loads(body)
        return False
    assert len(body) < 1000
    assert json.loads(gzip.decompress(body)) == [json.loads(BIG)] * 2
    return True


def test_without_the_setting_nothing_is_compressed() -> None:
    with peer(lambda connection: connection.sendall(answer(202))) as other:
        sent(mart(f"http://127.0.0.1:{other.port}"), job=post(BIG, BIG))
    assert [zipped(each) for each in other.requests] == [False]


def test_no_record_is_blamed_because_an_endpoint_cannot_read_gzip() -> None:
    """What is dead-lettered was refused alone: a record alone is sent plain, and so is what was refused before."""
    again = post(BIG, BIG)
    jobs = [post(BIG, BIG), post(BIG), replace(again, batch=replace(again.batch, attempts=1, reason="rejected"))]
    with (
        peer(lambda connection: connection.sendall(answer(400, b"", "Connection: close"))) as other,
        couriers(mart(f"http://127.0.0.1:{other.port}"), compress=True) as courier,
    ):
        assert {answered(courier, job).verdict for job in jobs} == {Verdict.SPLIT}
    assert [zipped(each) for each in other.requests] == [True, False, False]


def test_an_endpoint_that_takes_no_gzip_is_a_halt_that_says_so_until_it_takes_it() -> None:
    statuses = iter([415, 415, 202, 415])

    def behave(connection: socket.socket) -> None:
        connection.sendall(answer(next(statuses), b"", "Connection: close"))

    with peer(behave) as other, couriers(mart(f"http://127.0.0.1:{other.port}"), compress=True) as courier:
        refused = answered(courier, post(BIG, BIG))
        assert (refused.verdict, refused.reason, refused.status) == (Verdict.HALT, "compression-refused", 415)
        assert answered(courier, post(b"{}")).reason == "compression-refused", "not even of a record that is alone"
        assert answered(courier, post(BIG, BIG)).verdict is Verdict.ACCEPTED
        assert answered(courier, post(b"{}")).reason == "unexpected-415", "it was plain: gzip is not what it dislikes"


# --- the other end misbehaves ----------------------------------------------------------------------------------------


def test_a_refused_connection_was_not_seen() -> None:
    assert summary(sent(mart("http://127.0.0.1:1"))) == (Verdict.RETRY, "connect-failed", False)


def test_tls_to_a_plain_port_is_named_and_was_not_seen() -> None:
    with peer(lambda connection: connection.sendall(answer(400)), polite=False) as other:
        found = sent(mart(f"https://127.0.0.1:{other.port}"))
    assert summary(found) == (Verdict.RETRY, "tls-failed", False)
    assert SECRET.encode() not in b"".join(other.requests)


@pytest.mark.parametrize(
    "behave",
    [
        lambda _: None,
        reset,
        lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"),
        lambda connection: connection.sendall(b"\x00" * 5000),
        lambda connection: connection.sendall(b"HTTP/1.1 2"),
        lambda connection: connection.sendall(b"HTTP/1.1 202 OK\r\n" + b"X: y\r\n" * 100_000),
    ],
    ids=["closes", "resets", "another protocol", "zeros", "half a line", "headers"],
)
def test_what_is_no_answer_is_tried_again_and_may_have_been_seen(behave: Callable[[socket.socket], None]) -> None:
    found = against(behave)
    assert (found.verdict, found.unseen) == (Verdict.RETRY, True)
    assert found.reason != "internal-error"


@pytest.mark.parametrize(
    "told",
    [
        answer(400, b"no gzip", "Content-Encoding: gzip"),
        b"HTTP/1.1 400 Odd\r\nContent-Length: x\r\n\r\n{}",
        b"HTTP/1.0 400 Odd\r\n\r\n{}",
        b"HTTP/1.1 400\r\n\r\n",
    ],
    ids=["no gzip", "odd length", "old protocol", "no phrase"],
)
def test_an_answer_with_an_odd_body_is_judged_by_its_status(told: bytes) -> None:
    assert against(lambda connection: connection.sendall(told)).verdict is Verdict.SPLIT


def silence(connection: socket.socket) -> None:
    connection.recv(1)


def test_silence_ends_at_the_time_limit() -> None:
    began = time.monotonic()
    found = against(silence, seconds=0.3)
    assert summary(found) == (Verdict.RETRY, "timeout", True)
    assert 0.25 < time.monotonic() - began < 10


def trickle(start: bytes, piece: bytes, times: int = 90) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(times):
            connection.sendall(piece)
            time.sleep(0.1)

    return behave


def test_a_trickled_body_ends_at_the_time_limit_for_the_whole() -> None:
    began = time.monotonic()
    found = against(trickle(b"HTTP/1.1 400 Odd\r\nContent-Length: 9999\r\n\r\n", b"x"), seconds=0.4)
    assert summary(found) == (Verdict.RETRY, "timeout", True)
    assert time.monotonic() - began < 6, "it waits for the end of the trickle"


def test_trickled_headers_end_at_the_time_limit_for_the_whole() -> None:
    began = time.monotonic()
    found = against(trickle(b"HTTP/1.1 400 Odd\r\n", b"X: y\r\n", 90), seconds=0.4)
    assert found.reason == "timeout"
    assert time.monotonic() - began < 6, "it waits for the end of the trickle"


@pytest.mark.parametrize(
    "header",
    [
        "Connection: close",
        "Content-Length: 9999",
        "Transfer-Encoding: chunked",
    ],
)
def test_a_trickled_body_of_any_kind_ends_at_the_time_limit(header: str) -> None:
    began = time.monotonic()
    head = f"HTTP/1.1 400 Odd\r\n{header}\r\n\r\n".encode()
    against(trickle(head, b"1\r\nx\r\n" if "chunked" in header else b"x", 90), seconds=0.4)
    assert time.monotonic() - began < 6, "it waits for the end of the trickle"


def test_a_403_that_is_cut_blames_no_record() -> None:
    """What is left of the data mart's JSON is no JSON, and must not be taken for a firewall's page."""
    body = b'{"trace":"","errors":[{"code":"AIQCS0001E","message":"forbidden"}]}'
    found = against(lambda connection: connection.sendall(answer(403, body)[:-5]))
    assert found.verdict in {Verdict.RETRY, Verdict.HALT}


@pytest.mark.parametrize(
    "interim",
    [
        100,
        102,
        103,
    ],
)
def test_interim_answers_are_passed_over(interim: int) -> None:
    both = f"HTTP/1.1 {interim} Wait\r\n\r\n".encode() + answer(202)
    assert against(lambda connection: connection.sendall(both)).verdict is Verdict.ACCEPTED


def test_a_413_that_comes_before_the_body_is_read_is_seen() -> None:
    """Taken for a lost connection the batch is never split, and tried again as it is for ever."""

    def refuse(connection: socket.socket) -> None:
        connection.sendall(answer(413, b"", "Connection: close"))
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.2)

    with peer(refuse, polite=False) as other:
        found = sent(mart(f"http://127.0.0.1:{other.port}"), job=post(b"x" * 16_000_000))
    assert found.verdict is Verdict.TOO_LARGE


def test_a_huge_answer_is_read_no_further_than_it_is_needed() -> None:
    written: list[int] = []

    def behave(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Odd\r\nContent-Length: 900000000\r\n\r\n")
        for _ in range(2000):
            connection.sendall(b"x" * 65536)
            written.append(65536)

    found = against(behave)
    assert (found.verdict, len(found.body or "")) == (Verdict.SPLIT, 1024)
    assert sum(written) < 32 * BODY_LIMIT * 4


def test_a_compressed_answer_is_bounded_as_well() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < BODY_LIMIT
    tracemalloc.start()
    try:
        against(lambda connection: connection.sendall(answer(400, bomb, "Content-Encoding: gzip")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "tail", [answer(202, b"{}", "Content-Encoding: gzip"), answer(202, b"x" * 10)[:-5]], ids=["no gzip", "cut"]
)
def test_an_accepted_batch_is_accepted_whatever_becomes_of_the_body(tail: bytes) -> None:
    assert against(lambda connection: connection.sendall(tail)).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("status", [202, 204])
def test_an_accepted_batch_needs_no_body(status: int) -> None:
    assert against(lambda connection: connection.sendall(answer(status))).verdict is Verdict.ACCEPTED


def test_a_date_to_wait_for_is_read_over_a_socket() -> None:
    head = answer(503, b"", "retry-AFTER: Fri, 31 Dec 2100 23:59:59 GMT")
    waits = against(lambda connection: connection.sendall(head)).retry_after
    assert waits is not None
    assert waits > 86_400


def test_a_connection_that_was_closed_between_two_posts_costs_no_attempt() -> None:
    with peer(lambda connection: connection.sendall(answer(202))) as other:
        settings = mart(f"http://127.0.0.1:{other.port}")
        with couriers(settings) as courier:
            for _ in range(3):
                courier.send(post())
                (outcome,) = courier.collect(5)
                assert outcome.answer.verdict is Verdict.ACCEPTED
                time.sleep(0.05)


# --- what is sent, and what is told ----------------------------------------------------------------------------------


def test_a_post_is_the_documented_request() -> None:
    with peer(lambda connection: connection.sendall(answer(202))) as other:
        sent(mart(f"http://127.0.0.1:{other.port}"), job=post(b'{"a":1}', b'{"b":"\xc3\xa4"}'))
    (request,) = other.requests
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert line == f"POST /v1/data_marts/{DATA_MART_ID}/scoring_payloads HTTP/1.1"
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert headers["content-type"] == "application/json"
    assert headers["prefer"] == "return=minimal"
    assert headers["user-agent"] == USER_AGENT
    assert body == b'[{"a":1},{"b":"\xc3\xa4"}]'
    assert headers["content-length"] == str(len(body))


def test_the_token_is_in_no_log_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refuse: Callable[[socket.socket], None] = lambda connection: connection.sendall(answer(401))  # noqa: E731
    told: list[object] = [against(behave) for behave in (refuse, reset, lambda _: None)]
    told += [sent(mart("http://127.0.0.1:1")), mart("http://x"), caplog.records, caplog.text]
    told += [each.__dict__ for each in caplog.records]
    assert SECRET not in repr(told) + str(told)


class Broken:
    """A token source that fails as nobody thought it would."""

    def current(self) -> str:
        raise RuntimeError("unforeseen")

    def refused(self, token: str) -> None:
        del token


def test_a_token_source_that_fails_costs_no_batch() -> None:
    found = sent(mart("http://127.0.0.1:1"), Broken(), wait=0.5)
    assert found.verdict is Verdict.RETRY


class Refused:
    """A token source whose credentials are refused, or whose service is down."""

    def __init__(self, *, refused: bool) -> None:
        self._refused = refused

    def current(self) -> str:
        raise TokenError("no", refused=self._refused)

    def refused(self, token: str) -> None:
        del token


@pytest.mark.parametrize(
    ("refused", "expected"),
    [(True, (Verdict.HALT, "credentials-refused", False)), (False, (Verdict.RETRY, "no-token", False))],
)
def test_without_a_token_nothing_is_sent(*, refused: bool, expected: tuple[Verdict, str, bool]) -> None:
    with peer(lambda connection: connection.sendall(answer(202))) as other:
        found = sent(mart(f"http://127.0.0.1:{other.port}"), Refused(refused=refused))
    assert summary(found) == expected
    assert other.requests == []


def test_posts_run_beside_each_other_and_a_hanging_one_holds_only_its_own() -> None:
    hangs, release = threading.Event(), threading.Event()

    def behave(connection: socket.socket) -> None:
        if not hangs.is_set():
            hangs.set()
            release.wait(10)
        connection.sendall(answer(202))

    with peer(behave) as other, couriers(mart(f"http://127.0.0.1:{other.port}"), threads=2) as courier:
        hanging, quick = post(), post()
        courier.send(hanging)
        assert hangs.wait(10)
        courier.send(quick)
        (outcome,) = courier.collect(10)
        assert outcome.post is quick
        release.set()
        (outcome,) = courier.collect(10)
        assert outcome.post is hanging


def test_threads_and_connections_are_made_as_posts_are_under_way_at_once() -> None:
    release = threading.Event()

    def behave(connection: socket.socket) -> None:
        release.wait(10)
        connection.sendall(answer(202, b"", "Connection: close"))

    def threads() -> int:
        return sum(each.name.startswith("post-") for each in threading.enumerate() if each not in before)

    before = set(threading.enumerate())
    with peer(behave) as other, couriers(mart(f"http://127.0.0.1:{other.port}", 30), threads=3) as courier:
        assert threads() == 0
        for expected in (1, 2, 3, 3):
            courier.send(post())
            assert threads() == expected
        release.set()
        found = 0
        while came := len(polled(courier, 10)):
            found += came
            if found == 4:
                break
        assert found == 4
        assert answered(courier, post()).verdict is Verdict.ACCEPTED
        assert threads() == 3


def test_nothing_to_collect_is_an_empty_list_at_once_or_after_the_wait() -> None:
    with couriers(mart("http://127.0.0.1:1")) as courier:
        began = time.monotonic()
        assert courier.collect(0) == []
        assert courier.collect(0.1) == []
        assert 0.08 < time.monotonic() - began < 5


# --- memory ----------------------------------------------------------------------------------------------------------


def gone(there: Callable[[], object]) -> bool:
    """Whether it goes before long."""
    deadline = time.monotonic() + 10
    while there() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not there()


def test_a_thread_that_waits_for_the_next_batch_does_not_hold_the_last(sandbox: RunningSandbox) -> None:
    class Rows(list[Row]):
        """Can be watched."""

    job = post()
    rows = Rows(job.batch.rows)
    watched = weakref.ref(rows)
    with couriers(mart(sandbox.url)) as courier:
        answered(courier, replace(job, batch=Batch(rows)))
        del rows
        assert gone(watched)


def test_who_waits_for_an_answer_does_not_hold_the_body() -> None:
    class Body(bytes):
        """Can be found."""

    def behave(connection: socket.socket) -> None:
        let_go.append(gone(lambda: any(isinstance(each, Body) for each in gc.get_objects())))
        connection.sendall(answer(202))

    let_go: list[bool] = []
    with peer(behave) as other:
        connection = Connection(f"http://127.0.0.1:{other.port}/", 30, ssl.create_default_context)
        found = connection.post("", lambda: Body(b"[]"), {})
        connection.close()
    assert isinstance(found, Reply)
    assert let_go == [True]
    assert other.requests[0].endswith(b"[]")
