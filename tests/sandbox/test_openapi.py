"""The sandbox's own description is true: a fuzzer asks every call that it tells of, and measures every answer by it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from starlette.routing import Route

from tests.sandbox.mart import Mart
from worker.sandbox import payloads
from worker.sandbox.app import create_app
from worker.sandbox.openapi_calls import CALLS
from worker.sandbox.options import Options
from worker.sandbox.seed import DATA_MART_ID, planned
from worker.sandbox.serve import running
from worker.sandbox.v2.data_sets import id_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
conformance = pytest.importorskip("schemathesis.specs.openapi.checks")

CUSTOM: Final = planned("custom")
SEEDED: Final = {
    "data_mart": DATA_MART_ID,
    "binding": CUSTOM.binding_id,
    "subscription": CUSTOM.subscription_id,
    "instance": DATA_MART_ID,
    "service_provider": CUSTOM.binding_id,
    "data_set": id_of(DATA_MART_ID, CUSTOM.subscription_id),
    "monitor_definition": "performance",
}
CHECKS: Final = (
    schemathesis.checks.not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
)
# faults and the end of all tokens would not be the sandbox's own doing
ASKED: Final = [call for call in sorted(CALLS) if not call[1].startswith(("/sandbox/faults", "/sandbox/tokens"))]
# what has neither a body, nor a query, nor an id in its path cannot be asked wrongly
WRONGLY: Final = [call for call in ASKED if CALLS[call].body or CALLS[call].query or "{" in call[1]]
# an answer takes milliseconds; longer than this is a hang
ANSWER_SECONDS: Final = 30


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Mart]:
    """One data mart for all examples: what one left behind is what the next one meets."""
    with running() as started:
        mart = Mart(started)
        yield mart
        mart.close()


@pytest.fixture(scope="module")
def described(fuzzed: Mart) -> Any:
    """The description as a client gets it."""
    return schemathesis.openapi.from_url(f"{fuzzed.sandbox.url}/openapi.json")


def aim(case: Any) -> None:
    """Put ids of what is there into a case, so that it gets further; a new subscription keeps its own."""
    own = {"subscription"} if case.method == "PUT" and case.path.endswith(("{subscription}", "/file")) else set()
    case.path_parameters = {
        name: given if name in own else SEEDED.get(name, given) for name, given in case.path_parameters.items()
    }
    if "subscription_id" in (case.query or {}):
        case.query["subscription_id"] = CUSTOM.subscription_id
    if case.path == payloads.PATH and isinstance(case.body, list):
        ids = {"binding_id": CUSTOM.binding_id, "subscription_id": CUSTOM.subscription_id}
        case.body = [item | ids if isinstance(item, dict) else item for item in case.body]
    if isinstance(case.body, dict) and "service_provider_id" in case.body:
        case.body["service_provider_id"] = CUSTOM.binding_id
    if isinstance(case.body, dict) and isinstance(case.body.get("target"), dict):
        case.body["target"] |= {"target_id": CUSTOM.subscription_id}


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [(*call, "POSITIVE") for call in ASKED] + [(*call, "NEGATIVE") for call in WRONGLY],
)
def test_every_call_is_answered_as_it_is_described(
    described: Any, fuzzed: Mart, method: str, path: str, mode: str
) -> None:
    headers = {"Authorization": fuzzed.http.headers["Authorization"]}
    cases = described[path][method].as_strategy(generation_mode=schemathesis.GenerationMode[mode])

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def ask(case: Any) -> None:
        case.call_and_validate(headers=headers, timeout=ANSWER_SECONDS, checks=CHECKS)
        if method != "DELETE":
            aim(case)
            case.call_and_validate(headers=headers, timeout=ANSWER_SECONDS, checks=CHECKS)

    fuzzed.http.put(f"{fuzzed.subscription_path()}/configurations/payload_logging", json={"enabled": True})
    ask()


async def start_and_stop(app: Starlette) -> None:
    """Without a server, so that its store is closed: Python 3.13 warns of a database that nobody closed."""
    async with app.router.lifespan_context(app):
        pass


def test_everything_that_is_told_is_of_a_call_that_is_there() -> None:
    app = create_app(Options())
    asyncio.run(start_and_stop(app))
    routes = [route for route in app.routes if isinstance(route, Route)]
    there = {(method, route.path) for route in routes for method in route.methods or () if method != "HEAD"}
    assert CALLS.keys() - there == set()
    assert there - CALLS.keys() == {("GET", "/openapi.json")}
