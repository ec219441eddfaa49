"""S22: a bad network on both sides of the worker: late, cut, slow, and half-open connections."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaos.load import Load
from chaos.proxy import CLEAR, Proxy, Weather
from chaos.scenario import Place, Scenario
from chaos.stuck import Stuck
from tests.kafka.broker import HOST, ApacheKafka, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring

KIB = 1024
WEATHERS = {
    "500 ms": Weather(latency=0.5),
    "5 % resets": Weather(resets=0.05),
    "64 KiB/s": Weather(bandwidth=64 * KIB),
    "half-open": Weather(silent=True),
}
RATE = 150
"""Events a second: what 64 KiB/s of one connection can carry, with room to spare."""


@dataclass(frozen=True, slots=True)
class Network:
    """A broker with a door for the worker alone, behind `kafka`, a proxy; the others use the broker's own."""

    broker: ApacheKafka
    kafka: Proxy


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds after which the worker gives a connection up; the full form has the defaults."""

    http: int
    kafka: int

    @property
    def longest(self) -> int:
        """The one that "no partition is stuck longer than twice the timeout" is about."""
        return max(self.http, self.kafka)


def play(place: Place) -> Iterator[Outcome]:
    """One worker for all weathers, one after the other, with a clear sky between."""
    timeouts = place.pick(Timeouts(http=4, kafka=6), Timeouts(http=30, kafka=60))
    with network(f"{place.seed}/kafka") as found, place.ring(broker=found.broker) as ring:
        ring.stage.settings |= {
            "KAFKA__BOOTSTRAP_SERVERS": found.kafka.address,
            "MART__TIMEOUT_SECONDS": str(timeouts.http),
            "KAFKA__CONSUMER__SOCKET_TIMEOUT_MS": str(timeouts.kafka * 1000),
            "KAFKA__CONSUMER__SESSION_TIMEOUT_MS": str(timeouts.kafka * 1000),
        }
        http = Proxy(ring.mart.url.removeprefix("http://"), seed=f"{place.seed}/http")
        sides = {"http": http, "kafka": found.kafka}
        with http, ring.worker(MART__URL=f"http://{http.address}") as worker, Stuck(ring) as stuck:
            for each in WEATHERS.items():
                _live_through(ring, stuck, sides, each, seconds=place.pick(4, 60), limit=2 * timeouts.longest)
            ring.stop(worker)
        ring.watch.look()
        ring.claim(not ring.letters.dispositions, "something was dead-lettered")
        yield ring.close()


def _live_through(
    ring: Ring, stuck: Stuck, sides: dict[str, Proxy], named: tuple[str, Weather], *, seconds: float, limit: float
) -> None:
    """The weather turns bad in mid-stream; all but silence lasts until everything is done."""
    name, weather = named
    arrived, met = ring.watch.arrived, _met(sides)
    with Load(ring.writer, RATE):
        ring.until(lambda: ring.watch.arrived > arrived + RATE, f"{name}: a second's events before")
        _become(sides, weather)
        stuck.forgive()
        time.sleep(seconds)
        if weather.resets or weather.silent:
            ring.until(lambda: all(new > old for new, old in zip(_met(sides), met, strict=True)), f"{name} met")
    if weather.silent:
        _become(sides, CLEAR)
        stuck.forgive()
    ring.until_done(limit + 60)
    _become(sides, CLEAR)
    ring.claim(stuck.longest <= limit, f"{name}: a partition stood still for {stuck.longest:.1f} s of {limit:.0f}")
    hit = ", ".join(f"{new - old} of {side}" for side, new, old in zip(sides, _met(sides), met, strict=True))
    ring.note(name, f"a partition stood still for {stuck.longest:.1f} s at most; connections lost: {hit}")


def _become(sides: dict[str, Proxy], weather: Weather) -> None:
    for proxy in sides.values():
        proxy.become(weather)


def _met(sides: dict[str, Proxy]) -> list[int]:
    """Connections of each side that were reset or fell silent: without any, nothing would be shown."""
    return [proxy.resets + proxy.muted for proxy in sides.values()]


@contextmanager
def network(seed: str) -> Iterator[Network]:
    """The broker advertises the proxy's address to whoever comes through the door, and its own to all others."""
    own, controller, door = free_ports(3)
    with Proxy(f"{HOST}:{door}", seed=seed) as proxy:
        plain = f"PLAINTEXT://{HOST}:{own}"
        properties = {
            "listeners": f"{plain},DOOR://{HOST}:{door},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"{plain},DOOR://{proxy.address}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,DOOR:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }
        with ApacheKafka(properties, ports=(own, controller)) as broker:
            yield Network(broker, proxy)


SCENARIOS = (
    Scenario("S22", "both sides late, cut, slow, half-open: none missing, no partition stuck over 2 timeouts", play),
)
