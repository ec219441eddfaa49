"""The sink's own limit: bodies made beforehand, posted over a few connections as fast as they are taken.

A process of its own, so that its posting takes the processor as a worker's would: `python -m bench.ceiling URL COUNT`
prints the records a second.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
import uuid
from queue import Empty, SimpleQueue
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from bench import events
from bench.endpoint import PAYLOADS, BenchError

BATCH: Final = 500
CONNECTIONS: Final = 4
TIMEOUT: Final = 60


def main(url: str, count: str) -> None:
    """Post `count` records and print the rate."""
    bodies = [_body(start) for start in range(0, int(count), BATCH)]
    began = time.perf_counter()
    post(urlsplit(url).netloc, bodies)
    seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({"records": BATCH * len(bodies), "seconds": seconds}) + "\n")


def post(host: str, bodies: list[bytes]) -> None:
    """Post all bodies; raises `BenchError` unless every one is accepted."""
    waiting: SimpleQueue[bytes] = SimpleQueue()
    for body in bodies:
        waiting.put(body)
    accepted: list[int] = []
    threads = [threading.Thread(target=_post, args=(host, waiting, accepted)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(accepted) != len(bodies):
        raise BenchError(f"the sink accepted {len(accepted)} posts of {len(bodies)}")


def _post(host: str, waiting: SimpleQueue[bytes], accepted: list[int]) -> None:
    connection = http.client.HTTPConnection(host, timeout=TIMEOUT)
    try:
        while True:
            connection.request("POST", PAYLOADS, waiting.get_nowait(), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == http.client.ACCEPTED:
                accepted.append(answer.status)
    except Empty:
        connection.close()


def _body(start: int) -> bytes:
    return orjson.dumps([_record(number) for number in range(start, start + BATCH)])


def _record(number: int) -> dict[str, Any]:
    request, response = events.scoring(number)
    return {
        "binding_id": str(uuid.UUID(int=1)),
        "subscription_id": str(uuid.UUID(int=2)),
        "deployment_id": str(uuid.UUID(int=3)),
        "scoring_id": str(uuid.UUID(int=number)),
        "scoring_timestamp": "2019-06-11T10:00:00.123456Z",
        "response_time": 12,
        "request": request,
        "response": response,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
