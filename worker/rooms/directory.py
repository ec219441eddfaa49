"""The cached registry of bindings and subscriptions, as one immutable snapshot, and the lookup in it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from worker.model import Disposition, Refusal, Target

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

V = TypeVar("V")

GENERIC_DEPLOYMENT = "generic_deployment"
"""The deployment id of a subscription that has no deployment (contract §5.1)."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A service binding: `engine` is its `service_type` (contract §3)."""

    id: str
    name: str
    engine: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of a subscription."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription, as far as events are concerned (contract §4.2, §8).

    `data_set_id` is where its records go under v2, None under v1; `remedy` what to do where logging is not enabled.
    """

    id: str
    binding_id: str
    asset_id: str
    asset_name: str
    deployments: tuple[Deployment, ...]
    features: tuple[str, ...]
    logging_enabled: bool
    data_set_id: str | None = None
    remedy: str = "enable it"


class Directory:
    """A snapshot of what the data mart knew; `begun` is when its fetch began, on the worker's clock.

    An asset is looked up by subscription id, then asset id, then asset name; the first of these that is known decides.
    """

    def __init__(self, bindings: Iterable[Binding], subscriptions: Iterable[Subscription], begun: float) -> None:
        self.begun = begun
        self._bindings = {binding.id: binding for binding in bindings}
        self._binding_ids = _grouped((each.name, each.id) for each in self._bindings.values() if each.name)
        self.known = known = [each for each in subscriptions if each.binding_id in self._bindings]
        self.subscriptions = len(known)
        self._tiers = (
            _grouped((each.id, each) for each in known),
            _grouped((each.asset_id, each) for each in known),
            _grouped((each.asset_name, each) for each in known if each.asset_name),
        )
        self._found: dict[tuple[str | None, str, str | None], Target] = {}

    @property
    def bindings(self) -> Collection[Binding]:
        """The bindings it knows."""
        return self._bindings.values()

    def resolve(self, binding: str | None, asset: str, deployment: str | None) -> Target | Refusal:
        """The target of an event that names these; a refusal that says what is unknown, or ambiguous."""
        key = (binding, asset, deployment)
        target = self._found.get(key)
        if target is not None:
            return target
        found = self._search(binding, asset, deployment)
        if isinstance(found, Target):
            self._found[key] = found
        return found

    def _search(self, binding: str | None, asset: str, deployment: str | None) -> Target | Refusal:
        if not any(asset in tier for tier in self._tiers):
            return _unknown(
                "unknown-asset", "asset: no subscription, asset id or asset name of the data mart is so called"
            )
        if binding is not None:
            ids: Collection[str] = [binding] if binding in self._bindings else self._binding_ids.get(binding, ())
            if not ids:
                return _unknown("unknown-binding", "binding: no binding of the data mart has this id or name")
        else:
            ids = self._bindings.keys()
        candidates = self._candidates(ids, asset)
        if not candidates:
            return _unknown("unknown-asset", "asset: it has a subscription, but not in the binding that is named")
        return self._choose(candidates, deployment)

    def _candidates(self, bindings: Collection[str], asset: str) -> list[Subscription]:
        """The subscriptions of an asset in these bindings, by the first way of naming it that finds one."""
        tiers = ([each for each in tier.get(asset, ()) if each.binding_id in bindings] for tier in self._tiers)
        return next((tier for tier in tiers if tier), [])

    def _choose(self, candidates: Sequence[Subscription], deployment: str | None) -> Target | Refusal:
        matches = [(each, found) for each in candidates if (found := _deployment(each, deployment)) is not None]
        if not matches:
            return _unknown("unknown-deployment", "deployment: the subscription has none of this id or name")
        if len(matches) > 1:
            places = ", ".join(sorted(f"{each.id} (binding {each.binding_id})" for each, _ in matches))
            return _unknown("ambiguous-asset", f"asset: several subscriptions match, name one or its binding: {places}")
        subscription, deployment_id = matches[0]
        if not subscription.logging_enabled:
            detail = f"payload logging is off for subscription {subscription.id}: {subscription.remedy}, then redrive"
            return Refusal(Disposition.LOGGING_DISABLED, "logging-disabled", detail)
        return Target(
            subscription.binding_id,
            subscription.id,
            deployment_id,
            self._bindings[subscription.binding_id].engine,
            subscription.features,
            subscription.data_set_id,
        )


def _deployment(subscription: Subscription, wanted: str | None) -> str | None:
    """The id of the wanted deployment, or of the first if none is wanted; None if there is no such deployment."""
    deployments = subscription.deployments
    if wanted is None:
        return deployments[0].id if deployments else GENERIC_DEPLOYMENT
    if any(each.id == wanted for each in deployments):
        return wanted
    return next((each.id for each in deployments if wanted and each.name == wanted), None)


def _unknown(code: str, detail: str) -> Refusal:
    return Refusal(Disposition.UNKNOWN_ASSET, code, detail)


def _grouped(pairs: Iterable[tuple[str, V]]) -> Mapping[str, list[V]]:
    groups: defaultdict[str, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return dict(groups)
