"""Tokens: one fetch for all threads, renewed before they expire, and the credentials never told."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.mart.token import (
    LEAST,
    MARGIN,
    TOKEN_URLS,
    FetchedToken,
    ReadyToken,
    TokenError,
    iam_fetcher,
    icp_fetcher,
    read_token,
)
from worker.sandbox.options import Options
from worker.sandbox.serve import RunningSandbox, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def jwt(claims: object) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{middle}.signature"


class Service:
    """A token service without a socket: issues tokens of an hour, or fails; `now` is its clock and the worker's."""

    def __init__(self, life: float = 3600) -> None:
        self.now = 1_000_000.0
        self.life = life
        self.error: TokenError | None = None
        self.issued: list[str] = []
        self.thread: threading.Thread | None = None

    def fetch(self) -> str:
        self.thread = threading.current_thread()
        if self.error is not None:
            raise self.error
        self.issued.append(jwt({"exp": self.now + self.life, "n": len(self.issued)}))
        return self.issued[-1]

    def clock(self) -> float:
        return self.now


DOWN = TokenError("down", refused=False)
WRONG = TokenError("wrong", refused=True)


def test_sixteen_threads_that_begin_together_fetch_once() -> None:
    gate, begun, fetches = threading.Barrier(16), threading.Event(), []

    def fetch() -> str:
        fetches.append(threading.current_thread().name)
        begun.wait(0.05)
        return jwt({"exp": time.time() + 3600})

    source, found = FetchedToken(fetch), list[str]()

    def ask() -> None:
        gate.wait()
        found.append(source.current())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetches) == source.fetches == 1
    assert len(found) == 16
    assert len(set(found)) == 1


