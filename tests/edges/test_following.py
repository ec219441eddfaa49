"""Under v2: a post goes to its data set, and what is taken there is followed to its end, whatever comes between."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.edges.peer import answer, reset
from tests.edges.test_courier import post
from worker.config import Mart
from worker.edges.courier import Courier, DataSets
from worker.edges.following import THREADS, Follower, Pace
from worker.flow.requests import Sight
from worker.flow.verdict import Answer, Verdict
from worker.mart.token import FetchedToken, ReadyToken, TokenError, TokenSource, cp4d_fetcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.flow.jobs import Post, Posted

INSTANCE = "00000000-0000-4000-8000-000000000001"
SETS = f"/openscale/{INSTANCE}/v2/data_sets"
ACTIVE = (200, {"state": "active"})
PREPARING = (200, {"state": "preparing"})
FAILURE = {"trace": "t", "errors": [{"code": "AIQCS0004E", "message": "cell s3cret"}]}
BROKEN = (200, {"state": "error", "failure": FAILURE})
SHORT = {Sight.PREPARING: 0.4, Sight.UNCLEAR: 0.3, Sight.MISSING: 0.2}


class DataMart:
    """Takes every post as a request, and answers looks from a script, the last of it for ever."""

    def __init__(self, *script: Any, location: str | None = f"{SETS}/x/requests/r-1", more: str = "X: y") -> None:
        self._script = list(script)
        self._told = [more] if location is None else [f"Location: {location}", more]
        self._lock = threading.Lock()
        self.requests: list[str] = []
        self.heads: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.looked: list[float] = []

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        self._note(handler)
        handler.wfile.write(answer(202, b'{"state":"preparing"}', *self._told))

    def look(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self._note(handler)
            self.looked.append(time.monotonic())
            told = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if callable(told):
            handler.close_connection = True
            told(handler.connection)
        else:
            status, body, *more = told
            handler.wfile.write(answer(status, json.dumps(body).encode(), *more))

    def _note(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(f"{handler.command} {handler.path}")
        self.heads.append({name.lower(): text for name, text in handler.headers.items()})
        self.bodies.append(handler.rfile.read(int(handler.headers.get("Content-Length", 0))))

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Its port."""
        mart = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                mart.post(self)

            def do_GET(self) -> None:
                mart.look(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()


def settings(port: int, seconds: float = 5) -> Mart:
    found = {"api": "v2", "url": f"http://127.0.0.1:{port}", "data_mart_id": INSTANCE, "token": "t"}
    return Mart.model_validate({**found, "timeout_seconds": seconds})


@contextmanager
def delivering(
    mart: DataMart, tokens: TokenSource | None = None, pace: Pace | None = None, seconds: float = 5
) -> Iterator[Courier]:
    with mart.listening() as port:
        data_sets = DataSets(lambda subscription: f"of {subscription}", pace or Pace(lambda _: 0.02))
        courier = Courier(settings(port, seconds), tokens or ReadyToken("t"), 2, data_sets=data_sets)
        try:
            yield courier
        finally:
            courier.close()


def outcomes(courier: Courier, count: int, seconds: float = 20) -> list[Posted]:
    deadline = time.monotonic() + seconds
    found: list[Posted] = []
    while len(found) < count and time.monotonic() < deadline:
        found += courier.collect(0.02)
    assert len(found) == count
    return found


def ended(mart: DataMart, job: Post | None = None, **more: Any) -> Answer:
    """How the request of one post ended."""
    with delivering(mart, **more) as courier:
        job = job or post(b"{}")
        courier.send(job)
        taken, end = outcomes(courier, 2)
        assert (taken.post, taken.answer.verdict) == (job, Verdict.FOLLOW)
        assert end.post is job
    return end.answer


# --- a post ----------------------------------------------------------------------------------------------------------


def test_a_post_is_the_documented_request_and_its_request_is_looked_at_where_it_was_posted() -> None:
    """Not where `Location` points to: that may be any host's."""
    mart = DataMart(ACTIVE, location="https://elsewhere/any/r-7")
    assert ended(mart, post(b'{"a":1}', b'{"b":2}')).verdict is Verdict.ACCEPTED
    assert mart.requests == [f"POST {SETS}/of%20s/records?split_to_multi_req=false", f"GET {SETS}/of%20s/requests/r-7"]
    assert mart.bodies == [b'[{"a":1},{"b":2}]', b""]
    assert {each["authorization"] for each in mart.heads} == {"Bearer t"}


def test_a_202_without_a_location_is_a_halt_and_nothing_is_followed() -> None:
    mart = DataMart(ACTIVE, location=None)
    with delivering(mart) as courier:
        courier.send(post())
        (outcome,) = outcomes(courier, 1)
        assert (outcome.answer.verdict, outcome.answer.reason) == (Verdict.HALT, "no-location")
        assert courier.collect(0.2) == []
    assert len(mart.requests) == 1


def test_a_subscription_without_a_data_set_costs_no_batch() -> None:
    def none(subscription: str) -> str:
        raise KeyError(subscription)

    courier = Courier(settings(1), ReadyToken("t"), 1, data_sets=DataSets(none, Pace(lambda _: 0.02)))
    courier.send(post())
    (outcome,) = outcomes(courier, 1)
    courier.close()
    assert (outcome.answer.verdict, outcome.answer.reason) == (Verdict.RETRY, "internal-error")


def test_followed_posts_hold_no_thread_of_those_that_post() -> None:
    mart = DataMart(PREPARING)
    with delivering(mart) as courier:
        for _ in range(50):
            courier.send(post())
        assert {each.answer.verdict for each in outcomes(courier, 50)} == {Verdict.FOLLOW}


# --- what is followed ------------------------------------------------------------------------------------------------


def test_a_request_is_looked_at_until_it_is_active() -> None:
    mart = DataMart(PREPARING, PREPARING, ACTIVE)
    assert ended(mart).verdict is Verdict.ACCEPTED
    assert len(mart.looked) == 3


def test_a_request_in_error_ends_with_its_codes_and_no_message() -> None:
    found = ended(DataMart(PREPARING, BROKEN))
    assert (found.verdict, found.body) == (Verdict.SPLIT, "AIQCS0004E")
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    "told",
    [
        reset,
        lambda _: None,
        (500, {}),
        (503, {"state": "error"}),
        (429, {}),
        (408, {}),
        (302, {}),
        (403, {}),
        (404, {"errors": [{"code": "AIQDT0404E"}]}),
        (200, "<html>"),
        (200, {"state": "new"}),
    ],
    ids=["reset", "closed", "500", "503", "429", "408", "302", "403", "404", "page", "unheard"],
)
def test_what_shows_nothing_is_looked_past(told: Any) -> None:
    assert ended(DataMart(told, told, PREPARING, told, ACTIVE)).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "told", [PREPARING, (404, {}), (403, {}), (200, "<html>")], ids=["preparing", "404", "403", "?"]
)
def test_a_request_that_never_ends_is_lost_and_may_be_stored(told: Any) -> None:
    mart = DataMart(told)
    found = ended(mart, pace=Pace(lambda _: 0.02, patience=SHORT))
    assert (found.verdict, found.reason, found.unseen) == (Verdict.RETRY, "request-lost", True)
    assert len(mart.looked) > 1, "one look alone loses nothing"


