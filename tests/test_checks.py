"""What `check` says of the dead-letter topics' limits and of the flood guard; the rest is tested as a command."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from tests.edges.peer import answer, peer
from tests.kafka.broker import EmbeddedKafka
from worker.checks import LIMITS, Finding, check
from worker.config import DeadLetter, Kafka, Mart, Registry, Schemas, Settings
from worker.edges.letter_headers import added_bytes
from worker.edges.stop_note import StopNote
from worker.flow.flood import Stop
from worker.sandbox.seed import DATA_MART_ID, connect, planned, seed, token
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

    Checked = Callable[..., list[Finding]]

EVENTS = 50_000
GROUP = "g"
AMPLE = {"max.message.bytes": "100000", "retention.ms": "-1"}
MART = Mart(url="http://127.0.0.1:1", token=SecretStr("t"))


def found(settings: Settings, name: str) -> list[Finding]:
    """The findings of this name."""
    return [each for each in check(settings) if each.name == name]


@pytest.fixture
def checked(broker: Broker, make_topic: TopicFactory) -> Checked:
    """What is found of limits, for a topic of events and a dead-letter topic with these settings."""

    def run(
        letters: Mapping[str, str] = AMPLE, events: Mapping[str, str] | None = None, **producer: Any
    ) -> list[Finding]:
        source = make_topic(1, {"max.message.bytes": str(EVENTS)} | dict(events or {}), "events")
        target = make_topic(1, letters, "letters")
        settings = {name.replace("_", "."): value for name, value in producer.items()}
        kafka = Kafka(bootstrap_servers=broker.bootstrap, group_id=GROUP, topics=[source], producer=settings)
        return found(Settings(kafka=kafka, dead_letter=DeadLetter(topic=target), mart=MART), LIMITS)

    return run


def names(finding: Finding) -> tuple[str, str]:
    """The topics of events and of letters that a finding is about."""
    words = finding.text.replace(";", " ").replace(":", " ").replace(",", " ").split()
    (events,) = {word for word in words if word.startswith("events-")}
    (letters,) = {word for word in words if word.startswith("letters-")}
    return events, letters


@pytest.mark.kafka
def test_a_topic_that_takes_every_record_with_all_headers_is_good_and_nothing_more_is_said(checked: Checked) -> None:
    (finding,) = checked()
    events, letters = names(finding)
    assert finding == Finding(LIMITS, good=True, text=f"{letters} takes every record of {events}")


@pytest.mark.kafka
def test_a_dead_letter_topic_of_smaller_messages_is_a_fault_with_the_way_out(broker: Broker, checked: Checked) -> None:
    (finding,) = checked(AMPLE | {"max.message.bytes": str(EVENTS - 1)})
    events, letters = names(finding)
    wanted = EVENTS + added_bytes(events, GROUP)
    assert not finding.good
    assert not finding.configuration
    assert f"max.message.bytes of {letters} is {EVENTS - 1}" in finding.text
    assert f"set it to at least {wanted}" in finding.text
    command = (
        f"kafka-configs --bootstrap-server {broker.bootstrap} --alter --entity-type topics --entity-name {letters}"
    )
    assert f"{command} --add-config max.message.bytes={wanted}" in finding.text


@pytest.mark.kafka
def test_what_a_finding_asks_for_is_enough_for_it_to_be_gone(checked: Checked) -> None:
    wanted = EVENTS + added_bytes("events-" + 12 * "x", GROUP)
    (finding,) = checked(AMPLE | {"max.message.bytes": str(wanted)})
    assert finding.good
    assert "max.message.bytes" not in finding.text


@pytest.mark.kafka
def test_a_limit_that_takes_the_record_but_not_all_headers_is_good_and_said(checked: Checked) -> None:
    (finding,) = checked(AMPLE | {"max.message.bytes": str(EVENTS)})
    assert finding.good
    assert f"max.message.bytes={EVENTS + added_bytes(names(finding)[0], GROUP)}" in finding.text


@pytest.mark.kafka
def test_a_producer_of_smaller_messages_is_a_fault_of_the_settings(checked: Checked) -> None:
    (finding,) = checked(message_max_bytes=EVENTS - 1)
    assert not finding.good
    assert finding.configuration
    assert f"message.max.bytes of kafka.producer is {EVENTS - 1}" in finding.text
    assert str(EVENTS + added_bytes("events-" + 12 * "x", GROUP)) in finding.text
    assert [each.good for each in checked(message_max_bytes=EVENTS)] == [True]


@pytest.mark.kafka
def test_each_limit_that_is_too_small_is_found(checked: Checked) -> None:
    letters = {"max.message.bytes": "2000", "min.insync.replicas": "2", "cleanup.policy": "compact"}
    findings = checked(letters, message_max_bytes=2000)
    assert [each.good for each in findings] == [False] * 4
    parts = ("max.message.bytes of", "message.max.bytes of kafka", "min.insync.replicas of", "is compacted")
    assert [part in each.text for part, each in zip(parts, findings, strict=True)] == [True] * 4


@pytest.mark.kafka
def test_more_replicas_in_sync_than_there_are_is_a_fault(checked: Checked) -> None:
    (finding,) = checked(AMPLE | {"min.insync.replicas": "2"})
    assert not finding.good
    assert "is 2, but it has 1 replicas: brokers before Kafka 4.1 would refuse every letter" in finding.text
    assert "--add-config min.insync.replicas=1" in finding.text


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("events", "letters", "shorter"),
    [
        ({"retention.ms": "2000"}, {"retention.ms": "1000"}, True),
        ({"retention.ms": "-1"}, {"retention.ms": "1000"}, True),
        ({"cleanup.policy": "compact"}, {"retention.ms": "1000"}, True),
        ({"retention.ms": "1000"}, {"retention.ms": "1000"}, False),
        ({"retention.ms": "-1"}, {"retention.ms": "-1"}, False),
        ({"retention.ms": "1000"}, {"retention.ms": "-1"}, False),
        ({"retention.ms": "2000"}, {"retention.ms": "1000", "message.timestamp.type": "LogAppendTime"}, False),
    ],
)
def test_letters_that_are_kept_less_long_than_records_are_told_of(
    checked: Checked, events: dict[str, str], letters: dict[str, str], *, shorter: bool
) -> None:
    (finding,) = checked(AMPLE | letters, events)
    assert finding.good
    assert ("--add-config retention.ms=-1" in finding.text) is shorter


def test_limits_that_a_broker_does_not_tell_are_no_fault() -> None:
    with EmbeddedKafka() as broker:
        for topic in ("events", "dlq.events"):
            broker.create_topic(topic, 4, {})
        kafka = Kafka(bootstrap_servers=broker.bootstrap, topics=["events"])
        (finding,) = found(Settings(kafka=kafka, mart=MART), LIMITS)
    assert finding.good
    assert finding.text == "not compared with those of events: this broker does not tell its topics' limits"


def test_limits_are_left_out_where_a_topic_is_missing(broker: Broker, make_topic: TopicFactory) -> None:
    kafka = Kafka(bootstrap_servers=broker.bootstrap, topics=[make_topic()])
    settings = Settings(kafka=kafka, dead_letter=DeadLetter(topic="never-made"), mart=MART)
    assert found(settings, LIMITS) == []
    assert [each.good for each in found(settings, "flood guard")] == [True]


def test_a_group_that_the_flood_guard_has_stopped_is_a_fault_until_it_is_resumed(
    broker: Broker, make_topic: TopicFactory
) -> None:
    group = f"g-{time.monotonic_ns()}"
    kafka = Kafka(bootstrap_servers=broker.bootstrap, topics=[make_topic()], group_id=group)
    settings = Settings(kafka=kafka, dead_letter=DeadLetter(topic=make_topic()), mart=MART)
    assert found(settings, "flood guard") == [Finding("flood guard", good=True, text="not stopped")]
    note = StopNote(kafka, time.monotonic)
    note.write(Stop("rejected/rejected", 1000, 2000, "2026-01-02T03:04:05+00:00"))
    deadline = time.monotonic() + 30
    while note.owed and time.monotonic() < deadline:
        note.poll()
    (finding,) = found(settings, "flood guard")
    assert not finding.good
    assert "since 2026-01-02T03:04:05+00:00: 1000 of 2000 records were refused as rejected/rejected" in finding.text
    assert "payload-worker resume" in finding.text
    assert note.clear(settle=0) is not None
    assert [each.good for each in found(settings, "flood guard")] == [True]


def test_producer_settings_that_only_the_guarantee_forbids_are_found(broker: Broker, make_topic: TopicFactory) -> None:
    """Idempotence allows five requests at once; the worker would not start with more."""
    producer: dict[str, Any] = {"max.in.flight": 10}
    kafka = Kafka(bootstrap_servers=broker.bootstrap, topics=[make_topic()], producer=producer)
    (finding,) = found(Settings(kafka=kafka, mart=MART), "kafka settings")
    assert finding.configuration
    assert "max.in.flight" in finding.text


@pytest.mark.parametrize("way", [{"api_key": "k"}, {"username": "u", "password": "p"}], ids=["iam", "cp4d"])
def test_a_data_mart_of_v2_is_looked_at_by_v2(broker: Broker, make_topic: TopicFactory, way: Mapping[str, str]) -> None:
    kafka = Kafka(bootstrap_servers=broker.bootstrap, topics=[make_topic()])
    with running() as sandbox:
        mart = Mart.model_validate({"api": "v2", "url": sandbox.url, "data_mart_id": DATA_MART_ID, **way})
        settings = Settings(kafka=kafka, dead_letter=DeadLetter(topic=make_topic()), mart=mart)
        (absent,) = found(settings, "data mart")
        assert not absent.good
        assert "the instance has no data mart; check mart.url and mart.data_mart_id" in absent.text
        seed(sandbox.url)
        assert [each for each in check(settings) if each.name in ("token", "data mart", "directory")] == [
            Finding("token", good=True, text="fetched"),
            Finding("data mart", good=True, text=DATA_MART_ID),
            Finding("directory", good=True, text="subscriptions: 4"),
        ]
        silence(sandbox.url)
        (directory,) = found(settings, "directory")
        assert directory == Finding("directory", good=True, text="subscriptions: 4, payload logging off: 1")


def silence(url: str) -> None:
    """Switch payload logging off for one of the seeded subscriptions."""
    one = planned("custom")
    path = f"/v1/data_marts/{DATA_MART_ID}/service_bindings/{one.binding_id}/subscriptions/{one.subscription_id}"
    with connect(url) as client:
        client.headers["Authorization"] = f"Bearer {token(client, 'k')}"
        client.put(f"{path}/configurations/payload_logging", json={"enabled": False}).raise_for_status()


def test_a_registry_that_answers_is_told_and_one_that_does_not_or_refuses_is_a_fault() -> None:
    def registry(said: bytes) -> Finding:
        with peer(lambda connection: connection.sendall(said)) as other:
            urls = Registry(urls=[f"http://127.0.0.1:{other.port}"])
            settings = Settings(kafka=Kafka(bootstrap_servers="127.0.0.1:1"), mart=MART, schemas=Schemas(registry=urls))
            return next(each for each in check(settings) if each.name == "schema registry")

    assert registry(answer(200, b'["a", "b"]')).good
    assert "subjects: 2" in registry(answer(200, b'["a", "b"]')).text
    down, refused = registry(answer(503)), registry(answer(401))
    assert (down.good, down.configuration) == (False, False)
    assert (refused.good, refused.configuration) == (False, True)
