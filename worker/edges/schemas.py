"""The schema directory on disk: `index.json` and the schemas that it names, as a `SchemaBook`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.rooms.decode import SchemaBook
from worker.rooms.framing import Fingerprint, SchemaId, SchemaRef, TopicSchema
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


def load_schemas(directory: Path | None, bare: Mapping[str, str]) -> SchemaBook:
    """Load every schema of a directory's `index.json`.

    Args:
        directory: the directory; None for the one that ships.
        bare: for each topic of bare bodies, its `subject` (the latest version) or `subject/version`.

    Raises:
        SchemaDirectoryError: a file is missing, is no JSON or no usable schema, or a topic names what is not there.
    """
    place = directory or shipped()
    readers: dict[SchemaRef, Reader] = {}
    versions: dict[str, Reader] = {}
    for subject, entries in _subjects(place).items():
        for entry in sorted(entries, key=lambda entry: int(entry["version"])):
            reader = _compile(place / entry["file"], f"{subject}/{entry['version']}")
            readers[SchemaId(int(entry["id"]))] = reader
            readers[Fingerprint(reader.fingerprint)] = reader
            versions[subject] = versions[f"{subject}/{entry['version']}"] = reader
    for topic, name in bare.items():
        if name not in versions:
            raise SchemaDirectoryError(f"schemas.bare: topic {topic} names {name}, which {place}/index.json does not")
        readers[TopicSchema(topic)] = versions[name]
    return SchemaBook(readers)


def _subjects(place: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        subjects = dict(_json(place / "index.json")["subjects"])
        for entries in subjects.values():
            for entry in entries:
                int(entry["id"]), int(entry["version"]), str(entry["file"])
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaDirectoryError(
            f'{place}/index.json: expected {{"subjects": {{name: [{{"version", "id", "file"}}]}}}} ({error!r})'
        ) from None
    return subjects


def _compile(path: Path, name: str) -> Reader:
    try:
        return compile_reader(name, _json(path), reader_schema())
    except UnsafeSchemaError as error:
        raise SchemaDirectoryError(f"{path}: {error}") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SchemaDirectoryError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise SchemaDirectoryError(f"{path}: not JSON ({error})") from None
