"""The command line: `payload-worker`; parses, calls, prints, and exits with a documented code."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations when it runs
from typing import TYPE_CHECKING, Annotated, NoReturn

import structlog
import typer

from worker import __version__
from worker.audit.command import audit
from worker.console import CONFIG, DATA, UNAVAILABLE, ConfigFile, fail, settings_of
from worker.control.commands import app as mart_app
from worker.dlq.commands import app as dlq_app
from worker.from_files.command import produce
from worker.replay.commands import replay, shadow
from worker.schema_commands import app as schema_app
from worker.trace.command import trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.config import Settings
    from worker.run import Worker
    from worker.telemetry import Health, Reading

OK, UNSETTLED = 0, 75
"""Exit codes, as sysexits.h has them (75: stopped before all was settled; the rest will be read again).

After a second signal, which stops at once: 128 and the signal's number.
"""

app = typer.Typer(
    name="payload-worker",
    help="From Avro events on Kafka to rows in an OpenScale data mart.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(mart_app)
app.add_typer(schema_app)
app.command()(produce)
app.command()(replay)
app.add_typer(dlq_app)
app.command()(audit)
app.command()(trace)


def main() -> NoReturn:
    """Run the command line, and end the process with its exit code.

    Without the interpreter's own end: a thread of librdkafka that is still there then may crash it, one time in fifty,
    and the exit code, which supervisors go by, would be a segmentation fault's.
    """
    try:
        app()
        code = OK
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read from it may have gone
            stream.flush()
    os._exit(code)


@app.command()
def run(
    config: ConfigFile = None,
    processes: Annotated[
        int,
        typer.Option(min=1, envvar="PAYLOAD_WORKER_PROCESSES", help="Workers to run, each a process of its own."),
    ] = 1,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but post, dead-letter and commit; say what would be done.")
    ] = False,
    to_end: Annotated[bool, typer.Option("--to-end", help="With --dry-run: end where the topics end now.")] = False,
) -> None:
    """Read events from Kafka and post them, until SIGTERM."""
    if dry_run:
        shadow(config, to_end=to_end)
    if to_end:
        raise typer.BadParameter("--to-end is for --dry-run")
    from worker.extension import READERS
    from worker.run import stop_on_signals
    from worker.telemetry import configure_logging

    settings = settings_of(config)
    configure_logging(settings.log)
    if processes > 1:
        raise typer.Exit(_supervised(settings, config, processes))
    worker = _composed(settings)
    signals = stop_on_signals(worker)
    health = _health(settings, lambda: worker.reading)
    structlog.get_logger().info("worker.started", version=__version__, readers=READERS, http_port=health.port)
    try:
        settled = _worked(worker)
    finally:
        health.close()
    if not settled:
        raise typer.Exit(128 + signals[-1] if len(signals) > 1 else UNSETTLED)


@app.command(hidden=True)
def process(number: int, config: ConfigFile = None) -> None:
    """Be one of the processes of `run --processes`; only that command starts it."""
    from worker.extension import READERS
    from worker.processes.link import of_process, to_supervisor
    from worker.telemetry import configure_logging

    try:
        link = to_supervisor()
    except OSError:
        raise typer.BadParameter("only `run --processes` starts this command") from None
    link.heed_signals()
    settings = of_process(settings_of(config), number)
    configure_logging(settings.log, process=number)
    worker = _composed(settings)
    link.attend(worker)
    structlog.get_logger().info("worker.started", version=__version__, readers=READERS)
    try:
        settled = _worked(worker)
    finally:
        link.close()
    if not settled:
        raise typer.Exit(UNSETTLED)


@app.command()
def check(config: ConfigFile = None) -> None:
    """Say of everything the worker needs whether it is there, and what to do where it is not."""
    from worker.checks import check as findings

    settings = settings_of(config)
    code = OK
    for finding in findings(settings):
        typer.echo(f"{'ok  ' if finding.good else 'FAIL'}  {finding.name}: {finding.text}")
        if not finding.good:
            code = max(code, CONFIG if finding.configuration else UNAVAILABLE)
    raise typer.Exit(code)


@app.command()
def resume(config: ConfigFile = None) -> None:
    """End a stop of the flood guard, for all workers of the group; they go on within seconds."""
    from worker.edges.cluster import ClientError, ClusterError
    from worker.edges.stop_note import StopNote

    settings = settings_of(config)
    try:
        stop = StopNote(settings.kafka, time.monotonic).clear()
    except ClientError as error:
        fail(CONFIG, error)
    except ClusterError as error:
        fail(UNAVAILABLE, error)
    if stop is None:
        typer.echo(f"the group {settings.kafka.group_id} was not stopped")
    else:
        typer.echo(f"resumed: the group had stopped at {stop.at}, for {stop.refused} of {stop.of} were {stop.code}")


class EngineName(StrEnum):
    """The engines by their short names."""

    CUSTOM = "custom"
    AZURE_STUDIO = "azure-studio"
    AZURE_SERVICE = "azure-service"
    SAGEMAKER = "sagemaker"


class Duplicates(StrEnum):
    """What the sandbox does with a scoring id that it has already."""

    IGNORE = "ignore"
    ERROR = "error"


class Databases(StrEnum):
    """Where the sandbox keeps the payload of a data mart that was set up with a PostgreSQL database."""

    GIVEN = "given"
    OWN = "own"


@app.command()
def preview(
    engine: Annotated[EngineName, typer.Option(help="Whose native form the files are in.")],
    request: Annotated[Path, typer.Option(help="A file with what the model was asked.")],
    response: Annotated[Path, typer.Option(help="A file with what it answered.")],
    features: Annotated[str, typer.Option(help="The subscription's feature columns, by commas (for CSV).")] = "",
    content_type: Annotated[str | None, typer.Option(help="Of the request; guessed if left out.")] = None,
) -> None:
    """Print the JSON that would be posted for a request and a response; exit 65 with the reason if none would be."""
    from worker.model import Refusal
    from worker.preview import preview as previewed

    names = [name.strip() for name in features.split(",")] if features else []
    found = previewed(engine.value, _file(request), _file(response), names, content_type)
    if isinstance(found, Refusal):
        fail(DATA, f"{found.disposition} ({found.code}): {found.detail}")
    sys.stdout.buffer.write(found + b"\n")


@app.command()
def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8800,
    store: Annotated[
        str | None,
        typer.Option(
            envvar="SANDBOX_STORE",
            help="SQLite file, or postgresql:// URI, to keep everything in; left out: memory.",
            show_default=False,
        ),
    ] = None,
    databases: Annotated[
        Databases,
        typer.Option(help="Where the payload of a data mart is whose setup names PostgreSQL: there, or in the store."),
    ] = Databases.GIVEN,
    store_delay_ms: Annotated[
        int, typer.Option(min=0, help="How long after it was taken a row shows up; the real one takes seconds.")
    ] = 200,
    duplicates: Annotated[Duplicates, typer.Option(help="What a repeated scoring id does.")] = Duplicates.IGNORE,
    assets: Annotated[Path | None, typer.Option(help="JSON file of what the engines have deployed.")] = None,
    data_mart: Annotated[str | None, typer.Option(help="A data mart that is there from the start.")] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="SANDBOX_API_KEY", help="The only API key that gets a token.", show_default=False),
    ] = None,
    *,
    seeded: Annotated[
        bool, typer.Option("--seed", help="Begin with a data mart, a binding and a subscription for each engine.")
    ] = False,
) -> None:
    """Serve a local data mart to practise with and to test against."""
    try:
        from worker.sandbox.options import Options, OptionsError
        from worker.sandbox.serve import serve
    except ModuleNotFoundError as error:
        fail(UNAVAILABLE, f"{error.name} is not installed: pip install 'openscale-payload-worker[sandbox]'")
    try:
        options = Options(
            store=store,
            databases=databases.value,
            store_delay_ms=store_delay_ms,
            duplicates=duplicates.value,
            assets=assets,
            data_mart_id=data_mart,
            api_key=api_key,
        )
        serve(options, host, port, seeded=seeded)
    except OptionsError as error:
        fail(CONFIG, error)


@app.command()
def demo(
    # fewer would not make every mistake, and more would not fit into the embedded broker
    events: Annotated[int, typer.Option(min=200, max=12_000, help="How many scorings to play.")] = 3000,
) -> None:
    """Play the whole job on this machine: a broker, engines, a data mart, two workers; then open the books."""
    try:
        from worker.demo.play import demo as play
    except ModuleNotFoundError as error:
        fail(UNAVAILABLE, f"{error.name} is not installed: pip install 'openscale-payload-worker[sandbox]'")
    raise typer.Exit(play(events))


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _supervised(settings: Settings, config: Path | None, count: int) -> int:
    """Run so many processes; the exit code."""
    from worker.compose import full_jitter
    from worker.processes.child import Child
    from worker.processes.merged import LABELS
    from worker.processes.supervisor import FIRST_WAIT, LONGEST_WAIT, Supervisor

    supervisor = Supervisor(
        count,
        start=lambda number: Child(number, config),
        wait=full_jitter(FIRST_WAIT, LONGEST_WAIT),
        drain=settings.delivery.drain_seconds,
    )
    supervisor.heed_signals()
    health = _health(settings, lambda: supervisor.reading, LABELS)
    structlog.get_logger().info("worker.started", version=__version__, http_port=health.port, processes=count)
    try:
        return supervisor.run()
    finally:
        health.close()


def _composed(settings: Settings) -> Worker:
    from worker.compose import compose
    from worker.edges.cluster import ClientError, ClusterError
    from worker.edges.registry import RegistryError
    from worker.edges.schemas import SchemaDirectoryError

    try:
        return compose(settings, time.monotonic)
    except (SchemaDirectoryError, RegistryError, ClientError) as error:
        fail(CONFIG, error)
    except ClusterError as error:
        fail(UNAVAILABLE, error)


def _health(settings: Settings, reading: Callable[[], Reading], labels: tuple[str, ...] = ()) -> Health:
    from worker.telemetry import Health

    try:
        return Health(settings.http, reading, labels)
    except OSError as error:
        fail(CONFIG, f"http.port {settings.http.port} on {settings.http.host}: {error.strerror}")


def _worked(worker: Worker) -> bool:
    """Work until stopped; whether all that was read is settled."""
    from worker.edges.source import SourceError
    from worker.run import settle_down

    settle_down()
    try:
        return worker.run()
    except SourceError as error:
        fail(UNAVAILABLE, error)


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(DATA, f"{path}: {error.strerror}")
