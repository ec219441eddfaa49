"""Two bindings of one engine that hold the same asset id: IBM's client subscribes both, the worker tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from tests.real_client.engines import ENGINES, Engine
from tests.real_client.flows import API_KEY, by_key, pair
from worker.config import Mart
from worker.edges.directory import fetch_directory
from worker.mart.client import MartClient
from worker.mart.token import FetchedToken, iam_fetcher
from worker.model import Refusal, Target

if TYPE_CHECKING:
    from tests.real_client.driver import Drivers
    from worker.rooms.directory import Directory
    from worker.sandbox.serve import RunningSandbox

RECORD = {"request": {"fields": ["age"], "values": [[31]]}, "response": {"fields": ["x"], "values": [["y"]]}}


def directory(url: str, data_mart_id: str) -> Directory:
    """What the worker knows of the data mart."""
    mart = Mart(url=url, data_mart_id=data_mart_id, api_key=SecretStr(API_KEY))
    with httpx.Client() as http:
        client = MartClient(mart, FetchedToken(iam_fetcher(http, url, API_KEY)))
        try:
            return fetch_directory(client, 0)
        finally:
            client.close()


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.tell)
def test_an_asset_of_two_bindings_is_told_apart_by_binding_and_named_ambiguous_without(
    engine: Engine, sandbox: RunningSandbox, custom_engine: tuple[str, list[str | None]], drive: Drivers
) -> None:
    mart = f"twins-{engine.tell}"
    pairs = [pair(engine, custom_engine[0], name) for name in ("north", "south")]
    steps = drive({"what": "bound", "pairs": pairs, **by_key(sandbox.url, mart)})
    (north, asset, of_north), (south, same, of_south) = steps["subscriptions"]["value"]
    assert asset == same == engine.asset["source_uid"]
    known = directory(sandbox.url, mart)
    for named, binding, subscription in (("north", north, of_north), ("south", south, of_south)):
        for found in (known.resolve(named, asset, None), known.resolve(binding, asset, None)):
            assert isinstance(found, Target)
            assert (found.binding_id, found.subscription_id) == (binding, subscription)
    refused = known.resolve(None, asset, None)
    assert isinstance(refused, Refusal)
    assert refused.code == "ambiguous-asset"
    assert north in refused.detail
    assert south in refused.detail


def test_what_is_stored_in_one_of_two_is_not_in_the_other(sandbox: RunningSandbox, drive: Drivers) -> None:
    access = by_key(sandbox.url, "twins-apart")
    pairs = [pair(ENGINES[-1], "", name) for name in ("north", "south")]
    subscriptions = drive({"what": "bound", "pairs": pairs, **access})["subscriptions"]["value"]
    north, south = [subscription for _, _, subscription in subscriptions]
    stored = drive({"what": "rows", "subscription": south, "records": [RECORD], "rows": 1, **access})
    other = drive({"what": "rows", "subscription": north, "rows": 0, **access})
    assert stored["store"]["error"] is None
    assert (stored["count"]["value"], other["count"]["value"]) == (1, 0)
