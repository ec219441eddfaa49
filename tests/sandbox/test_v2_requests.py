"""The states of requests, and how clients of v2 are let in (contract §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.mart import error_of
from worker.sandbox.errors import ApiError
from worker.sandbox.options import Options
from worker.sandbox.seed import DATA_MART_ID, connect
from worker.sandbox.serve import running
from worker.sandbox.v2.requests import Failure, Requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

KEY = "the key"


def test_a_request_is_preparing_until_its_time() -> None:
    now = [100.0]
    requests = Requests(2, lambda: now[0])
    own = requests.add("set", "error", [Failure("C", "why", ("0", "a"))])
    assert requests.status("set", own) == {"state": "preparing"}
    now[0] = 102.0
    assert requests.status("set", own)["failure"]["errors"] == [
        {"code": "C", "message": "why", "parameters": ["0", "a"]}
    ]


def test_only_the_last_requests_are_remembered() -> None:
    requests = Requests(0, kept=2)
    first, second, third = (requests.add("set", "active") for _ in range(3))
    with pytest.raises(ApiError):
        requests.status("set", first)
    assert [requests.status("set", own) for own in (second, third)] == [{"state": "active"}] * 2


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A sandbox that knows one key, and has one data mart."""
    with running(Options(api_key=KEY, data_mart_id=DATA_MART_ID)) as started, connect(started.url) as client:
        yield client


def test_cp4d_gives_a_token_for_a_password_or_an_api_key(http: httpx.Client) -> None:
    for given in ({"password": KEY, "api_key": None}, {"password": None, "api_key": KEY}):
        answer = http.post("/icp4d-api/v1/authorize", json={"username": "admin"} | given)
        bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert http.get(f"/openscale/{DATA_MART_ID}/v2/data_marts", headers=bearer).status_code == 200


@pytest.mark.parametrize("body", [{"username": "admin", "password": "wrong"}, {"password": KEY}, {}])
def test_cp4d_gives_no_token_for_anything_else(http: httpx.Client, body: dict[str, str]) -> None:
    assert error_of(http.post("/icp4d-api/v1/authorize", json=body))[0] == 401


def test_bedrock_gives_a_token_for_which_cp4d_gives_another(http: httpx.Client) -> None:
    form = {"grant_type": "password", "username": "admin", "password": KEY, "scope": "openid"}
    first = http.post("/idprovider/v1/auth/identitytoken", data=form).json()["access_token"]
    answer = http.get("/v1/preauth/validateAuth", headers={"username": "admin", "iam-token": first}).json()
    bearer = {"Authorization": f"Bearer {answer['accessToken']}"}
    assert http.get("/v1/entitlements?nocache=true", headers=bearer).json() == {
        "entitlements": {"ai_openscale": [{"id": DATA_MART_ID, "plan_name": "Sandbox"}]}
    }


@pytest.mark.parametrize("form", [{"password": "wrong"}, {"grant_type": "other"}, {"username": ""}])
def test_bedrock_gives_no_token_for_anything_else(http: httpx.Client, form: dict[str, str]) -> None:
    right = {"grant_type": "password", "username": "admin", "password": KEY}
    assert error_of(http.post("/idprovider/v1/auth/identitytoken", data=right | form))[0] == 401
    made_up = http.get("/v1/preauth/validateAuth", headers={"username": "admin", "iam-token": "a.b.c"})
    assert error_of(made_up)[0] == 401


def test_the_heartbeat_that_tells_the_cloud_from_cp4d_is_not_there(http: httpx.Client) -> None:
    assert http.get("/v2/fairness/heartbeat").status_code == 404