def test_sixteen_threads_whose_token_is_refused_together_fetch_one_more() -> None:
    service = Service()
    source = FetchedToken(service.fetch, service.clock)
    gate, old = threading.Barrier(16), source.current()

    def refused() -> None:
        gate.wait()
        source.refused(old)
        source.current()

    threads = [threading.Thread(target=refused) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.fetches == 2
    assert source.current() == service.issued[1] != old


def test_a_refusal_of_an_older_token_does_not_drop_the_new_one() -> None:
    service = Service()
    source = FetchedToken(service.fetch, service.clock)
    old = source.current()
    source.refused(old)
    new = source.current()
    source.refused(old)
    source.refused("something else")
    assert source.current() == new
    assert source.fetches == 2


@given(st.floats(1, 1e6), st.floats(0, 1))
def test_a_token_is_renewed_before_it_expires_and_not_much_too_soon(life: float, share: float) -> None:
    service = Service(life)
    source = FetchedToken(service.fetch, service.clock)
    source.current()
    service.now += life * share
    margin = min(MARGIN, life / 10)
    if abs(life * (1 - share) - margin) > 1e-3:
        source.current()
        assert source.fetches == (1 if life * (1 - share) > margin else 2)


def test_an_old_token_is_used_while_the_token_service_is_down_and_not_beyond_its_life() -> None:
    service = Service()
    source = FetchedToken(service.fetch, service.clock)
    old = source.current()
    service.error = DOWN
    service.now += 3600 - 1
    assert source.current() == old
    service.now += 1
    with pytest.raises(TokenError, match="down"):
        source.current()
    service.error = None
    assert source.current() == service.issued[-1] != old


class Blocked:
    """A token service without a socket whose second fetch, and each after it, waits for `release`."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.now = 0.0
        self.fetches = 0
        self.ends: Callable[[], str] = lambda: jwt({"exp": 7200})

    def fetch(self) -> str:
        self.fetches += 1
        if self.fetches == 1:
            return jwt({"exp": 3600})
        assert self.release.wait(30)
        return self.ends()

    def clock(self) -> float:
        return self.now


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_nobody_waits_for_a_slow_token_service_while_the_old_token_lives() -> None:
    service = Blocked()
    source = FetchedToken(service.fetch, service.clock)
    old = source.current()
    service.now = 3500
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: source.current(), range(64))) == {old}
    assert source.fetches == 2
    service.release.set()
    until(lambda: source.current() != old)
    assert source.fetches == 2


def test_an_expired_token_is_not_given_out_while_the_next_is_on_its_way() -> None:
    service = Blocked()
    source = FetchedToken(service.fetch, service.clock)
    old = source.current()
    service.now = 3500
    assert source.current() == old
    service.now = 3600
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(source.current) for _ in range(4)]
        service.release.set()
        found = {each.result() for each in waiting}
    assert found == {jwt({"exp": 7200})}
    assert source.fetches == 2


def test_a_token_that_is_refused_while_the_next_is_on_its_way_is_not_given_out_again() -> None:
    service = Blocked()
    source = FetchedToken(service.fetch, service.clock)
    old = source.current()
    service.now = 3500
    assert source.current() == old
    source.refused(old)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(source.current)
        service.release.set()
        assert waiting.result() == jwt({"exp": 7200})
    assert source.fetches == 2


@pytest.mark.parametrize("refused", [True, False])
def test_all_who_wait_for_one_fetch_share_its_failure(refused: bool) -> None:  # noqa: FBT001
    asked = Semaphore(0)

    def clock() -> float:
        """Each `current` asks for the time, under its lock, before it decides whether to fetch."""
        asked.release()
        return 0.0

    def fetch() -> str:
        for _ in range(16):
            assert asked.acquire(timeout=30)
        raise TokenError("down", refused=refused)

    source = FetchedToken(fetch, clock)
    with ThreadPoolExecutor(16) as pool:
        errors = [each.exception() for each in [pool.submit(source.current) for _ in range(16)]]
    assert source.fetches == 1
    assert {(type(each), str(each), getattr(each, "refused", None)) for each in errors} == {
        (TokenError, "down", refused)
    }


def test_a_fetch_that_ends_in_an_unforeseen_way_keeps_nobody_waiting() -> None:
    with httpx.Client() as client:
        source = FetchedToken(iam_fetcher(client, "http://[", "s3cret"))
        for _ in range(2):
            with pytest.raises(TokenError) as caught:
                source.current()
            assert not caught.value.refused
            assert "s3cret" not in str(caught.value)


def test_a_renewal_that_fails_is_not_tried_again_at_once() -> None:
    service = Service()
    source = FetchedToken(service.fetch, service.clock)
    old = source.current()
    service.error = DOWN
    service.now += 3400
    assert source.current() == old
    assert service.thread is not None
    service.thread.join(30)
    assert [source.current() for _ in range(100)] == [old] * 100
    assert source.fetches == 2
    service.now += LEAST
    assert source.current() == old
    assert source.fetches == 3


def test_a_refused_key_is_an_error_that_says_so_and_is_asked_again() -> None:
    service = Service()
    service.error = WRONG
    source = FetchedToken(service.fetch, service.clock)
    for _ in range(2):
        with pytest.raises(TokenError) as caught:
            source.current()
        assert caught.value.refused
    service.error = None
    assert source.current()


def test_a_token_that_is_expired_when_it_comes_is_not_fetched_again_for_each_post() -> None:
    service = Service(life=-10)
    source = FetchedToken(service.fetch, service.clock)
    for _ in range(100):
        source.current()
    assert source.fetches < 10


def test_a_ready_token_stays_what_it_is() -> None:
    source = ReadyToken("t")
    source.refused("t")
    assert source.current() == "t"


@pytest.mark.parametrize(
    "text", ["opaque", "", "a.b.c", "a.!!!.c", "..", jwt({}), jwt([]), jwt({"exp": None}), jwt({"exp": "soon"}), jwt(5)]
)
def test_a_token_without_a_readable_expiry_never_expires(text: str) -> None:
    token = read_token(text, 0)
    assert (token.text, token.renew_at, token.expires_at) == (text, float("inf"), float("inf"))


@pytest.mark.parametrize("exp", [float("nan"), -1, True, float("-inf")])
def test_a_token_whose_expiry_cannot_be_is_kept_for_a_while(exp: float) -> None:
    """It must not be fetched anew for each post."""
    token = read_token(jwt({"exp": exp}), 1000)
    assert token.renew_at == token.expires_at == 1000 + LEAST


@example(jwt({"exp": 10**400}))
@example("e30." + base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".s")
@given(st.text() | st.binary().map(lambda data: f"a.{base64.urlsafe_b64encode(data).decode()}.c"))
def test_no_text_is_too_odd_to_be_a_token(text: str) -> None:
    """It ends the courier's thread else, and with it the batch that it held."""
    assert read_token(text, 0).text == text


def test_no_token_is_in_its_text() -> None:
    assert "s3cret" not in repr(read_token("s3cret", 0))


# --- the URL rule and the fetchers -----------------------------------------------------------------------------------

RULE = """
https://api.aiopenscale.cloud.ibm.com                       https://iam.cloud.ibm.com/identity/token
https://eu-de.api.aiopenscale.cloud.ibm.com                 https://iam.cloud.ibm.com/identity/token
https://api.aiopenscale.test.cloud.ibm.com                  https://iam.cloud.ibm.com/identity/token
https://eu-de.api.aiopenscale.test.cloud.ibm.com            https://iam.cloud.ibm.com/identity/token
https://aios-yp-cr.us-south.containers.appdomain.cloud      https://iam.cloud.ibm.com/identity/token
https://aios-yp-cr.eu-de.containers.appdomain.cloud         https://iam.cloud.ibm.com/identity/token
https://aiopenscale-dev.us-south.containers.appdomain.cloud https://iam.test.cloud.ibm.com/identity/token
https://aiopenscale-dev.eu-de.containers.appdomain.cloud    https://iam.test.cloud.ibm.com/identity/token
http://127.0.0.1:8800                                       http://127.0.0.1:8800/v1/preauth/validateAuth
https://api.aiopenscale.cloud.ibm.com.example.org           https://api.aiopenscale.cloud.ibm.com.example.org/v1/preauth/validateAuth
http://api.aiopenscale.cloud.ibm.com                        http://api.aiopenscale.cloud.ibm.com/v1/preauth/validateAuth
"""


class Asked:
    """An HTTP client over a transport that answers as it is told, and keeps what was asked."""

    def __init__(self, status: int = 200, content: bytes = b'{"access_token":"t","accessToken":"t"}') -> None:
        self.requests: list[httpx.Request] = []
        self.status = status
        self.content = content
        self.client = httpx.Client(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status, content=self.content)


@pytest.mark.parametrize("line", RULE.strip().splitlines())
def test_the_token_url_follows_the_rule_for_whole_urls(line: str) -> None:
    mart, expected = line.split()
    asked = Asked()
    assert iam_fetcher(asked.client, mart, "k")() == "t"
    assert str(asked.requests[0].url) == expected


def test_every_known_url_is_in_the_rule() -> None:
    assert TOKEN_URLS.keys() == {mart for mart, url in map(str.split, RULE.strip().splitlines()) if "iam." in url}


def test_a_key_is_sent_as_the_documented_form_and_nowhere_else() -> None:
    asked = Asked()
    iam_fetcher(asked.client, "http://mart", "k&y=%")()
    (request,) = asked.requests
    assert request.content == b"grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey=k%26y%3D%25"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept"] == "application/json"
    assert "authorization" not in request.headers
    assert (request.method, request.url.query) == ("POST", b"")


def test_a_password_is_sent_by_basic_authentication() -> None:
    asked = Asked()
    assert icp_fetcher(asked.client, "http://mart", "u", "p:w")() == "t"
    (request,) = asked.requests
    assert (request.method, str(request.url)) == ("GET", "http://mart/v1/preauth/validateAuth")
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"u:p:w").decode()