@pytest.mark.parametrize("told", [reset, (503, {}), (429, {})], ids=["reset", "503", "429"])
def test_a_data_mart_that_is_down_loses_no_request_however_long(told: Any) -> None:
    """Posted again it would find the data mart as it is, and be stored twice when that is over."""
    mart = DataMart(*[told] * 60, ACTIVE)
    assert ended(mart, pace=Pace(lambda _: 0.02, patience=SHORT)).verdict is Verdict.ACCEPTED
    assert mart.looked[-1] - mart.looked[0] > SHORT[Sight.MISSING]


def test_looks_are_as_far_apart_as_the_pace_says() -> None:
    asked: list[int] = []

    def wait(look: int) -> float:
        asked.append(look)
        return 0.01 * look

    ended(DataMart(PREPARING, (503, {}), PREPARING, ACTIVE), pace=Pace(wait))
    assert asked == [1, 2, 3, 4]


def test_a_pause_that_is_asked_for_holds_every_look() -> None:
    slow = [lambda _: time.sleep(0.3)] * (THREADS - 1)
    mart = DataMart((429, {}, "Retry-After: 1"), *slow, ACTIVE)
    with delivering(mart) as courier:
        for _ in range(2 * THREADS):
            courier.send(post())
        outcomes(courier, 4 * THREADS)
    first, *rest = mart.looked
    early = [at for at in rest if at - first < 0.9]
    assert len(early) < THREADS, "only those that were under way on the other threads"


