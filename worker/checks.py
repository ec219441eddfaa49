"""`payload-worker check`: a line for each thing the worker needs, what is wrong with it and what to do."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
from confluent_kafka import Consumer, Producer

from worker.edges.cluster import ClientError, Cluster, ClusterError, client, describe, limits
from worker.edges.deadletter import producer_settings
from worker.edges.directory import fetch_directory
from worker.edges.letter_headers import added_bytes
from worker.edges.registry import REFUSED, RegistryClient, RegistryError
from worker.edges.schemas import SchemaDirectoryError, load_schemas
from worker.edges.stop_note import StopNote
from worker.mart.client import USER_AGENT, MartClient, MartError, token_source
from worker.mart.token import TokenError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.config import Kafka, Registry, Settings
    from worker.edges.cluster import Limits

LIMITS = "dead-letter limits"
"""The name of what is found of topics' limits."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing; `configuration`: a fault of the settings rather than of something out of reach."""

    name: str
    good: bool
    text: str
    configuration: bool = False


def _good(name: str, text: str) -> Finding:
    return Finding(name, good=True, text=text)


def _bad(name: str, text: str, *, configuration: bool = False) -> Finding:
    return Finding(name, good=False, text=text, configuration=configuration)


def check(settings: Settings) -> Iterator[Finding]:
    """Look at everything the worker needs, one after the other; what depends on a fault is left out."""
    yield _good("settings", "understood")
    yield _schemas(settings)
    if settings.schemas.registry.urls:
        yield _registry(settings.schemas.registry)
    yield from _kafka(settings)
    yield from _mart(settings)


def _schemas(settings: Settings) -> Finding:
    try:
        book = load_schemas(settings.schemas.directory, settings.schemas.bare)
    except SchemaDirectoryError as error:
        return _bad("schemas", str(error), configuration=True)
    names = sorted({reader.name for reader in book.readers.values()})
    return _good("schemas", ", ".join(names))


def _registry(registry: Registry) -> Finding:
    try:
        with closing(RegistryClient(registry)) as client:
            found = client.subjects()
    except RegistryError as error:
        return _bad("schema registry", f"{error}; check schemas.registry", configuration=error.status in REFUSED)
    return _good("schema registry", f"{', '.join(registry.urls)}, subjects: {len(found)}")


def _kafka(settings: Settings) -> Iterator[Finding]:
    try:
        client(Consumer, {"group.id": settings.kafka.group_id, **settings.kafka.consumer}).close()
        client(Producer, producer_settings(settings.kafka) | {"bootstrap.servers": ""})
    except ClientError as error:
        yield _bad("kafka settings", str(error), configuration=True)
        return
    letters = sorted({settings.dead_letter_topic(topic) for topic in settings.kafka.topics})
    try:
        cluster = describe(settings.kafka, [*settings.kafka.topics, *letters])
    except ClusterError as error:
        yield _bad("broker", f"{error}; check kafka.bootstrap_servers")
        return
    yield _good("broker", f"{settings.kafka.bootstrap_servers}, cluster {cluster.id}")
    for topic in settings.kafka.topics:
        yield _topic("topic", topic, cluster)
    for topic in letters:
        yield _topic("dead-letter topic", topic, cluster)
    if all(cluster.partitions.values()):
        yield from _limits(settings)
    yield _flood_guard(settings.kafka)


def _topic(name: str, topic: str, cluster: Cluster) -> Finding:
    count = cluster.partitions[topic]
    if count:
        return _good(name, f"{topic}, partitions: {count}")
    return _bad(name, f"{topic} does not exist: create it, the worker never does")


def _limits(settings: Settings) -> Iterator[Finding]:
    """Whether every record that a topic of events may hold can be dead-lettered: else one could hold its partition."""
    kafka = settings.kafka
    letters = {topic: settings.dead_letter_topic(topic) for topic in kafka.topics}
    try:
        found = limits(kafka, sorted({*letters, *letters.values()}))
    except ClusterError as error:
        yield _good(LIMITS, f"not compared with those of {', '.join(letters)}: {error}")
        return
    for topic, letter in letters.items():
        faults = [*_sizes(kafka, topic, found[topic], letter, found[letter]), *_keeping(kafka, letter, found[letter])]
        yield from faults or [_good(LIMITS, _fits(kafka, topic, found[topic], letter, found[letter]))]


