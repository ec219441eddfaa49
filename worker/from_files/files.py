"""A file that is read several times, line by line, each of bounded length; standard input is one once it is kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import weakref
from typing import IO, TYPE_CHECKING, Final

from worker.from_files.drafts import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STDIN: Final = "<stdin>"


class File:
    """An open file and its name; `longest`: the most bytes that a line may have. `read`: bytes read of it so far."""

    def __init__(self, stream: IO[bytes], name: str, longest: int) -> None:
        self._stream = stream
        weakref.finalize(self, stream.close)
        self.name = name
        self.longest = longest
        self.read = 0
        self._stamp = self._stat()
        self.size = self._stamp[0]

    def lines(self) -> Iterator[bytes | None]:
        """The lines from the beginning, with their ends; None for one that is too long. Raises `SourceError`."""
        self.read = 0
        try:
            self._stream.seek(0)
            while line := self._stream.readline(self.longest):
                self.read += len(line)
                whole = len(line) < self.longest or line.endswith(b"\n")
                if not whole:
                    self._skip()
                yield line if whole else None
        except OSError as error:
            raise SourceError(f"{self.name}: {error.strerror}") from None

    def _skip(self) -> None:
        """To the next line."""
        while (line := self._stream.readline(self.longest)) and not line.endswith(b"\n"):
            self.read += len(line)
        self.read += len(line)

    def digest(self) -> str:
        """SHA-256 of the whole."""
        try:
            self._stream.seek(0)
            return hashlib.file_digest(self._stream, "sha256").hexdigest()  # type: ignore[arg-type]  # it is a file
        except OSError as error:
            raise SourceError(f"{self.name}: {error.strerror}") from None

    def changed(self) -> bool:
        """Whether it was written to since it was opened."""
        return self._stat() != self._stamp

    def _stat(self) -> tuple[int, int]:
        found = os.fstat(self._stream.fileno())
        return found.st_size, found.st_mtime_ns


def opened(path: Path) -> IO[bytes]:
    """A file to be read; raises `SourceError`."""
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None


def kept(stream: IO[bytes]) -> IO[bytes]:
    """All of a stream that can be read only once, in a temporary file without a name; raises `SourceError`."""
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the source
        shutil.copyfileobj(stream, file)
        file.flush()
    except OSError as error:
        raise SourceError(f"{STDIN}: cannot be kept in {tempfile.gettempdir()}: {error.strerror}") from None
    return file
