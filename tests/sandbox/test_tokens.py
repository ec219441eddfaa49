"""Tokens, in the ways of IAM and of ICP (contract §1)."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.mart import Mart, error_of
from worker.sandbox.options import Options
from worker.sandbox.serve import RunningSandbox, running

if TYPE_CHECKING:
    from collections.abc import Iterator

FORM = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "secret"}
MART = "/v1/data_marts/some"


@pytest.fixture
def locked() -> Iterator[httpx.Client]:
    """A client of a sandbox that knows one API key."""
    options = Options(api_key="secret", data_mart_id="some")
    with running(options) as started, httpx.Client(base_url=started.url) as client:
        yield client


def claims(token: str) -> dict[str, Any]:
    """What the real client reads of a token: its second part, as base64url with optional padding."""
    part = token.split(".")[1]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read


@pytest.mark.parametrize("path", ["/identity/token", "/v1/preauth/validateAuth"])
def test_an_api_key_gets_a_jwt_that_lives_an_hour_at_both_token_urls(locked: httpx.Client, path: str) -> None:
    answer = locked.post(path, data=FORM)
    body = answer.json()
    assert answer.status_code == 200
    assert body["token_type"] == "Bearer"  # noqa: S105 - no secret
    assert claims(body["access_token"])["exp"] - time.time() > 3590
    assert body["expiration"] == claims(body["access_token"])["exp"]
    assert locked.get(MART, headers={"Authorization": f"Bearer {body['access_token']}"}).status_code == 200


def test_the_form_may_stand_in_the_query(locked: httpx.Client) -> None:
    assert locked.post("/identity/token", params=FORM).status_code == 200


def test_a_wrong_api_key_is_refused_in_iams_own_words(locked: httpx.Client) -> None:
    answer = locked.post("/identity/token", data=FORM | {"apikey": "guessed"})
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "BXNIM0415E"


def test_without_a_key_of_its_own_a_sandbox_takes_any_but_an_empty_one(sandbox: RunningSandbox) -> None:
    def ask(key: str) -> int:
        return httpx.post(f"{sandbox.url}/identity/token", data=FORM | {"apikey": key}).status_code

    assert (ask("whatever"), ask("")) == (200, 400)


def test_a_user_and_password_get_an_icp_token(locked: httpx.Client) -> None:
    answer = locked.get("/v1/preauth/validateAuth", auth=("admin", "secret"))
    body = answer.json()
    assert (answer.status_code, body["username"], body["_messageCode_"]) == (200, "admin", "200")
    assert locked.get(MART, headers={"Authorization": f"Bearer {body['accessToken']}"}).status_code == 200


@pytest.mark.parametrize("auth", [None, ("admin", "guessed"), ("", "secret")])
def test_without_the_right_password_there_is_no_icp_token(locked: httpx.Client, auth: tuple[str, str] | None) -> None:
    assert error_of(locked.get("/v1/preauth/validateAuth", auth=auth))[0] == 401


def test_basic_credentials_that_are_no_base64_are_refused(locked: httpx.Client) -> None:
    answer = locked.get("/v1/preauth/validateAuth", headers={"Authorization": "Basic ?"})
    assert error_of(answer)[0] == 401


@pytest.mark.parametrize("path", [MART, "/v1/data_marts/a/scoring_payloads", "/v1/ml_instances/b/deployments"])
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi"])
def test_a_call_without_a_known_token_is_401(locked: httpx.Client, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    assert error_of(locked.get(path, headers=headers)) == (401, "SANDBOX-UNAUTHORIZED")


def test_a_token_whose_claims_were_changed_is_unknown(locked: httpx.Client) -> None:
    header, _, signature = locked.post("/identity/token", data=FORM).json()["access_token"].split(".")
    forged = base64.urlsafe_b64encode(b'{"exp":99999999999}').decode().rstrip("=")
    answer = locked.get(MART, headers={"Authorization": f"Bearer {header}.{forged}.{signature}"})
    assert answer.status_code == 401


def test_a_token_is_taken_until_it_expires() -> None:
    with running(Options(token_ttl=2, data_mart_id="some")) as started, httpx.Client(base_url=started.url) as client:
        token = client.post("/identity/token", data=FORM).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        assert client.get(MART).status_code == 200
        time.sleep(max(0.0, claims(token)["exp"] - time.time()) + 0.05)
        answer = client.get(MART)
        assert "expired" in answer.text
        assert error_of(answer)[0] == 401


def test_revoked_tokens_are_unknown_and_a_new_one_is_not(mart: Mart) -> None:
    mart.sandbox.revoke_tokens()
    assert mart.http.get(mart.path).status_code == 401
    token = mart.http.post("/identity/token", data=FORM).json()["access_token"]
    assert mart.http.get(mart.path, headers={"Authorization": f"Bearer {token}"}).status_code == 200
