"""Events from a directory of bodies as a service kept them: `NAME.request.json` beside `NAME.response.json`."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.from_files.drafts import Draft, SourceError
from worker.model import Body
from worker.producer.errors import InvalidEventError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TYPES: Final = {"json": "application/json", "jsonl": "application/jsonlines", "csv": "text/csv"}
"""Content types by the ends of names."""

_NAME: Final = re.compile(r"(?s)(.+)\.(request|response)\.(" + "|".join(TYPES) + ")")


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    content_type: str
    size: int
    changed_ns: int


class Pairs:
    """A directory of them, in the order of their names. `others`: how many files in it are no part of a pair."""

    unit = "pair"
    events = "pairs"

    def __init__(self, directory: Path, longest: int, *, names_are_ids: bool = False) -> None:
        """Raises `SourceError` where it cannot be listed. `names_are_ids`: a pair's name is its scoring id."""
        self.name = str(directory)
        self._directory = directory
        self._longest = longest
        self._names_are_ids = names_are_ids
        self._found, self.others = self._listed()
        self.size = sum(file.size for files in self._found.values() for file in files)

    def drafts(self) -> Iterator[Draft]:
        """A draft for each name."""
        read = 0
        for number, (name, files) in enumerate(self._found.items(), 1):
            read += sum(file.size for file in files)
            yield Draft(number, f"{self._directory / name}", read, self._of(name, files))

    def digest(self) -> str:
        """SHA-256 of names and contents."""
        found = hashlib.sha256()
        for files in self._found.values():
            for file in files:
                content = hashlib.sha256()
                try:
                    with (self._directory / file.name).open("rb") as stream:
                        content = hashlib.file_digest(stream, "sha256")
                except OSError:
                    pass  # it is told where its pair is read
                found.update(f"{file.name}\0{content.hexdigest()}\0".encode(errors="surrogateescape"))
        return found.hexdigest()

    def changed(self) -> bool:
        """Whether files have come, gone, or been written to."""
        return self._listed() != (self._found, self.others)

    def _of(self, name: str, files: list[_File]) -> Mapping[str, Any] | InvalidEventError:
        sides: dict[str, Any]
        try:
            sides = {side: self._side(side, name, files) for side in ("request", "response")}
        except InvalidEventError as error:
            return error
        return sides | ({"scoring_id": name} if self._names_are_ids else {})

    def _side(self, side: str, name: str, files: list[_File]) -> Body:
        there = [file for file in files if file.name.startswith(f"{name}.{side}.")]
        if len(there) != 1:
            what = "there is none" if not there else f"there are {len(there)}"
            raise InvalidEventError("shape", f"of its {side} {what}: one of NAME.{side}.json, .jsonl or .csv")
        return self._body(side, there[0])

    def _body(self, side: str, file: _File) -> Body:
        if file.size > self._longest:
            raise InvalidEventError("event-too-large", f"{side}: the file has {file.size} bytes, of {self._longest}")
        try:
            return Body(file.content_type, (self._directory / file.name).read_bytes())
        except OSError as error:
            raise InvalidEventError("shape", f"{side}: {file.name} cannot be read: {error.strerror}") from None

    def _listed(self) -> tuple[dict[str, list[_File]], int]:
        found: defaultdict[str, list[_File]] = defaultdict(list)
        others = 0
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    named = _NAME.fullmatch(entry.name)
                    if named is None or not entry.is_file():
                        others += 1
                        continue
                    told = entry.stat()
                    found[named[1]].append(_File(entry.name, TYPES[named[3]], told.st_size, told.st_mtime_ns))
        except OSError as error:
            raise SourceError(f"{self._directory}: {error.strerror}") from None
        return {name: sorted(found[name], key=lambda file: file.name) for name in sorted(found)}, others
