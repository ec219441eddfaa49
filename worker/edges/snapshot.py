"""The directory on disk: what the last fetch brought, for a worker that starts while the data mart is down."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from worker.rooms.directory import Binding, Deployment, Directory, Subscription

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
"""Of the file's form; another one is not read."""


class SnapshotError(Exception):
    """The file cannot be written or read; the message names it, and what to do."""


class Snapshot:
    """A file with the directory of one data mart: ids and names, no credentials.

    `mart` tells marts apart: a snapshot of another one is not read.
    """

    def __init__(self, path: Path, mart: str) -> None:
        self._path = path
        self._mart = mart
        self._written: bytes | None = None

    def save(self, directory: Directory) -> None:
        """Write it, at once or not at all; what was written last is not written again. Raises `SnapshotError`."""
        text = orjson.dumps(
            {
                "version": VERSION,
                "mart": self._mart,
                "bindings": [asdict(each) for each in directory.bindings],
                "subscriptions": [asdict(each) for each in directory.known],
            }
        )
        if text == self._written:
            return
        try:
            _replace(self._path, text)
        except OSError as error:
            raise SnapshotError(f"{self._path}: {error.strerror}; check mart.snapshot") from None
        self._written = text

    def load(self, begun: float) -> Directory | None:
        """What was written last, as a directory whose fetch began at `begun`; None where nothing was.

        Raises:
            SnapshotError: the file is there and cannot be used: of another data mart, cut, or no snapshot at all.
        """
        try:
            found = orjson.loads(self._path.read_bytes())
            return self._directory(found, begun)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SnapshotError(f"{self._path}: {error.strerror}; check mart.snapshot") from None
        except (ValueError, KeyError, TypeError):
            raise SnapshotError(f"{self._path}: not a snapshot of a directory; remove it") from None

    def _directory(self, found: dict[str, Any], begun: float) -> Directory:
        if found["version"] != VERSION:
            raise SnapshotError(f"{self._path}: written by another release; it is not used")
        if found["mart"] != self._mart:
            raise SnapshotError(f"{self._path}: of another data mart; check mart.snapshot")
        bindings = [Binding(**each) for each in found["bindings"]]
        return Directory(bindings, [_subscription(each) for each in found["subscriptions"]], begun)


def _subscription(found: dict[str, Any]) -> Subscription:
    deployments = tuple(Deployment(**each) for each in found["deployments"])
    return Subscription(**{**found, "deployments": deployments, "features": tuple(found["features"])})


def _replace(path: Path, text: bytes) -> None:
    """Write beside, then rename: a worker that is killed meanwhile leaves the old file whole."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105 - beside the rest, of one kind
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise
