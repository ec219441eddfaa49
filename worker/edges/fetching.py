"""The directory as the data mart tells it: bindings and subscriptions (contract §3, §4), or what v2 calls so (§8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from worker.mart.client import MartClient, MartError
from worker.rooms.directory import Binding, Deployment, Directory, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Answered = Mapping[str, Any]

T = TypeVar("T")
log = structlog.get_logger()

_ODD = (KeyError, TypeError, AttributeError)
_STATE = re.compile(r"[\w-]{1,40}", re.ASCII)
_ALIASES = {"azure_machine_learning_studio": "azure_machine_learning"}
"""What v2 may call an engine, and v1 calls otherwise."""


def fetch_directory(client: MartClient, begun: float) -> Directory:
    """Fetch bindings and subscriptions; raises `MartError` or `TokenError`."""
    return _fetch_v2(client, begun) if client.api == "v2" else _fetch_v1(client, begun)


def _fetch_v1(client: MartClient, begun: float) -> Directory:
    bindings = _bindings(client.bindings(), "guid")
    told = [(each.id, client.subscriptions(each.id)) for each in bindings]
    subscriptions = [found for of, those in told for found in _readable(those, of, _v1(of))]
    return Directory(bindings, subscriptions, begun)


def _v1(binding_id: str) -> Callable[[Answered], Subscription]:
    def read(found: Answered) -> Subscription:
        entity = found["entity"]
        deployments = entity.get("deployments") or ()
        return Subscription(
            _text(found["metadata"]["guid"]),
            binding_id,
            *_asset(entity["asset"]),
            tuple(map(_deployment, deployments)),
            _features(entity.get("asset_properties") or {}),
            _logging_enabled(entity.get("configurations")),
        )

    return read


def _fetch_v2(client: MartClient, begun: float) -> Directory:
    """Three lists; the data sets come last, so that a subscription that is listed has its own if it is ever to."""
    bindings = _bindings(client.listing(client.at("service_providers"), "service_providers"), "id")
    told = client.listing(client.at("subscriptions"), "subscriptions")
    query = {"type": "payload_logging"}
    known = _readable(client.listing(client.at("data_sets"), "data_sets", query), "", _data_set)
    data_sets = dict(sorted(known, key=lambda each: each[1][1] == "active"))  # of two, the active one
    return Directory(bindings, _readable(told, "", lambda found: _v2(found, data_sets)), begun)


def _v2(found: Answered, data_sets: Mapping[str, tuple[str, str]]) -> Subscription:
    entity, own = found["entity"], _text(found["metadata"]["id"])
    deployment = entity.get("deployment")
    data_set, state = data_sets.get(own, ("", ""))
    return Subscription(
        own,
        _text(entity["service_provider_id"]),
        *_asset(entity["asset"]),
        (_deployment(deployment),) if deployment else (),
        _features(entity.get("asset_properties") or {}),
        state == "active",
        data_set or None,
        _remedy(state),
    )


def _data_set(found: Answered) -> tuple[str, tuple[str, str]]:
    """Of a data set, the subscription that it is of, its own id, and its state."""
    entity = found["entity"]
    state = _text((entity.get("status") or {}).get("state") or "unknown")
    told = state if _STATE.fullmatch(state) else "unknown"
    return _text(entity["target"]["target_id"]), (_text(found["metadata"]["id"]), told)


def _remedy(state: str) -> str:
    if not state:
        return "it has no payload data set, make it one"
    return f"its payload data set is {state}, have it active"


# --- parts that both tell alike ---------------------------------------------------------------------------------------


def _bindings(told: Iterable[Answered], key: str) -> list[Binding]:
    """The bindings; `key` is what their ids are under."""
    try:
        return [_binding(each, key) for each in told]
    except _ODD as error:
        raise MartError(f"a binding has not the documented shape ({error!r})") from None


def _binding(found: Answered, key: str) -> Binding:
    entity = found["entity"]
    engine = _text(entity["service_type"])
    return Binding(_text(found["metadata"][key]), _text(entity.get("name") or ""), _ALIASES.get(engine, engine))


def _readable(told: Iterable[Answered], binding: str, read: Callable[[Answered], T]) -> Iterator[T]:
    """Leaves out what has not the documented shape: it must not hide the others. `binding`: which they are of."""
    for each in told:
        try:
            yield read(each)
        except _ODD as error:
            log.warning("directory.odd_subscription", binding=binding, error=repr(error))


def _asset(asset: Answered) -> tuple[str, str]:
    return _text(asset["asset_id"]), _text(asset.get("name") or "")


def _deployment(found: Answered) -> Deployment:
    return Deployment(_text(found["deployment_id"]), _text(found.get("name") or ""))


def _features(properties: Answered) -> tuple[str, ...]:
    """The feature columns: as told to the subscription, else all of its input schema."""
    if properties.get("feature_fields"):
        return tuple(map(_text, properties["feature_fields"]))
    schema = properties.get("input_data_schema") or {}
    return tuple(_text(column["name"]) for column in schema.get("fields") or ())


def _logging_enabled(configurations: list[Answered] | None) -> bool:
    """Off only where the data mart says so: a subscription without the entry is posted, and the mart decides."""
    for each in configurations or ():
        if each.get("type") == "payload_logging":
            return bool(each.get("enabled"))
    return True


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise TypeError("an id or a name is no text")
    return found
