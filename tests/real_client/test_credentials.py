"""Credentials that are wrong, and a token that is ready, as IBM's client meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.real_client.flows import API_KEY
from worker.sandbox.seed import connect, token

if TYPE_CHECKING:
    from tests.real_client.driver import Drivers
    from worker.sandbox.serve import RunningSandbox


@pytest.mark.parametrize(
    ("client", "credentials", "status"),
    [
        ("APIClient", {"apikey": "wr0ng"}, 400),
        ("APIClient4ICP", {"username": "admin", "password": "wr0ng"}, 401),
    ],
)
def test_wrong_credentials_are_refused_as_the_real_services_do(
    drive: Drivers,
    sandbox: RunningSandbox,
    client: str,
    credentials: dict[str, str],
    status: int,
) -> None:
    told = {"url": sandbox.url, "data_mart_id": "none"} | credentials
    error = drive({"what": "refused", "client": client, "credentials": told})["client"]["error"]
    assert (error["type"], error["status"]) == ("ApiRequestFailure", status)
    assert "wr0ng" not in error["message"]


def test_a_ready_token_is_taken_as_it_is(sandbox: RunningSandbox, drive: Drivers) -> None:
    with connect(sandbox.url) as http:
        ready = token(http, API_KEY)
    credentials = {"url": sandbox.url, "iam_token": ready, "data_mart_id": "ready"}
    plan = {"what": "bound", "client": "APIClient", "credentials": credentials, "pairs": []}
    assert drive(plan)["subscriptions"]["value"] == []
