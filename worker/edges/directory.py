"""Keeps the directory fresh: fetched in the background, one fetch at a time, stale while the data mart is down."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import structlog

from worker.edges.snapshot import SnapshotError
from worker.mart.client import MartClient, MartError
from worker.mart.token import TokenError
from worker.rooms.directory import Binding, Deployment, Directory, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.edges.snapshot import Snapshot

log = structlog.get_logger()

WANTED_INTERVAL = 5.0
"""Seconds between two fetches that events of unknown assets may cause."""


def fetch_directory(client: MartClient, begun: float) -> Directory:
    """Fetch bindings and subscriptions; raises `MartError` or `TokenError`."""
    try:
        bindings = [_binding(each) for each in client.bindings()]
    except (KeyError, TypeError, AttributeError) as error:
        raise MartError(f"a binding has not the documented shape ({error!r})") from None
    subscriptions = [found for each in bindings for found in _subscriptions(client, each.id)]
    return Directory(bindings, subscriptions, begun)


def _subscriptions(client: MartClient, binding_id: str) -> Iterator[Subscription]:
    """Leaves out a subscription that has not the documented shape: it must not hide all others."""
    for each in client.subscriptions(binding_id):
        try:
            yield _subscription(each, binding_id)
        except (KeyError, TypeError, AttributeError) as error:
            log.warning("directory.odd_subscription", binding=binding_id, error=repr(error))


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise TypeError("an id or a name is no text")
    return found


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
        self.error: str | None = None
        """Why the last fetch failed; None if it did not."""
        self.fetches = 0
        """Fetches begun so far."""

    def poll(self, *, wanted: bool) -> Directory | None:
        """Begin a fetch if one is due (`wanted`: sooner), and return the snapshot that has come in, if any."""
        interval = min(WANTED_INTERVAL, self._interval) if wanted or self.error else self._interval
        if not self._fetching and self._clock() - self._begun >= interval:
            self._begin()
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


def _binding(found: dict[str, Any]) -> Binding:
    entity = found["entity"]
    return Binding(_text(found["metadata"]["guid"]), _text(entity.get("name") or ""), _text(entity["service_type"]))


def _subscription(found: dict[str, Any], binding_id: str) -> Subscription:
    entity = found["entity"]
    asset = entity["asset"]
    return Subscription(
        _text(found["metadata"]["guid"]),
        binding_id,
        _text(asset["asset_id"]),
        _text(asset.get("name") or ""),
        tuple(
            Deployment(_text(each["deployment_id"]), _text(each.get("name") or ""))
            for each in entity.get("deployments") or ()
        ),
        _features(entity.get("asset_properties") or {}),
        _logging_enabled(entity.get("configurations")),
    )


def _features(properties: dict[str, Any]) -> tuple[str, ...]:
    """The feature columns: as told to the subscription, else all of its input schema."""
    if properties.get("feature_fields"):
        return tuple(map(_text, properties["feature_fields"]))
    schema = properties.get("input_data_schema") or {}
    return tuple(_text(column["name"]) for column in schema.get("fields") or ())


def _logging_enabled(configurations: list[dict[str, Any]] | None) -> bool:
    """Off only where the data mart says so: a subscription without the entry is posted, and the mart decides."""
    for each in configurations or ():
        if each.get("type") == "payload_logging":
            return bool(each.get("enabled"))
    return True
