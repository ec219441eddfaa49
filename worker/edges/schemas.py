"""The schema directory on disk: `index.json` and the schemas that it names, as a `SchemaBook`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from worker.rooms.decode import SchemaBook
from worker.rooms.framing import Fingerprint, GlueVersion, SchemaGuid, SchemaId, SchemaRef, TopicSchema
from worker.rooms.writer_schema import Reader, UnsafeSchemaError, compile_reader

if TYPE_CHECKING:
    from collections.abc import Mapping

READER = "payload_event.avsc"


class SchemaDirectoryError(Exception):
    """The schema directory cannot be used; the message names the file and the fault."""


def shipped() -> Path:
    """The schema directory that ships: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "schemas"
    return installed if installed.is_dir() else package.parent / "schemas"


def reader_schema() -> Any:
    """The schema that the worker reads all events into."""
    return _json(shipped() / READER)


@dataclass(frozen=True, slots=True)
class Entry:
    """A schema of the directory, as parsed JSON, and what `index.json` calls it."""

    subject: str
    version: int
    id: int
    schema: Any


def listed(directory: Path | None) -> list[Entry]:
    """All schemas of a directory (None: the one that ships), in order; raises `SchemaDirectoryError`."""
    place = directory or shipped()
    return [
        Entry(subject, int(each["version"]), int(each["id"]), _json(place / each["file"]))
        for subject, entries in _subjects(place).items()
        for each in sorted(entries, key=lambda each: int(each["version"]))
    ]


def load_schemas(directory: Path | None, bare: Mapping[str, str], *, asks: bool = False) -> SchemaBook:
    """Load every schema of a directory's `index.json`.

    Args:
        directory: the directory; None for the one that ships.
        bare: for each topic of bare bodies, its `subject` (the latest version) or `subject/version`.
        asks: there is a registry as well, whose ids are not those of the directory that ships.

    Raises:
        SchemaDirectoryError: a file is missing, is no JSON or no usable schema, or a topic names what is not there.
    """
    place = directory or shipped()
    readers: dict[SchemaRef, Reader] = {}
    versions: dict[str, Reader] = {}
    meanings: dict[str, Any] = {}
    for subject, entries in _subjects(place).items():
        for entry in sorted(entries, key=lambda entry: int(entry["version"])):
            schema = _json(place / entry["file"])
            reader = _compile(place / entry["file"], schema, f"{subject}/{entry['version']}")
            for ref in [*_names(entry, ids=directory is not None or not asks), Fingerprint(reader.fingerprint)]:
                known = readers.setdefault(ref, reader)
                if meanings.setdefault(known.name, _meaning(schema)) != _meaning(schema):
                    raise SchemaDirectoryError(f"{place}/index.json: {ref} is both {known.name} and {reader.name}")
            versions[subject] = versions[f"{subject}/{entry['version']}"] = reader
    for topic, name in bare.items():
        if name not in versions:
            raise SchemaDirectoryError(f"schemas.bare: topic {topic} names {name}, which {place}/index.json does not")
        readers[TopicSchema(topic)] = versions[name]
    return SchemaBook(readers, asks)


def _names(entry: Mapping[str, Any], *, ids: bool) -> list[SchemaRef]:
    """What framings may call the schema of an entry."""
    found: list[SchemaRef] = [SchemaId(int(entry["id"]))] if ids else []
    if "guid" in entry:
        found.append(SchemaGuid(UUID(entry["guid"])))
    if "uuid" in entry:
        found.append(GlueVersion(UUID(entry["uuid"])))
    return found


def _subjects(place: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        subjects = dict(_json(place / "index.json")["subjects"])
        for entries in subjects.values():
            for entry in entries:
                int(entry["version"]), str(entry["file"]), _names(entry, ids=True)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SchemaDirectoryError(
            f'{place}/index.json: expected {{"subjects": {{name: [{{"version", "id", "file"}}]}}}}, '
            f'"guid" and "uuid" as UUIDs where they are ({error!r})'
        ) from None
    return subjects


def _meaning(schema: Any) -> Any:
    """What of a schema decides how bytes are read: the canonical form leaves out logical types, which do."""
    if isinstance(schema, list):
        return [_meaning(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _meaning(value) for key, value in schema.items() if key not in ("doc", "default", "order")}


def _compile(path: Path, schema: Any, name: str) -> Reader:
    try:
        return compile_reader(name, schema, reader_schema())
    except UnsafeSchemaError as error:
        raise SchemaDirectoryError(f"{path}: {error}") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SchemaDirectoryError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise SchemaDirectoryError(f"{path}: not JSON ({error})") from None
