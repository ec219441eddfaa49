"""The work that is the same for every peer: ids from the catalogue, an event's bytes in, the record to be posted out.

Made as cheap as documented calls of the usual libraries allow: fastavro's `schemaless_reader`, orjson, a hash instead
of `uuid.uuid5`, which makes the same ids at four times the cost.
"""

from __future__ import annotations

import hashlib
import io
import json
import urllib.request
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import fastavro
import orjson

from bench.endpoint import DATA_MART

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH: Final = 500
"""Records a post."""

IN_FLIGHT: Final = 6
"""Posts at once, where a peer has concurrency: as many as the worker's default."""

COMMIT_SECONDS: Final = 1.0
"""Between two commits, where a peer lets one choose: as the worker."""

TIMEOUT: Final = 30
CONSUMER: Final = {"fetch.queue.backoff.ms": 20}
"""For all that read by librdkafka, which else rests for a second when its queue was full."""

HEADER: Final = 5
"""Bytes of Confluent's wire format before the Avro body."""

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "naive").bytes
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class Work:
    """What a peer has to know: the ids by asset, the schema, and where and with which headers to post."""

    def __init__(self, url: str, schema: str) -> None:
        mart = f"{url}/v1/data_marts/{DATA_MART}"
        self.payloads = f"{mart}/scoring_payloads"
        token = {"Authorization": f"Bearer {_token(url)}"}
        self.headers = {**token, "Content-Type": "application/json"}
        self._targets = _targets(mart, token)
        self._schema = fastavro.parse_schema(json.loads(Path(schema).read_text(encoding="utf-8")))

    def record(self, value: bytes, topic: str, partition: int, offset: int, timestamp_ms: int) -> dict[str, Any]:
        """What is posted of one event; raises where it is none, or its asset is unknown."""
        stream = io.BytesIO(value)
        stream.seek(HEADER)
        event: Any = fastavro.schemaless_reader(stream, self._schema, None)
        scored_at = event["scored_at"] or datetime.fromtimestamp(timestamp_ms / 1000, UTC)
        return {
            **self._targets[event["asset"]],
            "scoring_id": event["scoring_id"] or scoring_id(topic, partition, offset),
            "scoring_timestamp": f"{scored_at.isoformat(timespec='microseconds')[:26]}Z",
            "response_time": event["response_time_ms"],
            "request": _table(event["request"]),
            "response": _table(event["response"]),
        }


def encode(records: Sequence[dict[str, Any]]) -> bytes:
    """The body of one post."""
    return orjson.dumps(records)


def scoring_id(topic: str, partition: int, offset: int) -> str:
    """The UUIDv5 of an event's place in Kafka."""
    place = f"{topic}/{partition}/{offset}"
    text = hashlib.sha1(NAMESPACE + place.encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def _table(found: dict[str, Any]) -> Any:
    """Rows in the normal form: of a table as it is, of a body as its JSON says."""
    if "data" in found:
        return orjson.loads(found["data"])
    return {"fields": found["fields"], "values": found["values"]}


def _token(url: str) -> str:
    form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "bench"}
    request = urllib.request.Request(f"{url}/v1/preauth/validateAuth", urlencode(form).encode())  # noqa: S310 - the sink
    return str(_json(request)["access_token"])


def _targets(mart: str, headers: dict[str, str]) -> dict[str, dict[str, str]]:
    """The ids that a record needs, by asset."""
    targets: dict[str, dict[str, str]] = {}
    for binding in _json(urllib.request.Request(f"{mart}/service_bindings", headers=headers))["service_bindings"]:  # noqa: S310 - the sink
        binding_id = binding["metadata"]["guid"]
        place = f"{mart}/service_bindings/{binding_id}/subscriptions"
        for each in _json(urllib.request.Request(place, headers=headers))["subscriptions"]:  # noqa: S310 - the sink
            targets[each["entity"]["asset"]["asset_id"]] = {
                "binding_id": binding_id,
                "subscription_id": each["metadata"]["guid"],
                "deployment_id": each["entity"]["deployments"][0]["deployment_id"],
            }
    return targets


def _json(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - the sink
        return json.loads(answer.read())
