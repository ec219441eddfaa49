"""`payload-worker produce`: says what it would send, asks, sends, and ends with a documented code."""

import logging
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from worker.config import ConfigError, Settings
from worker.from_files import choosing, telling
from worker.from_files.choosing import Format
from worker.from_files.csv_rows import Columns
from worker.from_files.drafts import Making, Source, SourceError
from worker.from_files.job import Checked, Job, Signals, check
from worker.from_files.telling import CONFIG, DATA, UNAVAILABLE, Faults, fail
from worker.model import Target
from worker.preview import ENGINES
from worker.producer.errors import ProducerError, UnreachableError
from worker.producer.sending import PayloadProducer

_QUEUE: Final = {"queue.buffering.max.messages": 20_000, "queue.buffering.max.kbytes": 65_536}
"""What may wait for the brokers, unless `kafka.producer` says otherwise: memory shall not grow with the input."""


class Framing(StrEnum):
    """How records name their schema."""

    CONFLUENT = "confluent"
    SINGLE_OBJECT = "single-object"


class EngineName(StrEnum):
    """The engines by their short names."""

    CUSTOM = "custom"
    AZURE_STUDIO = "azure-studio"
    AZURE_SERVICE = "azure-service"
    SAGEMAKER = "sagemaker"


def produce(  # noqa: PLR0917 - typer turns parameters into flags, whatever their kind
    given: Annotated[str, typer.Option("--from", help="JSON Lines, CSV, or a directory of pairs; -: standard input.")],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar="PAYLOAD_WORKER_CONFIG", help="Settings in TOML.", show_default=False),
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="What it is, where its name does not tell.", show_default=False)
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Where to; left out: the only one of kafka.topics.")] = None,
    asset: Annotated[str | None, typer.Option(help="Of events that name none.")] = None,
    binding: Annotated[str | None, typer.Option(help="Of events that name none.")] = None,
    deployment: Annotated[str | None, typer.Option(help="Of events that name none.")] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(help="Check bodies as this engine's; else only that they are JSON or CSV.", show_default=False),
    ] = None,
    features: Annotated[str, typer.Option(help="The subscription's feature columns, by commas (for --engine).")] = "",
    response_columns: Annotated[str, typer.Option(help="CSV: columns of the response, by commas.")] = "",
    response_prefix: Annotated[str | None, typer.Option(help="CSV: how names of the response's begin.")] = None,
    text_columns: Annotated[str, typer.Option(help="CSV: columns that are never numbers, by commas.")] = "",
    scoring_id_column: Annotated[str | None, typer.Option(help="CSV: the column with the scoring id.")] = None,
    scored_at_column: Annotated[str | None, typer.Option(help="CSV: the column with the time, ISO 8601.")] = None,
    framing: Annotated[
        Framing | None, typer.Option(help="How records name their schema; left out: as the settings want it.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Events a second, at most.")] = None,
    start_at: Annotated[int, typer.Option(min=1, help="The line, or pair, to begin with.")] = 1,
    *,
    names_are_ids: Annotated[bool, typer.Option("--names-are-ids", help="Pairs: NAME is the scoring id.")] = False,
    skip_faulty: Annotated[bool, typer.Option("--skip-faulty", help="Send all others where some are faulty.")] = False,
    all_faults: Annotated[
        bool, typer.Option("--all-faults", help=f"Name each, not the first {telling.SHOWN} only.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything; send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Send events from JSON Lines, CSV, or pairs of request and response; all are checked before any is sent."""
    columns = Columns(
        _named(response_columns), response_prefix, scoring_id_column, scored_at_column, _named(text_columns)
    )
    defaults = {"asset": asset, "binding": binding, "deployment": deployment}
    signals = Signals()
    try:
        settings = choosing.settings(config)
        to = choosing.topic(settings, topic)
        limit = settings.limits.event_bytes
        encoding = choosing.encoding(settings, to, framing.value if framing else None)
        source = choosing.source(given, form, limit, columns, names_are_ids=names_are_ids)
        making = Making(
            source.digest(),
            {name: value for name, value in defaults.items() if value is not None},
            encoding,
            limit,
            Target("", "", "", ENGINES[engine.value].value, _named(features)) if engine else None,
        )
        faults = Faults(everything=all_faults or (skip_faulty and not dry_run))
        checked = check(source, making, start_at, signals, faults.name)
        faults.end()
        telling.stopped(signals)
        typer.echo(telling.counted(source, checked))
        if not dry_run and checked.faults and not skip_faulty:
            telling.refused(source, checked)
        if not dry_run and checked.events:
            _Order(settings, to, source, making, checked, start_at, rate).carry_out(signals, yes=yes)
    except (SourceError, UnreachableError, ProducerError, ConfigError) as error:
        fail(_code(error), error)
    except KeyboardInterrupt:  # before signals are heeded
        fail(130, "interrupted: nothing was sent")
    if checked.faults:
        raise typer.Exit(DATA)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be sent, and where to."""

    settings: Settings
    topic: str
    source: Source
    making: Making
    checked: Checked
    start: int
    rate: float | None

    def carry_out(self, signals: Signals, *, yes: bool) -> None:
        """Ask, and send; ends the program unless all was acknowledged."""
        kafka = self.settings.kafka
        more: dict[str, Any] = {"logger": _silent(), **_QUEUE, **kafka.producer}
        producer = PayloadProducer(kafka.bootstrap_servers, topic=self.topic, written_as=self.making.encoding, **more)
        try:
            partitions = producer.partitions()
        except UnreachableError as error:
            fail(UNAVAILABLE, f"{kafka.bootstrap_servers}: {error}; check kafka.bootstrap_servers")
        if not partitions:
            fail(UNAVAILABLE, f"no such topic: {self.topic}; create it, the worker never does")
        where = f"{self.topic} at {kafka.bootstrap_servers}, partitions: {partitions}, {self.making.encoding.name}"
        telling.agreed(f"Send {self.checked.events} events to {where}?", yes=yes)
        with signals.heeded():
            if self.source.changed():
                fail(DATA, f"{self.source.name}: it has changed since it was checked: nothing was sent")
            typer.echo(f"to {where}")
            job = Job(producer, signals, self.rate)
            job.run(self.source, self.making, self.start, self.checked.events)
            telling.outcome(job, self.source, self.checked, signals)


def _code(error: Exception) -> int:
    if isinstance(error, SourceError):
        return DATA
    return UNAVAILABLE if isinstance(error, UnreachableError) else CONFIG


def _named(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _silent() -> logging.Logger:
    """For librdkafka's own lines: what they tell of is told once, by the outcome."""
    logger = logging.getLogger("payload_worker.produce.librdkafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
