"""What every `dlq` command works with: settings, topics, schemas, the directory; and the ends for what goes wrong."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from worker.console import CONFIG, DATA, UNAVAILABLE, fail, settings_of
from worker.dlq.box import BlindError, Box, Choice, parked
from worker.dlq.opening import Opener
from worker.dlq.patch import PatchFileError
from worker.dlq.where import Where, WhereError, where
from worker.edges.cluster import ClientError, ClusterError
from worker.edges.fetching import fetch_directory
from worker.edges.registry import REFUSED, RegistryClient, RegistryError
from worker.edges.schemas import SchemaDirectoryError, load_schemas
from worker.formats import decoder
from worker.mart.client import MartClient, MartError, token_source
from worker.mart.token import TokenError
from worker.telemetry import configure_logging
from worker.topics.reading import TopicReader
from worker.topics.times import instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from worker.config import Settings
    from worker.rooms.directory import Directory

USAGE = 2

Topics = Annotated[
    list[str] | None,
    typer.Option("--topic", "-t", help="A dead-letter topic; may be repeated. Left out: those of the settings."),
]
Filters = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", help="name=value (or !=); may be repeated: all must hold. * stands for any text."),
]
Since = Annotated[str | None, typer.Option("--from", help="Letters of records of this time or later: ISO 8601, zone.")]
Until = Annotated[str | None, typer.Option("--to", help="Letters of records before this time, or now.")]
WithParked = Annotated[bool, typer.Option("--parked", help="Those that were parked too.")]
Payload = Annotated[
    bool,
    typer.Option("--payload", help="Show values too: payloads are people's data, and stay in the terminal's history."),
]


class Session:
    """The settings, and what is made of them when it is needed; used inside `session`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.reader = TopicReader(settings.kafka)
        given, registry = settings.schemas, settings.schemas.registry
        book = load_schemas(given.directory, given.bare, asks=bool(registry.urls))
        client = RegistryClient(registry) if registry.urls else None
        formats, limit = settings.events.formats, settings.limits.event_bytes
        self.opener = Opener(book, client, limit, formats, decoder(settings, book))
        self._directory: Directory | None = None

    def topics(self, given: Sequence[str] | None) -> list[str]:
        """The dead-letter topics that are meant."""
        own = [self.settings.dead_letter_topic(topic) for topic in self.settings.kafka.topics]
        return list(dict.fromkeys(given or own))

    def directory(self) -> Directory:
        """The data mart's bindings and subscriptions, fetched once; raises `MartError`, `TokenError`."""
        if self._directory is None:
            client = MartClient(self.settings.mart, token_source(self.settings.mart))
            try:
                self._directory = fetch_directory(client, 0)
            finally:
                client.close()
        return self._directory

    def box(self, topics: Sequence[str], choice: Choice, *, with_parked: bool) -> Box:
        """The letters that are meant; raises `ClusterError`, and what `directory` raises where a filter needs it."""
        asked = choice.subscriptions or choice.where.names("subscription")
        directory = self.directory() if asked else None
        marks = None if with_parked else parked(self.settings.kafka, self.reader, topics)
        return Box(self.reader, topics, choice, self.opener, directory=directory, parked=marks)


@contextmanager
def session(config: Path | None) -> Iterator[Session]:
    """A session; what goes wrong in it ends the program with one line and its exit code."""
    settings = settings_of(config)
    configure_logging(settings.log)  # librdkafka's lines belong on standard error, not among what is printed
    try:
        found = Session(settings)
        with found.reader:
            yield found
    except (ClientError, SchemaDirectoryError) as error:
        fail(CONFIG, error)
    except RegistryError as error:
        fail(answered(error.status), error)
    except TokenError as error:
        fail(CONFIG if error.refused else UNAVAILABLE, error)
    except MartError as error:
        fail(answered(error.status), error)
    except ClusterError as error:
        fail(UNAVAILABLE, error)
    except BlindError as error:
        fail(DATA, error)
    except PatchFileError as error:
        fail(DATA, f"--patch: {error}")


def answered(status: int | None) -> int:
    """The exit code where a registry or the data mart answered so: a refused credential is the settings' fault."""
    return CONFIG if status in REFUSED else UNAVAILABLE


def chosen(filters: Sequence[str] | None, since: str | None, until: str | None) -> Choice:
    """Which letters the flags mean; ends the program where one cannot be read."""
    now = datetime.now(UTC)
    try:
        meant: Where = where(filters or ())
        return Choice(meant, instant(since, now) if since else None, instant(until, now) if until else None)
    except WhereError as error:
        fail(USAGE, error)
    except ValueError as error:
        fail(USAGE, f"--from, --to: {error}")
