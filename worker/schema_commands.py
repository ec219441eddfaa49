"""`payload-worker schema …`: writer schemas for people, in the registry or, without one, in the schema directory."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from worker.console import CONFIG, DATA, UNAVAILABLE, ConfigFile, fail, settings_of
from worker.edges.registry import REFUSED, RegistryClient, RegistryError
from worker.edges.schemas import SchemaDirectoryError, listed, reader_schema
from worker.rooms.framing import SchemaId
from worker.rooms.writer_schema import UnsafeSchemaError, compile_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.config import Settings

NO_REGISTRY: Final = "no registry is set: give schemas.registry.urls, or use the schema directory (schemas/README.md)"

app = typer.Typer(
    name="schema",
    help="Writer schemas: check one, register it, look at those that are there.",
    no_args_is_help=True,
)

SchemaFile = Annotated[Path, typer.Argument(help="A file with an Avro schema (.avsc).")]


@app.command()
def check(
    file: SchemaFile,
    subject: Annotated[str | None, typer.Option("--subject", "-s", help="Compare with what the registry has.")] = None,
    config: ConfigFile = None,
) -> None:
    """Say whether events may be written with a schema: safe to read with, readable as events, compatible.

    The last is the registry's word, by the compatibility that is set there for the subject.
    """
    schema = _usable(file)
    typer.echo("ok    readable: events written with it can be read")
    if subject is not None:
        with _registry(settings_of(config)) as client:
            complaints = client.incompatible(subject, schema)
        if complaints:
            fail(DATA, f"{file}: not compatible with {subject}: {'; '.join(complaints)}")
        typer.echo(f"ok    compatible: {subject} takes it")


@app.command()
def register(
    file: SchemaFile,
    subject: Annotated[str, typer.Option("--subject", "-s", help="Usually the topic's name and -value.")],
    config: ConfigFile = None,
) -> None:
    """Register a schema as the newest version of a subject, if the worker can read with it; print its id."""
    schema = _usable(file)
    with _registry(settings_of(config)) as client:
        typer.echo(f"{subject}: id {client.register(subject, schema)}")


@app.command()
def show(
    what: Annotated[str | None, typer.Argument(help="A subject, or a schema's id; left out: all subjects.")] = None,
    config: ConfigFile = None,
) -> None:
    """List subjects or the versions of one, with their ids; or print the schema that has an id."""
    settings = settings_of(config)
    if not settings.schemas.registry.urls:
        _show_directory(settings, what)
        return
    with _registry(settings) as client:
        if what is not None and what.isdecimal():
            _print(client.schema(SchemaId(int(what))), what)
            return
        for subject in client.subjects() if what is None else [what]:
            versions = client.versions(subject)
            if not versions:
                fail(DATA, f"{subject}: the registry has no such subject")
            for number in versions:
                found = client.version(subject, str(number)) or {}
                typer.echo(f"{subject}  version {number}  id {found.get('id')}")


def _show_directory(settings: Settings, what: str | None) -> None:
    try:
        entries = listed(settings.schemas.directory)
    except SchemaDirectoryError as error:
        fail(CONFIG, error)
    if what is not None and what.isdecimal():
        _print(next((each.schema for each in entries if each.id == int(what)), None), what)
        return
    found = [each for each in entries if what in (None, each.subject)]
    if not found:
        fail(DATA, f"{what}: the schema directory has no such subject")
    for each in found:
        typer.echo(f"{each.subject}  version {each.version}  id {each.id}")


def _print(schema: object | None, number: str) -> None:
    if schema is None:
        fail(DATA, f"there is no schema with the id {number}")
    typer.echo(json.dumps(schema, indent=2, ensure_ascii=False))


def _usable(file: Path) -> Any:
    """The schema in a file; ends the program where events cannot be read with it."""
    try:
        schema = json.loads(file.read_text("utf-8"))
        compile_reader(str(file), schema, reader_schema())
    except OSError as error:
        fail(DATA, f"{file}: {error.strerror}")
    except (ValueError, RecursionError):
        fail(DATA, f"{file}: not JSON")
    except UnsafeSchemaError as error:
        fail(DATA, error)
    return schema


@contextmanager
def _registry(settings: Settings) -> Iterator[RegistryClient]:
    """The registry of the settings; what it fails with ends the program."""
    if not settings.schemas.registry.urls:
        fail(CONFIG, NO_REGISTRY)
    try:
        client = RegistryClient(settings.schemas.registry)
    except RegistryError as error:
        fail(CONFIG, error)
    try:
        yield client
    except RegistryError as error:
        fail(_code(error), error)
    except (AttributeError, KeyError, TypeError, ValueError):
        fail(UNAVAILABLE, "the registry answers in another form than Confluent's: check schemas.registry.urls")
    finally:
        client.close()


def _code(error: RegistryError) -> int:
    if error.status in REFUSED:
        return CONFIG
    return DATA if error.status in (409, 422) else UNAVAILABLE
