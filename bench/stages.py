"""Where the worker's time goes: CPU microseconds a record, stage by stage, in this process.

The stages are called one after another on the same chunk, with the objects that the worker is composed of. All but
posting is counted on its thread alone; posting for the whole process, so with what librdkafka fetches meanwhile.
"""

from __future__ import annotations

import gc
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from bench import events
from bench.contenders import WORKER, Task
from bench.endpoint import DATA_MART, BenchError
from bench.harness import ground, say
from bench.plan import Turn
from bench.report import Result
from worker.compose import flow_policy
from worker.config import Settings, load
from worker.edges.cluster import describe
from worker.edges.courier import Courier
from worker.edges.directory import fetch_directory
from worker.edges.schemas import load_schemas
from worker.edges.source import KafkaSource
from worker.flow.flow import Flow
from worker.flow.jobs import Post, Posted
from worker.flow.verdict import Verdict
from worker.mart.client import MartClient, token_source
from worker.model import Event, Normal, Row, Target
from worker.rooms import validate
from worker.rooms.decode import Decoder
from worker.rooms.encode import encode
from worker.rooms.identity import Identity
from worker.rooms.normalise import normalise
from worker.run import settle_down

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Collection, Iterator, Mapping

    from worker.model import Claim, Envelope
    from worker.rooms.directory import Directory

PATIENCE: Final = 60
GARBAGE: Final = "garbage collection"


class Clock:
    """CPU seconds by stage; what the garbage collector takes in a stage is a stage of its own."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._collected = 0.0
        self._collecting = 0.0

    @contextmanager
    def stage(self, name: str, timer: Callable[[], float] = time.thread_time) -> Iterator[None]:
        """Count what happens inside."""
        began, collected = timer(), self._collected
        yield
        garbage = self._collected - collected
        self._add(name, timer() - began - garbage)
        self._add(GARBAGE, garbage)

    def _add(self, name: str, seconds: float) -> None:
        self.spent[name] = self.spent.get(name, 0) + seconds

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take note of the garbage collector."""
        gc.callbacks.append(self._note)
        yield
        gc.callbacks.remove(self._note)

    def _note(self, phase: str, _: Mapping[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self._collected += time.thread_time() - self._collecting


class Holder:
    """Hands claims on to a flow, as the worker does."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def assigned(self, claims: Collection[Claim]) -> None:
        """Take charge of these."""
        self._flow.assign(claims)

    def revoked(self, claims: Collection[Claim]) -> Mapping[Claim, int]:
        """Forget these."""
        self._flow.release(claims)
        return {}

    def lost(self, claims: Collection[Claim]) -> None:
        """Forget these."""
        self._flow.release(claims)


class Profile:
    """A worker taken apart: its stages one after another on each chunk that is read."""

    def __init__(self, given: Settings) -> None:
        self._given = given
        self.clock = Clock()
        tokens = token_source(given.mart)
        self._flow = Flow(flow_policy(given))
        ids = describe(given.kafka, given.kafka.topics).topic_ids
        self._source = KafkaSource(given.kafka, Holder(self._flow), time.monotonic, ids)
        self._decoder = Decoder(load_schemas(given.schemas.directory, given.schemas.bare), given.limits.event_bytes)
        self._identity = Identity("cluster", {})
        self._directory = fetch_directory(MartClient(given.mart, tokens), 0.0)
        self._courier = Courier(given.mart, tokens, 1)

    def run(self, count: int) -> dict[str, float]:
        """Microseconds of CPU a record for each stage."""
        deadline = time.monotonic() + PATIENCE
        left = count
        with self.clock.watching():
            while left > 0:
                left -= self._turn()
                if time.monotonic() > deadline:
                    raise BenchError(f"{left} events of {count} were not read within {PATIENCE} s")
        self._courier.close()
        self._source.close()
        return {name: spent / count * 1e6 for name, spent in self.clock.spent.items()}

    def _turn(self) -> int:
        """One chunk from Kafka to the sink; how many records it had."""
        with self.clock.stage("consume, envelope"):
            chunk = self._source.read(self._given.batch.records, 0.02)
        with self.clock.stage("flow: begin"):
            begun = self._flow.begin(chunk)
        rows = self._rooms(begun)
        with self.clock.stage("flow: admit, due"):
            self._flow.admit(rows, (), 0.0)
            jobs = self._flow.due(self._given.batch.linger_ms)
        outcomes = [self._posted(job) for job in jobs if isinstance(job, Post)]
        with self.clock.stage("flow: settle, commit"):
            for outcome in outcomes:
                self._flow.settle(outcome, 0.0)
            self._flow.committed(self._flow.committable())
        return len(chunk)

    def _rooms(self, chunk: list[Envelope]) -> list[Row]:
        with self.clock.stage("decode"):
            read = [(envelope, self._decoder.event(envelope)) for envelope in chunk]
        decoded = [(envelope, event) for envelope, event in read if isinstance(event, Event)]
        with self.clock.stage("validate, resolve"):
            targets = [_target(event, self._directory) for _, event in decoded]
        with self.clock.stage("normalise"):
            found = [
                normalise(event.request, event.response, target)
                for (_, event), target in zip(decoded, targets, strict=True)
            ]
        with self.clock.stage("identity"):
            ids = [self._identity.scoring_id(envelope) for envelope in chunk]
        normals = [normal for normal in found if isinstance(normal, Normal)]
        with self.clock.stage("encode, row"):
            return [
                Row(envelope, target.subscription_id, encode(envelope, event, target, normal, scoring_id))
                for (envelope, event), target, normal, scoring_id in zip(decoded, targets, normals, ids, strict=True)
            ]

    def _posted(self, post: Post) -> Posted:
        with self.clock.stage("post", time.process_time):
            self._courier.send(post)
            outcome = self._courier.collect(PATIENCE)[0]
        if outcome.answer.verdict is not Verdict.ACCEPTED:
            raise BenchError("the sink refused a post")
        return outcome


def _target(event: Event, directory: Directory) -> Target:
    found = directory.resolve(event.binding, event.asset, event.deployment)
    if validate.refusal(event) is not None or not isinstance(found, Target):
        raise BenchError("an event of the benchmark is refused")
    return found


def run(given: Namespace) -> Result:
    """Measure every kind of event; raises `BenchError`."""
    found: dict[str, dict[str, float]] = {}
    settle_down()  # as the worker does before its loop
    with ground() as stood:
        for kind in events.KINDS:
            turn = Turn(WORKER, kind, given.events)
            place = stood.place(turn)
            task = Task(place.bootstrap, place.topic, f"bench-{uuid.uuid4().hex[:12]}", stood.sink(turn.manner).url)
            say(f"taking the worker apart: {kind}")
            found[kind] = Profile(_settings(task)).run(given.events)
        broker = stood.broker
    return Result("stages", broker, {"events": given.events}, (), (), more={"stages": found})


def _settings(task: Task) -> Settings:
    flags: dict[str, Any] = {
        "kafka": {"bootstrap_servers": task.bootstrap, "topics": [task.topic], "group_id": task.group},
        "mart": {"url": task.url, "api_key": "bench", "data_mart_id": DATA_MART},
    }
    return load(None, flags)
