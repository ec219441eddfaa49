"""S11's part of the schema registry: down at the start, killed and started again under load, slow, and dripping."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chaos.events import LENGTH, Template
from chaos.load import Load
from chaos.proxy import CLEAR, Proxy, Weather
from tests.registry.apicurio import Apicurio
from tests.rooms.schemas import grown, written
from tests.way.events import custom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from chaos.scenario import Place
    from tests.way.stage import WorkerProcess

RATE = 300
SUBJECT = "payload-events-value"
NEW = 200
"""Events of a schema that has not been asked for yet."""
REFUSE = Weather(refuse=True)
SLOW = Weather(latency=3.0)
"""Within the timeout of 5 s, which is for a whole answer."""
DRIP = Weather(bandwidth=20)
"""A byte at a time: each comes soon, and the whole answer never in time."""
STANDSTILL = 5.0
"""Seconds that events of known schemas may stand still, whatever the registry does."""


class Registry:
    """A real one, behind a network that can be made bad; each version has one field more than the one before."""

    def __init__(self, apicurio: Apicurio, proxy: Proxy) -> None:
        self.weather = proxy.become
        self.url = f"http://{proxy.address}{urlsplit(apicurio.url).path}"
        self._apicurio = apicurio
        self._versions: list[Any] = []

    def version(self) -> Template:
        """Register one more version; an event of it."""
        more = [
            {"name": f"more_{number}", "type": ["null", "int"], "default": None}
            for number in range(len(self._versions))
        ]
        self._versions.append(grown(*more))
        [number] = self._register(self._versions[-1:])
        empty: dict[str, Any] = {str(each["name"]): None for each in more}
        place = "#" * LENGTH
        body = written(self._versions[-1], custom() | empty | {"scoring_id": place})
        head, _, tail = (b"\x00" + number.to_bytes(4, "big") + body).partition(place.encode())
        return Template(head, tail)

    def kill(self) -> None:
        """End it at once."""
        self.weather(REFUSE)
        self._apicurio.kill()

    def restart(self) -> None:
        """Start it again with all that it had, and only then let it be reached."""
        self._apicurio.start()
        self._register(self._versions)
        self.weather(CLEAR)

    def _register(self, versions: list[Any]) -> list[int]:
        return self._apicurio.register(SUBJECT, [json.dumps(each) for each in versions])


@contextmanager
def _registry(ring: Ring) -> Iterator[Registry]:
    with Apicurio() as apicurio, Proxy(urlsplit(apicurio.url).netloc, seed=ring.rng.getrandbits(32)) as proxy:
        registry = Registry(apicurio, proxy)
        ring.settings["SCHEMAS__REGISTRY__URLS"] = json.dumps([registry.url])
        yield registry


def play(place: Place) -> Iterator[Outcome]:
    """Only in full: a registry takes long to start, and what CI plays of it is in `tests/way/test_registry.py`."""
    with place.ring() as ring, _registry(ring) as registry:
        known = registry.version()
        registry.weather(REFUSE)
        ring.writer.produce(500, known)
        with ring.worker() as worker:
            ring.until(lambda: bool(worker.lines("registry.failing")), "registry.failing at the start")
            time.sleep(20)
            ring.claim(ring.watch.arrived == 0, "something was posted without its schema")
            registry.weather(CLEAR)
            ring.until_done()
            with Load(ring.writer, RATE, known):
                _kills(ring, worker, registry)
                _slow(ring, registry)
            ring.until_done()
            ring.note("schemas asked for", f"{worker.metrics()['schema_fetches']:.0f}, failures included")
            ring.stop(worker)
        ring.watch.look()
        ring.claim(not ring.letters.dispositions, "something was dead-lettered")
        yield ring.close("schema registry", duplicates=0)


def _kills(ring: Ring, worker: WorkerProcess, registry: Registry) -> None:
    """Each time with events of a version that the worker has not asked for."""
    ring.watch.forgive()
    for _ in range(5):
        version = registry.version()
        registry.kill()
        wanted = set(ring.writer.produce(NEW, version))
        ring.until(lambda: worker.metrics().get("records_unread", 0) > 0, "events that wait")
        time.sleep(5)
        ring.claim(not wanted & ring.watch.settled, "an event was settled without its schema")
        registry.restart()
        ring.until(lambda wanted=wanted: wanted <= ring.watch.settled, "what waited for a killed registry")  # type: ignore[misc]


def _slow(ring: Ring, registry: Registry) -> None:
    """Slow is not down; what drips is, and ends with the weather."""
    for weather, mended in ((SLOW, False), (DRIP, True)):
        version = registry.version()
        registry.weather(weather)
        wanted = set(ring.writer.produce(NEW, version))
        if mended:
            time.sleep(20)
            ring.claim(not wanted & ring.watch.settled, "an answer that dripped was waited for")
            registry.weather(CLEAR)
        ring.until(lambda wanted=wanted: wanted <= ring.watch.settled, f"what waited in {weather}")  # type: ignore[misc]
        registry.weather(CLEAR)
