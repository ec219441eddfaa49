"""Each engine's native events become its rows, value by value and type by type."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.way import natives
from tests.way.events import confluent, event
from tests.way.stage import Stage, until
from worker.sandbox.seed import DATA_MART_ID, connect, token

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.sandbox.seed import Seeded

COUNT = 1000


def undeclare(stage: Stage, seeded: Seeded) -> None:
    """Let the data mart take cells of any type: which ones a subscription declares is not what is tested here."""
    with connect(stage.sandbox.url) as client:
        client.headers["Authorization"] = f"Bearer {token(client, 'sandbox')}"
        path = f"/v1/data_marts/{DATA_MART_ID}/service_bindings/{seeded.binding_id}/subscriptions"
        schema = {"op": "add", "path": "/asset_properties/input_data_schema", "value": {"type": "struct", "fields": []}}
        client.patch(f"{path}/{seeded.subscription_id}", json=[schema]).raise_for_status()


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("engine", "make", "expect"),
    [
        ("custom", natives.custom, natives.custom_rows),
        ("azure-studio", natives.azure_studio, natives.azure_studio_rows),
        ("azure-service", natives.azure_service, natives.azure_service_rows),
        ("sagemaker", natives.sagemaker, natives.sagemaker_rows),
    ],
)
def test_a_thousand_native_events_become_exactly_their_rows(
    stage: Stage, engine: str, make: Callable[..., tuple[Any, Any]], expect: Callable[..., tuple[Any, Any]]
) -> None:
    rng = random.Random(engine)  # noqa: S311 - a seed, not a secret
    seeded = stage.seeded[engine]
    undeclare(stage, seeded)
    pairs = {f"id-{number}": make(rng, seeded.features) for number in range(COUNT)}
    stage.produce(
        confluent(event(seeded.asset_id, request, response, scoring_id=name, response_time_ms=12))
        for name, (request, response) in pairs.items()
    )
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["distinct"] == COUNT, f"{COUNT} records")
        code, log = worker.stop()
    assert code == 0, log
    more = (seeded.features,) if engine == "sagemaker" else ()
    expected = {name: expect(a["data"], b["data"], *more) for name, (a, b) in pairs.items()}
    records = stage.sandbox.records(seeded.subscription_id)
    assert len(records) == COUNT
    for record in records:
        request, response = expected[record["scoring_id"]]
        # compared as text: 1, 1.0 and true are equal to Python, but not to a data mart
        assert json.dumps(record["request"]) == json.dumps(request)
        assert json.dumps(record["response"]) == json.dumps(response)
        assert record["binding_id"] == seeded.binding_id
        assert record["deployment_id"] == seeded.deployment_id
        assert record["response_time"] == 12
    assert stage.sandbox.stats()["errors"] == 0
    assert len(stage.sandbox.rows(seeded.subscription_id)) == sum(len(a["values"]) for a, _ in expected.values())
