"""The services of the demo: they score applicants over HTTP and send each scoring as an event."""

from __future__ import annotations

import random
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import KafkaException, Producer

from worker.demo.accounting import Kept, Place, Sent
from worker.demo.events import confluent, record
from worker.demo.loans import applicant
from worker.demo.mistakes import MISTAKES, Draft, Mistake
from worker.demo.protocols import PROTOCOLS, Protocol
from worker.model import Body
from worker.rooms.identity import NAMESPACE
from worker.sandbox.seed import connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import httpx
    from confluent_kafka import KafkaError, Message

    from worker.demo.accounting import Fate
    from worker.demo.broker import EmbeddedBroker
    from worker.demo.loans import Applicant
    from worker.sandbox.seed import Seeded

# with four engines and five mistakes: so that every engine makes every mistake
_MISTAKE_EVERY = 31
_OWN_ID_EVERY = 5
_MOST_ROWS = 3


@dataclass(frozen=True, slots=True)
class Planned:
    """An event to come: whose, under which scoring id of its own if any, and what is to be wrong with it."""

    engine: str
    scoring_id: str | None
    mistake: Mistake | None


def plan(events: int) -> Iterator[Planned]:
    """So many events, the engines taking turns: the same plan for the same number."""
    engines = list(PROTOCOLS)
    for number in range(events):
        engine = engines[number % len(engines)]
        own = f"{engine}-{number:06}" if number % _OWN_ID_EVERY == 0 else None
        turn, rest = divmod(number, _MISTAKE_EVERY)
        yield Planned(engine, own, MISTAKES[turn % len(MISTAKES)] if rest == _MISTAKE_EVERY - 1 else None)


class Services:
    """One service an engine. `sent` has every event that the broker acknowledged, at the place it gave it."""

    def __init__(
        self, broker: EmbeddedBroker, topic: str, seeded: Mapping[str, Seeded], urls: Mapping[str, str]
    ) -> None:
        self._topic = topic
        self._cluster_id = broker.cluster_id
        self._seeded = seeded
        self._urls = urls
        self._clients: dict[str, httpx.Client] = {}
        self._open = ExitStack()
        self._chance = random.Random(20190611)  # noqa: S311 - applicants, no secret
        self._producer = Producer(
            {
                "bootstrap.servers": broker.bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        self.sent: list[Sent] = []

    def __enter__(self) -> Self:
        self._clients = {engine: self._open.enter_context(connect(url)) for engine, url in self._urls.items()}
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def score(self, planned: Planned) -> None:
        """Score somebody, and send the event."""
        protocol = PROTOCOLS[planned.engine]
        applicants = [applicant(self._chance) for _ in range(self._chance.randint(1, _MOST_ROWS))]
        draft = self._draft(planned, protocol, applicants)
        if planned.mistake is None:
            self._send(planned, confluent(draft.event), Kept(planned.engine, protocol.content(applicants)))
        else:
            self._send(planned, planned.mistake.spoil(draft), planned.mistake.reason)

    def flush(self) -> None:
        """Wait until the broker has acknowledged everything; raises `KafkaException` if it does not."""
        if self._producer.flush(30):
            raise KafkaException("the embedded broker did not acknowledge every event")

    def _draft(self, planned: Planned, protocol: Protocol, applicants: Sequence[Applicant]) -> Draft:
        asked = Body(protocol.content_type, protocol.write(applicants))
        begun = time.perf_counter()
        answered = self._call(planned.engine, protocol.path, asked)
        took = round((time.perf_counter() - begun) * 1000)
        event = record(self._seeded[planned.engine].asset_id, asked, answered, took, planned.scoring_id)
        return Draft(event, Body(protocol.content_type, protocol.write([*applicants, applicants[0]])))

    def _call(self, engine: str, path: str, asked: Body) -> Body:
        headers = {"Content-Type": asked.content_type}
        answer = self._clients[engine].post(path, content=asked.data, headers=headers).raise_for_status()
        return Body(answer.headers["Content-Type"], answer.content)

    def _send(self, planned: Planned, value: bytes, due: Fate) -> None:
        def reported(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise KafkaException(error)
            self.sent.append(self._acknowledged(planned, message, due))

        key = self._seeded[planned.engine].asset_id
        self._producer.produce(self._topic, value, key, on_delivery=reported)
        self._producer.poll(0)

    def _acknowledged(self, planned: Planned, message: Any, due: Fate) -> Sent:
        """With the id that the place gives it (`schemas/README.md`), worked out in another way than the worker does.

        `Any`: the type says None of what only a message in error lacks.
        """
        place = Place(message.partition(), message.offset())
        derived = uuid.uuid5(NAMESPACE, f"{self._cluster_id}/{self._topic}/{place.partition}/{place.offset}")
        return Sent(planned.engine, place, planned.scoring_id or str(derived), due)