@pytest.mark.parametrize("status", [*range(201, 600, 7), 400, 401, 403, 404, 429, 500, 503])
def test_only_a_client_that_is_told_so_is_refused(status: int) -> None:
    asked = Asked(status, b'{"access_token":"t"}')
    with pytest.raises(TokenError) as caught:
        iam_fetcher(asked.client, "http://mart", "s3cret")()
    assert caught.value.refused is (status in {400, 401, 403})
    assert str(status) in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"<html>", b"{}", b"[]", b'"t"', b"null", b'{"accessToken":"t"}', b"\xff"])
def test_an_answer_without_a_token_is_no_refusal(content: bytes) -> None:
    with pytest.raises(TokenError, match="holds no access_token") as caught:
        iam_fetcher(Asked(200, content).client, "http://mart", "k")()
    assert not caught.value.refused


@pytest.mark.parametrize("content", [b'{"access_token":null}', b'{"access_token":{}}', b'{"access_token":""}'])
def test_a_token_that_is_no_text_is_none(content: bytes) -> None:
    with pytest.raises(TokenError):
        iam_fetcher(Asked(200, content).client, "http://mart", "k")()


def test_an_answer_of_endless_depth_is_no_token() -> None:
    with pytest.raises(TokenError):
        iam_fetcher(Asked(200, b"[" * 200_000).client, "http://mart", "k")()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    """A sandbox that knows one key."""
    with running(Options(api_key="k3y", token_ttl=3600)) as started:
        yield started


