"""Letters on disk, readable by their owner alone; nothing that is there is overwritten, and nothing half is left."""

from __future__ import annotations

import base64
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from worker.dlq.letters import Letter


class ExportError(Exception):
    """Nothing was written; the message names the place, and what is wrong."""


def as_lines(path: Path, letters: Iterable[Letter]) -> int:
    """One JSON object a line, bytes as base64; how many there are. Raises `ExportError`."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}; nothing was written") from None
    with _whole_or_gone(path, path.unlink), os.fdopen(handle, "w", encoding="utf-8") as file:
        count = 0
        for letter in letters:
            file.write(json.dumps(_told(letter) | {"value": _text(letter.value)}) + "\n")
            count += 1
    return count


def as_files(path: Path, letters: Iterable[Letter]) -> int:
    """In a new directory, of each letter the value as it is and a JSON file of the rest. Raises `ExportError`."""
    try:
        path.mkdir(0o700)
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}; nothing was written") from None
    with _whole_or_gone(path, lambda: shutil.rmtree(path)):
        count = 0
        for letter in letters:
            name = f"{letter.topic}-{letter.partition}-{letter.offset}"
            (path / f"{name}.json").write_text(json.dumps(_told(letter)) + "\n", "utf-8")
            if letter.value is not None:
                (path / f"{name}.value").write_bytes(letter.value)
            count += 1
    return count


@contextmanager
def _whole_or_gone(path: Path, remove: Callable[[], object]) -> Iterator[None]:
    """Whatever ends the writing, an interruption too: half of an export would look like all of it."""
    whole = False
    try:
        yield
        whole = True
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}; nothing was kept") from None
    finally:
        if not whole:
            remove()


def _told(letter: Letter) -> dict[str, Any]:
    return {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": letter.timestamp_ms,
        "key": _text(letter.key),
        "headers": None if letter.nameless else [[name, _text(value)] for name, value in letter.headers],
    }


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
