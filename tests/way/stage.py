"""The whole way on a stage: a broker's topics, a sandbox, and workers as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from worker.sandbox.seed import DATA_MART_ID, Seeded, token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from confluent_kafka import Message

    from worker.sandbox.serve import RunningSandbox


@dataclass
class Stage:
    """Where an event's way is played: `topic` and its dead-letter topic on a broker, and a seeded sandbox.

    `code` is a directory with another version of the package `worker`, to be played instead of this one.
    """

    bootstrap: str
    topic: str
    letters: str
    group: str
    sandbox: RunningSandbox
    seeded: dict[str, Seeded]
    settings: dict[str, str] = field(default_factory=dict)
    code: Path | None = None

    def environment(self, **more: str) -> dict[str, str]:
        """The settings of a worker on this stage, as environment variables."""
        given = {
            "KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA__TOPICS": f'["{self.topic}"]',
            "KAFKA__GROUP_ID": self.group,
            "DEAD_LETTER__TOPIC": self.letters,
            "MART__URL": self.sandbox.url,
            "MART__DATA_MART_ID": DATA_MART_ID,
            "MART__API_KEY": "sandbox",
            "HTTP__PORT": "0",
            **self.settings,
            **more,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PAYLOAD_WORKER_")}
        return kept | {f"PAYLOAD_WORKER_{name}": value for name, value in given.items()}

    def produce(self, values: Iterable[bytes | None], key: bytes | None = None, **more: Any) -> None:
        """Write values to the topic, acknowledged."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 20})
        failed: list[object] = []

        def reported(error: object, _: object) -> None:
            if error is not None:
                failed.append(error)

        for value in values:
            while True:
                try:
                    producer.produce(self.topic, value, key, on_delivery=reported, **more)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(30) == 0
        assert not failed, failed[:3]

    @contextmanager
    def worker(self, **more: str) -> Iterator[WorkerProcess]:
        """A worker as a process; killed at the end if it still runs."""
        process = WorkerProcess(self.environment(**more), self.code)
        try:
            yield process
        finally:
            process.kill()

    def mart(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A call of the data mart's control plane, below `/v1/data_marts/{id}/service_bindings`."""
        with httpx.Client(base_url=self.sandbox.url) as client:
            client.headers["Authorization"] = f"Bearer {token(client, 'sandbox')}"
            return client.request(method, f"/v1/data_marts/{DATA_MART_ID}/service_bindings{path}", **more)

    def subscribe(self, engine: str, asset: str, *, logging: bool = True) -> str:
        """Subscribe an asset of that name in the binding of an engine; the subscription's id."""
        path = f"/{self.seeded[engine].binding_id}/subscriptions/{uuid.uuid4()}"
        told = {
            "asset_id": asset,
            "name": asset,
            "asset_type": "model",
            "url": "",
            "created_at": "2019-06-11T10:00:00Z",
        }
        properties = {"input_data_type": "structured", "problem_type": "binary", "prediction_field": "p"}
        deployments = [{"deployment_id": f"{asset}-d", "name": asset, "deployment_type": "online", "url": ""}]
        body = {"asset": told, "asset_properties": properties, "deployments": deployments}
        assert self.mart("PUT", path, json=body).status_code == httpx.codes.CREATED
        self.mart("PUT", f"{path}/configurations/payload_logging", json={"enabled": logging}).raise_for_status()
        return path.rpartition("/")[2]

    def committed(self) -> int:
        """The sum of the group's committed positions over all partitions; 0 while its coordinator is only beginning."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.group})
        try:
            partitions = consumer.list_topics(self.topic, timeout=10).topics[self.topic].partitions
            found = consumer.committed([TopicPartition(self.topic, number) for number in partitions], timeout=10)
            return sum(max(0, each.offset) for each in found)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_COORDINATOR:
                raise
            return 0
        finally:
            consumer.close()

    def dead_letters(self, count: int, seconds: float = 30) -> list[Message]:
        """All records of the dead-letter topic: waits for `count`, then a moment for any more."""
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": f"{self.group}-look", "auto.offset.reset": "earliest"}
        )
        partitions = consumer.list_topics(self.letters, timeout=10).topics[self.letters].partitions
        consumer.assign([TopicPartition(self.letters, number, 0) for number in partitions])
        found: list[Message] = []
        deadline = time.monotonic() + seconds
        quiet = 0
        while (len(found) < count or quiet < 3) and time.monotonic() < deadline:
            messages = [each for each in consumer.consume(500, 0.2) if each.error() is None]
            quiet = 0 if messages else quiet + 1
            found += messages
        consumer.close()
        return found


class WorkerProcess:
    """A `payload-worker run`; its log goes to a file, for a pipe that nobody reads would stop it.

    The file is one to append to: the process shares its place in it with whoever reads it here.
    """

    def __init__(self, environment: dict[str, str], code: Path | None = None) -> None:
        self._log = tempfile.TemporaryFile("a+")  # noqa: SIM115 - kill() closes it
        command = [sys.executable, "-m", "worker", "run"]  # of the directory that it is started in, if it is there
        self.process = subprocess.Popen(command, env=environment, stderr=self._log, cwd=code)
        self._port: int | None = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def stop(self, seconds: float = 30) -> tuple[int, str]:
        """End it by SIGTERM; its exit code and its log."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds), self.log()
        except subprocess.TimeoutExpired:
            message = f"still running {seconds} s after SIGTERM:\n{self.log()}"
            raise AssertionError(message) from None

    def log(self) -> str:
        """What it has logged."""
        self._log.seek(0)
        return self._log.read()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of an event, with their fields."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def health(self, path: str) -> tuple[int, Any]:
        """Status and JSON of one of its health endpoints."""
        found = self._get(path)
        return found.status_code, found.json()

    def metrics(self) -> dict[str, float]:
        """Its metrics by name, without the prefix and the `_total` of counters; labelled ones are summed."""
        found: defaultdict[str, float] = defaultdict(float)
        for family in text_string_to_metric_families(self._get("/metrics").text):
            for sample in family.samples:
                found[sample.name.removeprefix("payload_worker_").removesuffix("_total")] += sample.value
        return dict(found)

    def _get(self, path: str) -> httpx.Response:
        if self._port is None:
            until(lambda: bool(self.lines("worker.started")), "the worker's start")
            self._port = self.lines("worker.started")[0]["http_port"]
        return httpx.get(f"http://127.0.0.1:{self._port}{path}", timeout=5)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._log.close()


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until something holds; fail with `what` if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
