"""Scores once and sends the event; `--cases FILE` and `--count N` send what the tests compare."""  # noqa: INP001

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payload import PayloadProducer, body, table

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = ["age", "hours", "income", "sector"]


def score(values: list[Any]) -> dict[str, Any]:
    """Stands for the model: one row in, one row out."""
    probability = (values[0] % 100 + 0.5) / 101
    answer = "yes" if probability > 0.5 else "no"  # noqa: PLR2004 - even odds
    return {"fields": ["prediction", "probability"], "values": [[answer, [1 - probability, probability]]]}


def scored(arguments: argparse.Namespace, scoring_id: str, values: list[Any]) -> dict[str, Any]:
    """Score a row, and the event that tells of it."""
    began = time.monotonic()
    response = score(values)
    return {
        "binding": arguments.binding,
        "asset": arguments.asset,  # the subscription's asset id or asset name, or the subscription's own id
        "scoring_id": scoring_id,
        "scored_at": time.time_ns() // 1000,
        "response_time_ms": int((time.monotonic() - began) * 1000),
        "request": body({"fields": FIELDS, "values": [values]}),
        "response": body(response),
        "attributes": {"service": "example"},
    }


def cases(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Each case of the tests, as tables and as bodies. `json` keeps integers exact and doubles to the last bit."""
    for case in json.loads(Path(arguments.cases).read_text("utf-8")):
        given = {name: case[name] for name in ("scored_at", "response_time_ms", "attributes")}
        given |= {"binding": arguments.binding, "asset": arguments.asset}
        for kind, make in (("table", table), ("body", body)):
            sides = {side: make(case[side]) for side in ("request", "response")}
            yield {**given, **sides, "scoring_id": f"python-{kind}-{case['name']}"}


def events(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What the command line asks for."""
    if arguments.cases:
        yield from cases(arguments)
    elif arguments.count:
        for number in range(arguments.count):
            yield scored(arguments, f"python-{number}", [number, number + 0.1, 52000, "retail"])
    else:
        yield scored(arguments, str(uuid.uuid4()), [41, 37.5, 52000, "retail"])


def main() -> int:
    """Returns the exit code: 1 if an event was not delivered."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", default="localhost:9092")
    parser.add_argument("--topic", default="payload-events")
    parser.add_argument("--asset", default="action")
    parser.add_argument("--binding")
    parser.add_argument("--schema", default="schemas/payload_event.avsc")
    parser.add_argument("--cases")
    parser.add_argument("--count", type=int)
    arguments = parser.parse_args()
    producer = PayloadProducer(arguments.bootstrap, arguments.topic, arguments.schema)
    sent = 0
    for event in events(arguments):
        producer.send(event)
        sent += 1
    failed = producer.close()
    for scoring_id, reason in failed.items():
        sys.stderr.write(f"not delivered: {scoring_id}: {reason}\n")
    sys.stdout.write(f"delivered: {sent - len(failed)} of {sent}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
