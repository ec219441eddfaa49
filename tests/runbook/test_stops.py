"""The runbook's procedures for what is refused, lost or missing beside the data mart."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from chaos.proxy import CLEAR, Proxy, Weather
from tests.edges.reading import Log
from tests.runbook.registry import SCHEMA_ID, serving
from tests.way.events import avro, confluent, custom, event, many
from tests.way.registry import codes
from tests.way.stage import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kafka.broker import Broker
    from tests.runbook.play import Play
    from tests.way.stage import Stage

pytestmark = pytest.mark.kafka

BAD = b"\x07 no event"
COUNT = 300
GUARD = {"FLOOD_GUARD__RECORDS": "50"}


def test_without_a_dead_letter_topic_a_refused_event_is_held_until_it_is_made(
    stage: Stage, begin: Callable[[str], Play]
) -> None:
    stage.letters = f"late-{uuid.uuid4().hex[:8]}"
    play = begin("The dead-letter topic does not take letters")
    play.start()
    stage.produce([confluent(custom()), BAD, confluent(custom(start=1))], partition=0)
    play.see()
    play.look()
    play.do()
    play.over()
    play.settled()
    assert stage.sandbox.stats()["distinct"] == 2
    assert [letter.value() for letter in stage.dead_letters(1)] == [BAD]


def test_good_events_that_the_flood_guard_kept_back_are_stored_once_the_cause_is_mended(
    stage: Stage, begin: Callable[[str], Play]
) -> None:
    """Not one more of them goes to the dead-letter topic than before the stop."""
    stage.settings |= GUARD
    quiet = stage.subscribe("custom", "quiet", logging=False)
    body = custom()
    stage.produce(confluent(event("quiet", body["request"], body["response"])) for _ in range(COUNT))
    play = begin("The flood guard has stopped the group")
    play.start()
    play.see()
    play.look()
    before = len(stage.dead_letters(0, seconds=2))
    path = f"/{stage.seeded['custom'].binding_id}/subscriptions/{quiet}/configurations/payload_logging"
    play.do(lambda: stage.mart("PUT", path, json={"enabled": True}).raise_for_status())
    play.over()
    play.settled()
    assert 0 < before < int(GUARD["FLOOD_GUARD__RECORDS"])
    assert codes(stage.dead_letters(before)) == {("logging-disabled", "logging-disabled"): before}
    assert stage.sandbox.stats()["distinct"] == COUNT - before


def test_bad_events_of_a_bad_deploy_end_with_their_reasons_and_the_good_ones_are_stored(
    stage: Stage, begin: Callable[[str], Play]
) -> None:
    stage.settings |= GUARD
    stage.produce([BAD] * COUNT)
    play = begin("A bad deploy happened")
    play.start()
    play.see()
    play.look()
    play.do(lambda: stage.produce(map(confluent, many(COUNT))))
    play.over()
    play.settled()
    assert codes(stage.dead_letters(COUNT)) == {("decode", "no-framing"): COUNT}
    assert stage.sandbox.stats()["distinct"] == COUNT


def test_after_offsets_were_lost_the_partition_is_read_again_and_the_log_says_what_is_missing(
    stage: Stage, broker: Broker, begin: Callable[[str], Play]
) -> None:
    stage.settings["KAFKA__CONSUMER__AUTO_OFFSET_RESET"] = "error"
    log = Log(broker, stage.topic, stage.group)
    stage.produce(map(confluent, many(100)), partition=0)
    log.commit({0: 10, 1: 0, 2: 0, 3: 0})
    log.cut(40)
    play = begin("Offsets were lost")
    play.start()
    play.see()
    (lost,) = play.workers[0].lines("offsets.lost")
    assert (lost["topic"], lost["partition"], lost["from"], lost["to"], lost["count"]) == (stage.topic, 0, 10, 40, 30)
    play.look()
    play.do()
    play.over()
    play.settled()
    assert stage.sandbox.stats()["distinct"] == 60


def test_a_worker_that_restarts_for_a_missing_topic_runs_once_it_is_made(
    stage: Stage, begin: Callable[[str], Play]
) -> None:
    stage.topic = f"late-{uuid.uuid4().hex[:8]}"
    stage.settings["PROCESSES"] = "2"
    play = begin("A worker restarts again and again")
    play.start()
    play.see()
    play.look()
    play.do()
    play.over()
    stage.produce(map(confluent, many(COUNT)))
    until(lambda: stage.sandbox.stats()["distinct"] == COUNT, "all of them")
    play.settled()


def test_events_wait_for_a_registry_that_is_down_and_are_stored_once_it_answers(
    stage: Stage, begin: Callable[[str], Play]
) -> None:
    with serving() as registry, Proxy(registry, seed="runbook") as proxy:
        proxy.become(Weather(refuse=True))
        stage.settings["SCHEMAS__REGISTRY__URLS"] = json.dumps([f"http://{proxy.address}"])
        play = begin("The schema registry is down")
        play.start()
        stage.produce(b"\x00" + SCHEMA_ID.to_bytes(4, "big") + avro(custom(start=n)) for n in range(COUNT))
        play.see()
        play.look()
        play.do(lambda: proxy.become(CLEAR))
        play.over()
        play.settled()
    assert stage.sandbox.stats()["distinct"] == COUNT
    assert stage.dead_letters(0, seconds=1) == []
