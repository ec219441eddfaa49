"""Send one scoring as an event: `python examples/mart/send.py ASSET REQUEST RESPONSE`, the last two being files.

To the topic `payload-events` of the broker at KAFKA_BOOTSTRAP_SERVERS. This is all that a scoring service has to do.
"""  # noqa: INP001 - a script, not a package

import io
import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import fastavro
from confluent_kafka import Producer

asset, *files = sys.argv[1:]
schema = fastavro.schema.load_schema(str(Path(__file__).parents[2] / "schemas" / "payload_event.avsc"))


def body(file: str) -> dict[str, object]:
    """The bytes as the service has them in its hand."""
    kind = "text/csv" if file.endswith(".csv") else "application/json"
    return {"content_type": kind, "data": Path(file).read_bytes()}


request, response = map(body, files)
scoring_id = str(uuid.uuid4())
event = {"asset": asset, "scoring_id": scoring_id, "scored_at": datetime.now(UTC), "response_time_ms": 12}
value = io.BytesIO()
value.write(b"\x00" + (1).to_bytes(4, "big"))  # Confluent framing: schema id 1, as in schemas/index.json
fastavro.schemaless_writer(value, schema, event | {"request": request, "response": response})

producer = Producer({"bootstrap.servers": os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")})
producer.produce("payload-events", value.getvalue())
sys.exit("not sent" if producer.flush(30) else None)
