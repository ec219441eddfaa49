"""A client for one data mart of a sandbox under test: the calls by name, the answers as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from worker.sandbox.seed import DATA_MART_ID, Seeded, connect, seed, token

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import httpx

    from worker.sandbox.serve import RunningSandbox

# the marks of a module whose tests are to hold whatever the sandbox keeps its data in
ON_EVERY_STORE = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)


class Start(Protocol):
    """What the fixture `start` is."""

    def __call__(self, **options: Any) -> AbstractContextManager[RunningSandbox]:
        """A running sandbox with these options, on the test's store."""


class Mart:
    """A seeded data mart; `custom` is its custom engine's subscription."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        self.seeded = seed(sandbox.url)
        self.custom = self.seeded["custom"]
        self.path = f"/v1/data_marts/{DATA_MART_ID}"
        self.http = connect(sandbox.url)
        self.http.headers["Authorization"] = f"Bearer {token(self.http, 'any')}"

    def close(self) -> None:
        """Close its connections."""
        self.http.close()

    def post(self, *records: dict[str, Any], **headers: str) -> httpx.Response:
        """Post scoring records."""
        return self.http.post(f"{self.path}/scoring_payloads", json=records, headers=headers)

    def post_text(self, body: bytes, **headers: str) -> httpx.Response:
        """Post any bytes to where scoring records go."""
        return self.http.post(f"{self.path}/scoring_payloads", content=body, headers=headers)

    def transactions(self, seeded: Seeded | None = None, **query: str) -> dict[str, Any]:
        """The payload table, as `scoring_transactions` has it."""
        params = {"subscription_id": (seeded or self.custom).subscription_id} | query
        answer = self.http.get(f"{self.path}/scoring_transactions", params=params)
        assert answer.status_code == 200, answer.text
        table: dict[str, Any] = answer.json()
        return table

    def count(self) -> int:
        """How many rows the custom subscription's payload table has."""
        total = self.transactions(limit="1", include_total_count="true")["total_count"]
        assert isinstance(total, int)
        return total

    def subscription_path(self, seeded: Seeded | None = None) -> str:
        """Where a seeded subscription is."""
        seeded = seeded or self.custom
        return f"{self.path}/service_bindings/{seeded.binding_id}/subscriptions/{seeded.subscription_id}"


def record(seeded: Seeded, scoring_id: str | None = None, **other: Any) -> dict[str, Any]:
    """A scoring record of one row for a seeded subscription; `other` replaces what it has."""
    made: dict[str, Any] = {
        "binding_id": seeded.binding_id,
        "subscription_id": seeded.subscription_id,
        "deployment_id": seeded.deployment_id,
        "scoring_timestamp": "2019-06-11T10:00:00.123456Z",
        "response_time": 12,
        "request": {"fields": ["age", "sector"], "values": [[31, "x"]]},
        "response": {"fields": ["prediction", "probability"], "values": [["Y", [0.1, 0.9]]]},
    }
    return made | ({} if scoring_id is None else {"scoring_id": scoring_id}) | other


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of an answer with the documented error body, and with nothing else."""
    body = answer.json()
    assert set(body) == {"trace", "errors"}
    assert [set(error) for error in body["errors"]] == [{"code", "message"}]
    return answer.status_code, body["errors"][0]["code"]