def test_a_real_token_is_fetched_over_a_socket_and_its_expiry_is_read(sandbox: RunningSandbox) -> None:
    with httpx.Client() as client:
        for fetch in (iam_fetcher(client, sandbox.url, "k3y"), icp_fetcher(client, sandbox.url, "admin", "k3y")):
            token = read_token(fetch(), time.time())
            assert 3500 < token.expires_at - time.time() <= 3600
            assert token.expires_at - token.renew_at == pytest.approx(MARGIN, abs=1)


def test_a_wrong_key_is_refused_over_a_socket(sandbox: RunningSandbox) -> None:
    with httpx.Client() as client:
        for fetch in (iam_fetcher(client, sandbox.url, "wr0ng"), icp_fetcher(client, sandbox.url, "admin", "wr0ng")):
            with pytest.raises(TokenError, match="credentials are refused") as caught:
                fetch()
            assert caught.value.refused
            assert "wr0ng" not in str(caught.value)


def test_a_token_service_that_is_not_there_is_no_refusal() -> None:
    with httpx.Client() as client, pytest.raises(TokenError, match="no answer") as caught:
        iam_fetcher(client, "http://127.0.0.1:1", "s3cret")()
    assert not caught.value.refused
    assert "s3cret" not in str(caught.value)


def test_a_token_service_that_stays_silent_is_no_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, httpx.Client(timeout=0.2) as client:
        fetch = icp_fetcher(client, f"http://127.0.0.1:{silent.getsockname()[1]}", "admin", "s3cret")
        with pytest.raises(TokenError, match="no answer") as caught:
            fetch()
    assert not caught.value.refused


def test_tokens_that_a_service_took_back_are_replaced_once_for_all_threads(sandbox: RunningSandbox) -> None:
    mart = f"{sandbox.url}/v1/data_marts/none"
    with httpx.Client() as client:
        source = FetchedToken(iam_fetcher(client, sandbox.url, "k3y"))

        def once() -> tuple[str, int]:
            token = source.current()
            return token, client.get(mart, headers={"Authorization": f"Bearer {token}"}).status_code

        def ask(_: int) -> int:
            """As the couriers do: a token that is refused is dropped, and the request sent once more."""
            token, status = once()
            if status == 401:
                source.refused(token)
                status = once()[1]
            return status

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(16))) == {404}
            sandbox.revoke_tokens()
            assert set(pool.map(ask, range(64))) == {404}
    assert source.fetches == 2


def test_a_token_service_that_breaks_down_is_survived_on_the_old_token(sandbox: RunningSandbox) -> None:
    now = time.time()
    with httpx.Client() as client:
        source = FetchedToken(iam_fetcher(client, sandbox.url, "k3y"), lambda: now)
        old = source.current()
        sandbox.fault({"match": {"path": "validateAuth$"}, "action": {"status": 503}})
        now += 3500
        assert source.current() == old
        now += 200
        with pytest.raises(TokenError, match="answered 503"):
            source.current()
        sandbox.heal()
        assert source.current() != old