def test_a_pause_that_comes_with_what_is_taken_holds_nothing() -> None:
    """Each 202 may have one: together they would hold all looks for good."""
    assert ended(DataMart(ACTIVE, more="Retry-After: 3600")).verdict is Verdict.ACCEPTED


def test_a_pause_is_capped() -> None:
    mart = DataMart((429, {}, "Retry-After: 86400"), ACTIVE)
    assert ended(mart, pace=Pace(lambda _: 0.02, retry_after=0.2)).verdict is Verdict.ACCEPTED


def test_a_look_that_hangs_is_cut_and_made_again() -> None:
    mart = DataMart(lambda _: time.sleep(3), ACTIVE)
    assert ended(mart, seconds=0.3).verdict is Verdict.ACCEPTED


class Tokens:
    """Gives `t-1`, and the next one each time one is refused; `down` times there is none."""

    def __init__(self, down: int = 0) -> None:
        self._down = down
        self._number = 1

    def current(self) -> str:
        if self._number > 1 and self._down:
            self._down -= 1
            raise TokenError("no answer", refused=False)
        return f"t-{self._number}"

    def refused(self, token: str) -> None:
        assert token == f"t-{self._number}"
        self._number += 1


def test_a_refused_token_is_replaced_and_the_request_is_looked_at_again() -> None:
    mart = DataMart((401, {}), PREPARING, ACTIVE)
    assert ended(mart, tokens=Tokens(down=3)).verdict is Verdict.ACCEPTED
    assert [each["authorization"] for each in mart.heads] == ["Bearer t-1", "Bearer t-1", "Bearer t-2", "Bearer t-2"]


class Failing:
    """A token source that fails as nobody thought it would, but for the first time."""

    def __init__(self) -> None:
        self._asked = 0

    def current(self) -> str:
        self._asked += 1
        if self._asked > 1:
            raise RuntimeError("unforeseen")
        return "t"

    def refused(self, token: str) -> None:
        del token


def test_a_fault_of_ours_ends_a_request_rather_than_holding_it_for_ever() -> None:
    found = ended(DataMart(ACTIVE), tokens=Failing())
    assert (found.verdict, found.reason, found.unseen) == (Verdict.RETRY, "internal-error", True)


def test_a_follower_that_is_closed_ends_its_threads() -> None:
    follower = Follower(settings(1), ReadyToken("t"), Pace(lambda _: 600.0), lambda *_: None)
    follower.follow(post(), "r", "/r")
    follower.close()
    deadline = time.monotonic() + 10
    while any(each.name.startswith("follow-") and each.is_alive() for each in threads_since(follower)):
        assert time.monotonic() < deadline


def threads_since(follower: Follower) -> list[threading.Thread]:
    """The threads of one follower: those whose target is its own."""
    return [each for each in threading.enumerate() if getattr(each, "_target", None) == follower._work]  # noqa: SLF001


# --- tokens of Cloud Pak for Data ------------------------------------------------------------------------------------


class Time:
    """Seconds that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Authority(DataMart):
    """Gives tokens for a user and a password."""

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        self._note(handler)
        good = json.loads(self.bodies[-1]) == {"username": "u", "password": "p"}
        body = {"token": f"opaque-{len(self.requests)}"} if good else {}
        handler.wfile.write(answer(200 if good else 401, json.dumps(body).encode()))


def test_a_token_of_cloud_pak_for_data_is_asked_for_and_renewed_after_half_an_hour() -> None:
    mart, clock = Authority(), Time()
    with mart.listening() as port, httpx.Client() as client:
        tokens = FetchedToken(cp4d_fetcher(client, f"http://127.0.0.1:{port}", "u", "p"), clock, longest=1800)
        assert tokens.current() == "opaque-1"
        clock.now += 1799
        assert tokens.current() == "opaque-1"
        clock.now += 2
        deadline = time.monotonic() + 10
        while tokens.current() != "opaque-2":
            assert time.monotonic() < deadline
    assert mart.requests == ["POST /icp4d-api/v1/authorize"] * 2


def test_a_wrong_password_of_cloud_pak_for_data_is_the_credentials_fault() -> None:
    with Authority().listening() as port, httpx.Client() as client:
        tokens = FetchedToken(cp4d_fetcher(client, f"http://127.0.0.1:{port}", "u", "wrong"))
        with pytest.raises(TokenError) as caught:
            tokens.current()
    assert caught.value.refused
