"""A client of v2 for one instance of a sandbox under test: the calls by name, the answers as they come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from tests.sandbox.mart import Mart
from worker.sandbox.seed import DATA_MART_ID

if TYPE_CHECKING:
    import httpx

    from worker.sandbox.seed import Seeded
    from worker.sandbox.serve import RunningSandbox

DEADLINE: Final = 60.0
BASE: Final = f"/openscale/{DATA_MART_ID}/v2"
PROVIDER: Final = {
    "name": "engine",
    "service_type": "custom_machine_learning",
    "credentials": {"url": "http://engine", "password": "hush"},
}
ASSET: Final = {
    "asset": {"asset_id": "loans", "asset_type": "model", "name": "Loans", "url": "", "problem_type": "binary"},
    "deployment": {"deployment_id": "loans-1", "name": "Loans 1", "deployment_type": "online", "url": ""},
    "asset_properties": {
        "prediction_field": "prediction",
        "probability_fields": ["probability"],
        "feature_fields": ["age", "sector"],
    },
}


class Instance:
    """An instance whose data mart is seeded through v1, so that both APIs tell of the same."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.v1 = Mart(sandbox)
        self.sandbox = sandbox
        self.http = self.v1.http
        self.data_set = self.data_set_of(self.v1.custom)

    def close(self) -> None:
        """Close its connections."""
        self.v1.close()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """What a call under the instance answers with 200."""
        answer = self.http.get(f"{BASE}/{path}", params=query)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def add(self, path: str, body: object) -> dict[str, Any]:
        """What a call under the instance makes with 201."""
        answer = self.http.post(f"{BASE}/{path}", json=body)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def subscribe(self, **change: Any) -> dict[str, Any]:
        """A subscription of a provider, both made through v2."""
        provider = self.add("service_providers", PROVIDER)["metadata"]["id"]
        return self.add(
            "subscriptions", {"data_mart_id": DATA_MART_ID, "service_provider_id": provider} | ASSET | change
        )

    def data_set_of(self, seeded: Seeded | str) -> str:
        """The one data set of a subscription."""
        target = seeded if isinstance(seeded, str) else seeded.subscription_id
        query = {"type": "payload_logging", "target.target_id": target, "target.target_type": "subscription"}
        (found,) = self.get("data_sets", **query)["data_sets"]
        return str(found["metadata"]["id"])

    def post(self, *records: dict[str, Any], **query: str) -> httpx.Response:
        """Post records to the data set."""
        return self.http.post(f"{BASE}/data_sets/{self.data_set}/records", json=records, params=query)

    def post_csv(self, text: str, **query: str) -> httpx.Response:
        """Post CSV to the data set."""
        kind = {"Content-Type": "text/csv;charset=utf-8"}
        return self.http.post(f"{BASE}/data_sets/{self.data_set}/records", content=text, params=query, headers=kind)

    def state(self, posted: httpx.Response) -> dict[str, Any]:
        """What became of a post that was taken, right now."""
        assert (posted.status_code, posted.json()) == (202, {"state": "preparing"}), posted.text
        told: dict[str, Any] = self.http.get(posted.headers["Location"]).json()
        return told

    def ended(self, posted: httpx.Response) -> dict[str, Any]:
        """What became of it as soon as it is no longer preparing."""
        deadline = time.monotonic() + DEADLINE
        while (state := self.state(posted))["state"] == "preparing":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return state

    def records(self, **query: str) -> list[dict[str, Any]]:
        """The rows' cells by column."""
        return [each["entity"]["values"] for each in self.get(f"data_sets/{self.data_set}/records", **query)["records"]]

    def count(self) -> int:
        """How many rows the data set has."""
        found = self.get(f"data_sets/{self.data_set}/records", limit="0", include_total_count="true")
        assert found["records"] == []
        return int(found["total_count"])


def scored(scoring_id: str | None = None, **other: Any) -> dict[str, Any]:
    """A scoring record of v2, of one row; `other` replaces what it has."""
    made: dict[str, Any] = {
        "scoring_timestamp": "2019-06-11T10:00:00.123456Z",
        "response_time": 12,
        "multiple_records": True,
        "request": {"fields": ["age", "sector"], "values": [[31, "x"]]},
        "response": {"fields": ["prediction", "probability"], "values": [["Y", [0.1, 0.9]]]},
    }
    return made | ({} if scoring_id is None else {"scoring_id": scoring_id}) | other
