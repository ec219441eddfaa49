"""The control plane's state: data marts, and in each its service bindings and subscriptions.

Held in memory and written through to the store, so that a sandbox on a file starts as it ended. Every look-up
of an id that is not there is the documented 404.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from worker.sandbox.errors import ApiError, Code
from worker.sandbox.store import DATA_MART, DocumentKey, TableKey

if TYPE_CHECKING:
    from worker.sandbox.store import Store

_MART, _BINDING, _SUBSCRIPTION = DATA_MART, "binding", "subscription"


@dataclass(slots=True)
class Binding:
    """A service binding: `body` as it was posted (contract §3)."""

    id: str
    created_at: str
    body: dict[str, Any]

    @property
    def service_type(self) -> str:
        """Which engine it is for."""
        return str(self.body["service_type"])


@dataclass(slots=True)
class Subscription:
    """A subscription (contract §4.2); `monitors` has `{"enabled", "parameters"}` for each configured one."""

    id: str
    binding_id: str
    created_at: str
    modified_at: str
    asset: dict[str, Any]
    asset_properties: dict[str, Any]
    deployments: list[dict[str, Any]]
    monitors: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def logging_enabled(self) -> bool:
        """Payloads are taken."""
        return bool(self.monitors.get("payload_logging", {}).get("enabled"))


@dataclass(slots=True)
class DataMart:
    """A data mart: `body` as it was put (contract §2), and what is in it by id."""

    id: str
    body: dict[str, Any]
    bindings: dict[str, Binding] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    def binding(self, binding_id: str) -> Binding:
        """The binding of this id, or `ApiError` 404."""
        if binding_id not in self.bindings:
            raise ApiError(404, Code.BINDING_UNKNOWN, f"The service binding {binding_id} does not exist.")
        return self.bindings[binding_id]

    def subscription(self, subscription_id: str, binding_id: str | None = None) -> Subscription:
        """The subscription of this id, of this binding where one is named, or `ApiError` 404."""
        found = self.subscriptions.get(subscription_id)
        if found is None or binding_id not in (None, found.binding_id):
            where = "" if binding_id is None else f" in the service binding {binding_id}"
            message = f"The subscription {subscription_id} does not exist{where}."
            raise ApiError(404, Code.SUBSCRIPTION_UNKNOWN, message)
        return found

    def table(self, subscription: Subscription) -> TableKey:
        """Where the payloads of a subscription are stored."""
        return TableKey(self.id, subscription.id)


class Catalogue:
    """All data marts of a sandbox. After a change in place, `save_…` writes it through."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.marts: dict[str, DataMart] = {}
        self._load()

    def mart(self, mart_id: str) -> DataMart:
        """The data mart of this id, or `ApiError` 404."""
        if mart_id not in self.marts:
            raise ApiError(404, Code.DATA_MART_UNKNOWN, f"The data mart {mart_id} does not exist.")
        return self.marts[mart_id]

    def save_mart(self, mart_id: str, body: dict[str, Any]) -> DataMart:
        """Make a data mart, or give the one of this id another body."""
        mart = self.marts.setdefault(mart_id, DataMart(mart_id, body))
        mart.body = body
        self._store.put(DocumentKey(_MART, mart_id, mart_id), orjson.dumps(body))
        return mart

    def save_binding(self, mart: DataMart, binding: Binding) -> None:
        """Write a binding, new or changed."""
        mart.bindings[binding.id] = binding
        self._store.put(DocumentKey(_BINDING, mart.id, binding.id), orjson.dumps(asdict(binding)))

    def save_subscription(self, mart: DataMart, subscription: Subscription) -> None:
        """Write a subscription, new or changed."""
        mart.subscriptions[subscription.id] = subscription
        key = DocumentKey(_SUBSCRIPTION, mart.id, subscription.id)
        self._store.put(key, orjson.dumps(asdict(subscription)))

    def remove_mart(self, mart: DataMart) -> None:
        """Remove a data mart with all that is in it, payloads too."""
        inside = [DocumentKey(_BINDING, mart.id, b) for b in mart.bindings]
        inside += [DocumentKey(_SUBSCRIPTION, mart.id, s) for s in mart.subscriptions]
        # a database that does not answer keeps the data mart
        self._store.drop(mart.id)
        self._store.remove([*inside, DocumentKey(_MART, mart.id, mart.id)])
        del self.marts[mart.id]

    def remove_binding(self, mart: DataMart, binding: Binding) -> None:
        """Remove a binding and its subscriptions; stored payloads stay."""
        lost = [s.id for s in mart.subscriptions.values() if s.binding_id == binding.id]
        keys = [DocumentKey(_SUBSCRIPTION, mart.id, s) for s in lost]
        self._store.remove([*keys, DocumentKey(_BINDING, mart.id, binding.id)])
        for subscription_id in lost:
            del mart.subscriptions[subscription_id]
        del mart.bindings[binding.id]

    def remove_subscription(self, mart: DataMart, subscription: Subscription) -> None:
        """Remove a subscription; its stored payloads stay."""
        self._store.remove([DocumentKey(_SUBSCRIPTION, mart.id, subscription.id)])
        del mart.subscriptions[subscription.id]

    def _load(self) -> None:
        """Read what the store has; a data mart was always put before what is in it."""
        for key, body in self._store.documents():
            document = orjson.loads(body)
            if key.kind == _MART:
                self.marts[key.data_mart_id] = DataMart(key.data_mart_id, document)
            elif key.kind == _BINDING:
                self.marts[key.data_mart_id].bindings[key.id] = Binding(**document)
            else:
                self.marts[key.data_mart_id].subscriptions[key.id] = Subscription(**document)