def _sizes(kafka: Kafka, topic: str, source: Limits, letter: str, target: Limits) -> Iterator[Finding]:
    """Limits that a record of the largest size does not pass, even without any header that explains it."""
    wanted = source.message_bytes + added_bytes(topic, kafka.group_id)
    lost = f"a record of {topic} may have {source.message_bytes} bytes, and one that is too large is held for ever"
    if target.message_bytes < source.message_bytes:
        way = f"set it to at least {wanted} ({_alter(kafka, letter, 'max.message.bytes', wanted)})"
        yield _bad(LIMITS, f"max.message.bytes of {letter} is {target.message_bytes}; {lost}: {way}")
    own = int(producer_settings(kafka)["message.max.bytes"])
    if own < source.message_bytes:
        way = f"leave it out, or set it to at least {wanted}"
        yield _bad(LIMITS, f"message.max.bytes of kafka.producer is {own}; {lost}: {way}", configuration=True)


def _keeping(kafka: Kafka, letter: str, target: Limits) -> Iterator[Finding]:
    """What else would make a topic refuse letters, or lose them."""
    if target.min_insync_replicas > target.replicas:
        way = _alter(kafka, letter, "min.insync.replicas", target.replicas)
        text = f"min.insync.replicas of {letter} is {target.min_insync_replicas}, but it has {target.replicas} replicas"
        yield _bad(LIMITS, f"{text}: brokers before Kafka 4.1 would refuse every letter; lower it ({way})")
    if target.compacted:
        way = _alter(kafka, letter, "cleanup.policy", "delete")
        text = "letters without a key would be refused, and of those with one key only the last kept"
        yield _bad(LIMITS, f"{letter} is compacted: {text}; set cleanup.policy to delete ({way})")


def _fits(kafka: Kafka, topic: str, source: Limits, letter: str, target: Limits) -> str:
    """All records fit; what is to be known beside that."""
    texts = [f"{letter} takes every record of {topic}"]
    wanted = source.message_bytes + added_bytes(topic, kafka.group_id)
    if target.message_bytes < wanted:
        texts.append(
            f"the largest without what explains them and gives a redrive the same scoring id: for that set "
            f"max.message.bytes to {wanted} ({_alter(kafka, letter, 'max.message.bytes', wanted)})"
        )
    shorter = target.retention_ms >= 0 and not 0 <= source.retention_ms <= target.retention_ms
    if shorter and not target.by_log_time:
        way = _alter(kafka, letter, "retention.ms", -1)
        texts.append(f"it keeps them less long than {topic} does, counted from the record's own time ({way})")
    return "; ".join(texts)


def _alter(kafka: Kafka, topic: str, name: str, value: object) -> str:
    """The command of Kafka's own tools that sets a topic's setting."""
    entity = f"--entity-type topics --entity-name {topic}"
    return f"kafka-configs --bootstrap-server {kafka.bootstrap_servers} --alter {entity} --add-config {name}={value}"


def _flood_guard(kafka: Kafka) -> Finding:
    try:
        stop = StopNote(kafka, time.monotonic).read_now()
    except ClusterError as error:
        return _bad("flood guard", str(error))
    if stop is None:
        return _good("flood guard", "not stopped")
    cause = f"{stop.refused} of {stop.of} records were refused as {stop.code}"
    return _bad("flood guard", f"stopped since {stop.at}: {cause}; mend the cause, then payload-worker resume")


def _mart(settings: Settings) -> Iterator[Finding]:
    with httpx.Client(timeout=settings.mart.timeout_seconds, headers={"User-Agent": USER_AGENT}) as client:
        tokens = token_source(settings.mart, client)
        try:
            tokens.current()
        except TokenError as error:
            way = "check mart.api_key (or username and password)" if error.refused else "check mart.url"
            yield _bad("token", f"{error}; {way}", configuration=error.refused)
            return
        yield _good("token", "fetched" if settings.mart.token is None else "as given")
        with closing(MartClient(settings.mart, tokens)) as mart:
            yield from _directory(settings, mart)


def _directory(settings: Settings, mart: MartClient) -> Iterator[Finding]:
    try:
        mart.show()
    except TokenError as error:
        yield _bad("data mart", str(error))
        return
    except MartError as error:
        refused = error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        hint = "check mart.token, mart.api_key or mart.username" if refused else "check mart.url and mart.data_mart_id"
        yield _bad("data mart", f"{error}; {hint}", configuration=refused)
        return
    yield _good("data mart", settings.mart.data_mart_id)
    try:
        found = fetch_directory(mart, 0)
    except (MartError, TokenError) as error:
        yield _bad("directory", str(error))
        return
    if found.subscriptions == 0:
        yield _bad("directory", "the data mart has no subscription: every event would be refused", configuration=True)
    else:
        off = sum(not each.logging_enabled for each in found.known)
        without = f", payload logging off: {off}" if off else ""
        yield _good("directory", f"subscriptions: {found.subscriptions}{without}")
