"""Events at an even pace, without a time of their own, so that Kafka's timestamp is the record's.

A process of its own: `python -m bench.pace BOOTSTRAP TOPIC RATE SECONDS` prints how many events it sent.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Final

from confluent_kafka import Producer

from bench import events
from bench.topics import PARTITIONS

DIFFERENT: Final = 2000
TICK: Final = 0.001
FLUSH_SECONDS: Final = 30


def main(bootstrap: str, topic: str, rate: str, seconds: str) -> int:
    """Send; 1 where something was not acknowledged."""
    values = [events.value("typed", number, stamped=False) for number in range(DIFFERENT)]
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1, "acks": "all"})
    total = round(float(rate) * float(seconds))
    sent = 0
    began = time.perf_counter()
    while sent < total:
        due = min(total, int((time.perf_counter() - began) * float(rate)))
        for number in range(sent, due):
            producer.produce(topic, values[number % DIFFERENT], partition=number % PARTITIONS)
        sent = due
        producer.poll(0)
        time.sleep(TICK)
    left = producer.flush(FLUSH_SECONDS)
    sys.stdout.write(json.dumps({"sent": sent, "left": left, "seconds": time.perf_counter() - began}) + "\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
