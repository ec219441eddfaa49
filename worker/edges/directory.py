"""Keeps the directory fresh: fetched in the background, one fetch at a time, stale while the data mart is down."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import structlog

from worker.edges.fetching import fetch_directory
from worker.edges.snapshot import SnapshotError
from worker.mart.client import MartError
from worker.mart.token import TokenError
from worker.rooms.directory import Directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.edges.snapshot import Snapshot
    from worker.mart.client import MartClient

log = structlog.get_logger()

WANTED_INTERVAL = 5.0
"""Seconds between two fetches that events of unknown assets may cause."""


class DirectoryKeeper:
    """Decides when to fetch, fetches on a thread of its own, and hands each new directory out once.

    With a `snapshot`, each is kept on disk too, and that one is handed out where the first fetch fails. It counts as
    fetched long ago: what it does not know waits for a newer one.
    """

    def __init__(
        self, client: MartClient, interval: float, clock: Callable[[], float], snapshot: Snapshot | None = None
    ) -> None:
        self._client = client
        self._snapshot = snapshot
        self._interval = interval
        self._clock = clock
        self._fetched: SimpleQueue[Directory | str] = SimpleQueue()
        self._fetching = False
        self._begun = float("-inf")
        self._had_one = False
        self._data_sets: dict[str, str] = {}
        self.error: str | None = None
        """Why the last fetch failed; None if it did not."""
        self.fetches = 0
        """Fetches begun so far."""

    def poll(self, *, wanted: bool) -> Directory | None:
        """Begin a fetch if one is due (`wanted`: sooner), and return the snapshot that has come in, if any."""
        interval = min(WANTED_INTERVAL, self._interval) if wanted or self.error else self._interval
        if not self._fetching and self._clock() - self._begun >= interval:
            self._begin()
        found = self._next()
        if found is not None:
            self._data_sets.update({each.id: each.data_set_id for each in found.known if each.data_set_id is not None})
        return found

    def data_set(self, subscription_id: str) -> str:
        """The data set of a subscription, as the latest directory that named one has it; any thread may ask.

        Raises `KeyError` where none has, so that no event can have found its way there.
        """
        return self._data_sets[subscription_id]

    def _next(self) -> Directory | None:
        try:
            fetched = self._fetched.get_nowait()
        except Empty:
            return None
        self._fetching = False
        self.error = fetched if isinstance(fetched, str) else None
        if isinstance(fetched, Directory):
            self._had_one = True
            return fetched
        return self._kept()

    def _kept(self) -> Directory | None:
        """The one on disk, once, where none has been fetched yet."""
        if self._had_one or self._snapshot is None:
            return None
        self._had_one = True
        try:
            found = self._snapshot.load(float("-inf"))
        except SnapshotError as error:
            log.warning("directory.snapshot_unusable", error=str(error))
            return None
        if found is not None:
            log.warning("directory.from_snapshot", subscriptions=found.subscriptions, error=self.error)
        return found

    def _begin(self) -> None:
        self._begun = self._clock()
        self._fetching = True
        self.fetches += 1
        threading.Thread(target=self._fetch, args=(self._begun,), name="directory", daemon=True).start()

    def _fetch(self, begun: float) -> None:
        try:
            found = fetch_directory(self._client, begun)
            self._fetched.put(found)
            self._save(found)
        except (MartError, TokenError) as error:
            self._fetched.put(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was, the next fetch must not wait for this one
            self._fetched.put(f"directory: {type(error).__name__}")

    def _save(self, found: Directory) -> None:
        if self._snapshot is not None:
            try:
                self._snapshot.save(found)
            except SnapshotError as error:
                log.warning("directory.snapshot_unusable", error=str(error))


__all__ = ["WANTED_INTERVAL", "DirectoryKeeper", "fetch_directory"]
