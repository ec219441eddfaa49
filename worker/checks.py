"""`payload-worker check`: a line for each thing the worker needs, what is wrong with it and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, Producer

from worker.edges.cluster import ClientError, Cluster, ClusterError, client, describe
from worker.edges.directory import fetch_directory
from worker.edges.schemas import SchemaDirectoryError, load_schemas
from worker.mart.client import MartClient, MartError, token_source
from worker.mart.token import TokenError, TokenSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.config import Settings


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
    yield from _kafka(settings)
    yield from _mart(settings)


def _schemas(settings: Settings) -> Finding:
    try:
        book = load_schemas(settings.schemas.directory, settings.schemas.bare)
    except SchemaDirectoryError as error:
        return _bad("schemas", str(error), configuration=True)
    names = sorted({reader.name for reader in book.readers.values()})
    return _good("schemas", ", ".join(names))


def _kafka(settings: Settings) -> Iterator[Finding]:
    try:
        client(Consumer, {"group.id": settings.kafka.group_id, **settings.kafka.consumer}).close()
        client(Producer, dict(settings.kafka.producer))
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


def _topic(name: str, topic: str, cluster: Cluster) -> Finding:
    count = cluster.partitions[topic]
    if count:
        return _good(name, f"{topic}, partitions: {count}")
    return _bad(name, f"{topic} does not exist: create it, the worker never does")


def _mart(settings: Settings) -> Iterator[Finding]:
    tokens = token_source(settings.mart)
    try:
        tokens.current()
    except TokenError as error:
        way = "check mart.api_key (or username and password)" if error.refused else "check mart.url"
        yield _bad("token", f"{error}; {way}", configuration=error.refused)
        return
    yield _good("token", "fetched" if settings.mart.token is None else "as given")
    yield from _directory(settings, tokens)


def _directory(settings: Settings, tokens: TokenSource) -> Iterator[Finding]:
    mart = MartClient(settings.mart, tokens)
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
        yield _good("directory", f"subscriptions: {found.subscriptions}")
