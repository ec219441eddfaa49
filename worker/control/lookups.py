"""What a command names, found in the data mart by its id or its name; `ControlError` where it is not clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.control.chosen import deployment_of, the_one
from worker.control.errors import ControlError

if TYPE_CHECKING:
    from worker.control.found import Binding, Subscription
    from worker.control.plane import Plane


def binding_of(plane: Plane, wanted: str | None, asset: str) -> Binding:
    """The binding of this id or name; where none is named, the only one whose engine has deployed the asset."""
    bindings = plane.bindings()
    if wanted is not None:
        return the_one(wanted, bindings, "binding", "name it by its id")
    if not bindings:
        raise ControlError("the data mart has no bindings; payload-worker mart bindings add")
    found = [each for binding in bindings for each in plane.deployments(binding)]
    having = {each.binding.id: each.binding for each in found if asset in (each.asset_id, each.asset_name)}
    if len(having) > 1:
        names = ", ".join(f"{each.id} ({each.name})" for each in having.values())
        raise ControlError(f"the asset {asset} is deployed in {len(having)} bindings: {names}; name one by --binding")
    return next(iter(having.values())) if having else deployment_of(found, asset, None).binding


def subscription_of(plane: Plane, wanted: str, binding: str | None) -> Subscription:
    """The subscription of this id, or of the asset of this id or name; raises `ControlError`."""
    return the_one(
        wanted, subscriptions(plane, binding), "subscription", "name it by its id, or its binding by --binding"
    )


def subscriptions(plane: Plane, binding: str | None) -> list[Subscription]:
    """All of a binding (its id or name), or of all bindings."""
    return [found for each in in_bindings(plane, binding) for found in plane.subscriptions(each)]


def in_bindings(plane: Plane, wanted: str | None) -> list[Binding]:
    """The binding of this id or name, or all bindings."""
    bindings = plane.bindings()
    return bindings if wanted is None else [the_one(wanted, bindings, "binding", "name it by its id")]
