"""What the command's flags and settings come to: the settings, a source, and how events are written."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from worker.config import ConfigError, Settings, load
from worker.from_files.csv_rows import Columns, CsvRows
from worker.from_files.drafts import Source, SourceError
from worker.from_files.files import STDIN, kept, opened
from worker.from_files.json_lines import JsonLines
from worker.from_files.pairs import Pairs
from worker.producer.encoding import Encoding, Framing, offline, registered

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE: Final = 8
"""Times `limits.event_bytes` that a line of text may have: escapes take more than what they stand for."""

_NOBODY: Final[dict[str, Any]] = {"mart": {"token": "none is needed to send events"}}


class Format(StrEnum):
    """What an input is."""

    JSONL = "jsonl"
    CSV = "csv"
    PAIRS = "pairs"


_ENDS: Final[Mapping[str, Format]] = {
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSONL,
    ".csv": Format.CSV,
}


def settings(config: Path | None) -> Settings:
    """The settings, the data mart's credentials left aside where there are none; raises `ConfigError`."""
    try:
        return load(config, _NOBODY)
    except ConfigError as error:  # perhaps because credentials are there
        try:
            return load(config)
        except ConfigError as other:  # of both, the one that does not complain of credentials
            raise min(error, other, key=lambda each: str(each).count("\n")) from None


def topic(found: Settings, given: str | None) -> str:
    """Where to send; raises `ConfigError` where that is not clear, or where Avro would not be read."""
    if given is None and len(found.kafka.topics) > 1:
        raise ConfigError(f"kafka.topics are several: name one of {', '.join(found.kafka.topics)} by --topic")
    to = given or found.kafka.topics[0]
    form = found.events.formats.get(to, "avro")
    if form != "avro":
        raise ConfigError(
            f"events.formats: {to} is read as {form}, and what is written here is Avro: name another topic"
        )
    return to


def encoding(found: Settings, to: str, framing: Framing | None) -> Encoding:
    """As the worker of these settings reads it: single objects in a topic of bare bodies, else Confluent's framing.

    Raises:
        ProducerError: a registry or the schema directory does not have the event's schema.
    """
    chosen: Framing = framing or ("single-object" if to in found.schemas.bare else "confluent")
    if found.schemas.registry.urls and not found.schemas.directory and chosen == "confluent":
        return registered(found.schemas.registry, f"{to}-value")
    return offline(chosen, found.schemas.directory)


def source(given: str, form: Format | None, limit: int, columns: Columns, *, names_are_ids: bool) -> Source:
    """The input; standard input is read to its end. Raises `SourceError`."""
    path = Path(given)
    told = form or (Format.PAIRS if path.is_dir() else _ENDS.get(path.suffix.lower()))
    if told is Format.PAIRS:
        return Pairs(path, limit, names_are_ids=names_are_ids)
    if told is None:
        raise SourceError(f"{STDIN if given == '-' else given}: its name does not tell what it is: say --format")
    stream, name = (kept(sys.stdin.buffer), STDIN) if given == "-" else (opened(path), given)
    if told is Format.JSONL:
        return JsonLines(stream, name, _LINE * limit)
    return CsvRows(stream, name, _LINE * limit, columns)
