"""The loop that a good engineer writes in an afternoon: consume, decode, build the record, post 500, commit.

At-least-once, one batch after another, no dead-letter topic, no retries. A process of its own:
`python -m bench.naive BOOTSTRAP TOPIC GROUP URL`; it runs until it is ended.
"""

from __future__ import annotations

import io
import json
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import fastavro
import httpx
import orjson
from confluent_kafka import Consumer, KafkaException

from bench.endpoint import DATA_MART
from worker.edges.schemas import shipped

if TYPE_CHECKING:
    from confluent_kafka import Message

BATCH: Final = 500
HEADER: Final = 5
NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "naive")

SCHEMA: Final = fastavro.parse_schema(json.loads((shipped() / "payload_event.avsc").read_text(encoding="utf-8")))


def main(bootstrap: str, topic: str, group: str, url: str) -> None:
    """Post the topic's events until the process is ended."""
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    with httpx.Client(base_url=f"{url}/v1/data_marts/{DATA_MART}", timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {token(client, url)}"
        targets = subscriptions(client)
        consumer = Consumer(settings)
        consumer.subscribe([topic])
        while True:
            messages = consumer.consume(BATCH, timeout=0.5)
            if messages:
                store(client, [record(message, targets) for message in messages])
                consumer.commit(asynchronous=True)


def token(client: httpx.Client, url: str) -> str:
    """A bearer token for an API key."""
    form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "bench"}
    found = client.post(f"{url}/v1/preauth/validateAuth", data=form).raise_for_status().json()
    return str(found["access_token"])


def subscriptions(client: httpx.Client) -> dict[str, dict[str, str]]:
    """The ids that a record needs, by asset."""
    targets: dict[str, dict[str, str]] = {}
    for binding in client.get("/service_bindings").raise_for_status().json()["service_bindings"]:
        binding_id = binding["metadata"]["guid"]
        found = client.get(f"/service_bindings/{binding_id}/subscriptions").raise_for_status().json()
        for each in found["subscriptions"]:
            targets[each["entity"]["asset"]["asset_id"]] = {
                "binding_id": binding_id,
                "subscription_id": each["metadata"]["guid"],
                "deployment_id": each["entity"]["deployments"][0]["deployment_id"],
            }
    return targets


def record(message: Message, targets: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What is posted of one event."""
    if error := message.error():
        raise KafkaException(error)
    stream = io.BytesIO(message.value() or b"")
    stream.seek(HEADER)
    event: Any = fastavro.schemaless_reader(stream, SCHEMA, None)
    scored_at = event["scored_at"] or datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
    place = f"{message.topic()}/{message.partition()}/{message.offset()}"
    return {
        **targets[event["asset"]],
        "scoring_id": event["scoring_id"] or str(uuid.uuid5(NAMESPACE, place)),
        "scoring_timestamp": scored_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "response_time": event["response_time_ms"],
        "request": table(event["request"]),
        "response": table(event["response"]),
    }


def table(found: dict[str, Any]) -> Any:
    """Rows in the normal form: of a table as it is, of a body as its JSON says."""
    if "data" in found:
        return orjson.loads(found["data"])
    return {"fields": found["fields"], "values": found["values"]}


def store(client: httpx.Client, records: list[dict[str, Any]]) -> None:
    """Post one batch; anything but an acceptance ends the loop, before its commit."""
    answer = client.post(
        "/scoring_payloads", content=orjson.dumps(records), headers={"Content-Type": "application/json"}
    )
    answer.raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])
