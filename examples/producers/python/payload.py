"""What a scoring service copies: the payload event, and a producer that knows what was delivered."""  # noqa: INP001

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
from confluent_kafka import KafkaError, Message, Producer

CONFLUENT_ID_1 = b"\x00" + (1).to_bytes(4, "big")  # Confluent framing: schema id 1, as in schemas/index.json


def body(value: Any) -> dict[str, Any]:
    """A native request or response as a `Body`; a service that has its bytes in hand passes those."""
    return {"content_type": "application/json", "data": json.dumps(value).encode()}


def table(value: dict[str, Any]) -> dict[str, Any]:
    """`{"fields", "values", "meta"}` as a `Table`."""
    return {
        "-type": "openscale.payload.Table",
        "fields": value.get("fields", []),
        "values": value["values"],
        "meta": value.get("meta"),
    }


class PayloadProducer:
    """Sends events idempotently with acks=all; `open` holds what is not acknowledged and why not, by scoring id."""

    def __init__(self, bootstrap: str, topic: str, schema: str) -> None:
        """`schema` is the file of the event's schema. Reaches for the broker only when something is sent."""
        self._schema = fastavro.schema.load_schema(schema)
        self._topic = topic
        self.open: dict[str, str] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,  # retried without duplicates, and acks=all with it
                "acks": "all",
                "linger.ms": 5,
                "compression.type": "lz4",
                "delivery.timeout.ms": 60_000,
                "partitioner": "murmur2_random",  # a key's partition is then the same from every language
            }
        )

    def send(self, event: dict[str, Any]) -> None:
        """Hand an event over; returns at once, and waits only while the queue is full."""
        value = io.BytesIO(CONFLUENT_ID_1)
        value.seek(0, io.SEEK_END)
        fastavro.schemaless_writer(value, self._schema, event)
        key = event["scoring_id"]
        self.open[key] = "never answered"
        while True:
            try:
                self._producer.produce(self._topic, value.getvalue(), key, on_delivery=self._reported)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)

    def close(self) -> dict[str, str]:
        """Wait until each event is acknowledged or given up; what was not delivered, and why."""
        self._producer.flush()  # no longer than delivery.timeout.ms
        return self.open

    def _reported(self, error: KafkaError | None, message: Message) -> None:
        key = (message.key() or b"").decode()
        if error is None:
            self.open.pop(key, None)
        else:
            self.open[key] = error.str()
