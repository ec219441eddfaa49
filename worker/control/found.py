"""What the data mart has, read off its answers: pure. Ids, names and shapes are checked here, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from worker.control.errors import UNAVAILABLE, ControlError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Binding:
    """A service binding (contract §3); `raw` is the answer, with its secrets."""

    id: str
    name: str
    service_type: str
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Deployment:
    """A deployment that was discovered (contract §4.1), of a binding."""

    id: str
    name: str
    asset_id: str
    asset_name: str
    binding: Binding
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Subscription:
    """A subscription (contract §4.2) of a binding."""

    id: str
    asset_id: str
    asset_name: str
    binding: Binding
    raw: dict[str, Any]

    @property
    def name(self) -> str:
        """What people call it by: the asset's name."""
        return self.asset_name

    @property
    def properties(self) -> dict[str, Any]:
        """The asset's properties."""
        return self.raw["entity"].get("asset_properties") or {}

    @property
    def deployments(self) -> list[dict[str, Any]]:
        """Its deployments, as answered."""
        return self.raw["entity"].get("deployments") or []

    @property
    def logging(self) -> bool:
        """Payload logging is on, as the listing says."""
        return self.enabled("payload_logging")

    def enabled(self, monitor: str) -> bool:
        """A monitor is on, as the listing says."""
        configured = self.raw["entity"].get("configurations") or []
        return any(each.get("type") == monitor and each.get("enabled") for each in configured)


def read_binding(raw: dict[str, Any]) -> Binding:
    """A binding; raises `ControlError` where it has not the documented shape."""
    return _shaped("a binding", lambda: _binding(raw))


def read_deployment(raw: dict[str, Any], binding: Binding) -> Deployment:
    """A discovered deployment; raises `ControlError` where it has not the documented shape."""
    return _shaped(f"a deployment of the binding {binding.id}", lambda: _deployment(raw, binding))


def read_subscription(raw: dict[str, Any], binding: Binding) -> Subscription:
    """A subscription; raises `ControlError` where it has not the documented shape."""
    return _shaped(f"a subscription of the binding {binding.id}", lambda: _subscription(raw, binding))


Read = TypeVar("Read")


def _shaped(what: str, read: Callable[[], Read]) -> Read:
    try:
        return read()
    except (KeyError, TypeError, AttributeError) as error:
        place = f"no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise ControlError(
            f"the data mart describes {what} in another form than it should: {place}", UNAVAILABLE
        ) from None


def _binding(raw: dict[str, Any]) -> Binding:
    entity = _table(raw["entity"])
    return Binding(_text(raw["metadata"]["guid"]), _text(entity.get("name") or ""), _text(entity["service_type"]), raw)


def _deployment(raw: dict[str, Any], binding: Binding) -> Deployment:
    entity = _table(raw["entity"])
    asset = _table(entity["asset"])
    _text(entity["type"])
    _table(entity["scoring_endpoint"])
    properties = _table(entity.get("asset_properties") or {})
    for field in _table(properties.get("training_data_schema") or {}).get("fields") or ():
        _text(field["name"])
    guid = _text(raw["metadata"]["guid"])
    return Deployment(guid, _text(entity["name"]), _text(asset["asset_id"]), _text(asset["name"]), binding, raw)


def _subscription(raw: dict[str, Any], binding: Binding) -> Subscription:
    entity = _table(raw["entity"])
    asset = _table(entity["asset"])
    for each in entity.get("deployments") or ():
        _text(each["deployment_id"])
    for each in entity.get("configurations") or ():
        _table(each)
    _table(entity.get("asset_properties") or {})
    guid = _text(raw["metadata"]["guid"])
    return Subscription(guid, _text(asset["asset_id"]), _text(asset.get("name") or ""), binding, raw)


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise TypeError("an id or a name is no text")
    return found


def _table(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise TypeError("what should be an object is none")
    return found
