"""What is to be done so that the data mart has what is wanted: found out by reading, told before it is done.

A second time there is nothing left to do. What cannot be brought about is a `ControlError` before anything is written.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from worker.control import bodies
from worker.control.chosen import deployment_of
from worker.control.engines import engine_of
from worker.control.errors import UNAVAILABLE, ControlError
from worker.control.plane import LOGGING, PERFORMANCE
from worker.mart.client import MartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from worker.control.bodies import Columns
    from worker.control.credentials import Given
    from worker.control.engines import Engine
    from worker.control.found import Binding, Deployment, Subscription
    from worker.control.plane import Plane

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0
# asked for of an Azure or SageMaker asset, and by which flag it is said
_KINDS: Final = {
    "input_data_type": "--input-data-type",
    "problem_type": "--problem-type",
    "label_column": "--label",
    "prediction_field": "--prediction",
}


class Deed(StrEnum):
    """What is done."""

    ADD = "add"
    CHANGE = "change"
    ENABLE = "enable"
    DISABLE = "disable"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, repr=False)
class WantedBinding:
    """A binding as somebody wants it, found again by its name."""

    name: str
    engine: Engine
    given: Given
    id: str | None = None


@dataclass(frozen=True, slots=True)
class WantedSubscription:
    """A subscription as somebody wants it: an asset's id or name, a deployment's where it has several."""

    asset: str
    columns: Columns
    deployment: str | None = None
    logging: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """One thing that is done, or is as it should be (`KEEP`); `act` returns the id of what it made or changed."""

    deed: Deed
    what: str
    detail: str
    act: Callable[[], str]


def binding_step(plane: Plane, wanted: WantedBinding, existing: Sequence[Binding]) -> tuple[Step, Binding | None]:
    """Add a binding of this name unless it is there; raises `ControlError` if it is there otherwise."""
    what = f"binding {wanted.name}"
    named = [each for each in existing if each.name == wanted.name and wanted.id in (None, each.id)]
    if not named:
        body = bodies.binding(wanted.engine, wanted.name, wanted.given, wanted.id)
        return Step(Deed.ADD, what, wanted.engine.name.value, lambda: _added(plane, body)), None
    if len(named) > 1:
        raise ControlError(f"{what}: {len(named)} have this name: {', '.join(each.id for each in named)}; give its id")
    found = named[0]
    if differs := differing(wanted.engine, wanted.given, found):
        raise ControlError(
            f"{what} ({found.id}): its {', '.join(differs)} differ, and a binding cannot be changed; "
            "delete it, with its subscriptions, or give this one another name"
        )
    return Step(Deed.KEEP, what, found.id, lambda: found.id), found


def add_or_keep(plane: Plane, engine: Engine, given: Given, body: dict[str, Any]) -> bool:
    """Add a binding: True; False where the same one is there already. Raises `ControlError` if its id is another's."""
    if plane.add_binding(body) is not None:
        return True
    found = plane.binding(body["instance_id"])
    if found is None:
        raise ControlError(f"the id {body['instance_id']} is taken, though no binding of this data mart has it")
    if differs := differing(engine, given, found):
        raise ControlError(
            f"the binding {found.id} ({found.name}) is there already with other {', '.join(differs)}, "
            "and a binding cannot be changed: delete it first, or give this one another id by --id"
        )
    return False


def _added(plane: Plane, body: dict[str, Any]) -> str:
    made = plane.add_binding(body)
    if made is None:
        raise ControlError(f"the id {body['instance_id']} is another binding's already; give another one")
    return made


def differing(engine: Engine, given: Given, found: Binding) -> list[str]:
    """What is otherwise, by key; credentials that the data mart keeps to itself are taken to be the same."""
    there = found.raw["entity"].get("credentials")
    shown = there if isinstance(there, dict) else {}
    known = {each.key for each in engine.credentials}
    differs = [key for key, value in given.values.items() if key in shown and shown[key] != value]
    differs += [key for key in shown if key not in given.values and key in known]
    return (["engine"] if found.service_type != engine.service_type else []) + differs


def subscription_steps(
    plane: Plane, wanted: WantedSubscription, binding: Binding, there: Sequence[Subscription]
) -> Iterator[Step]:
    """Subscribe an asset of a binding and set its payload logging, or bring what is there up to what is wanted."""
    found = _subscribed(wanted, there)
    if found is None:
        deployment = deployment_of(plane.deployments(binding), wanted.asset, wanted.deployment)
        body = new_subscription(deployment, wanted.columns)
        made: list[Subscription] = []
        yield _add_step(plane, deployment, body, made)
        yield from _monitor_steps(plane, wanted, made, told(wanted.asset, binding))
        return
    what = told(found.asset_id, binding)
    if changes := bodies.differing(wanted.columns, found.properties):
        patch = bodies.patch(binding.service_type, changes)
        yield Step(Deed.CHANGE, what, ", ".join(changes), lambda: _changed(plane, found, patch))
    else:
        yield Step(Deed.KEEP, what, found.id, lambda: found.id)
    yield from _monitor_steps(plane, wanted, [found], what)


def told(asset: str, binding: Binding) -> str:
    """How a subscription is called in what is told."""
    return f"subscription {asset} of {binding.name or binding.id}"


def _subscribed(wanted: WantedSubscription, there: Sequence[Subscription]) -> Subscription | None:
    """The subscription of the asset that is there; of several, that of the deployment. Raises `ControlError`."""
    found = [each for each in there if each.asset_id == wanted.asset]
    found = found or [each for each in there if each.asset_name == wanted.asset]
    if wanted.deployment is not None:
        found = [each for each in found if wanted.deployment in _deployments(each)]
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise ControlError(
            f"the asset {wanted.asset} is subscribed {len(found)} times: {ids}; name its deployment, or delete one"
        )
    return found[0] if found else None


def _deployments(found: Subscription) -> set[str]:
    return {name for each in found.deployments for name in (each["deployment_id"], str(each.get("name") or ""))}


def new_subscription(deployment: Deployment, columns: Columns) -> dict[str, Any]:
    """The body for a deployment; raises `ControlError` where its engine needs more to be said (contract §4.2)."""
    service_type = deployment.binding.service_type
    body = bodies.subscription(service_type, deployment.raw, columns)
    engine = engine_of(service_type)
    needed = list(_KINDS) if engine and engine.columns_required else ["prediction_field"]
    if missing := [key for key in needed if not body["asset_properties"].get(key)]:
        flags = ", ".join(_KINDS[key] for key in missing)
        raise ControlError(
            f"the asset {deployment.asset_id}: {', '.join(missing)} must be said, "
            f"since its engine does not tell: {flags}, or by name in the file"
        )
    return body


def _add_step(plane: Plane, deployment: Deployment, body: dict[str, Any], made: list[Subscription]) -> Step:
    def act() -> str:
        found = plane.add_subscription(deployment.binding, body)
        if found is None:
            raise ControlError(
                f"the data mart says that {told(deployment.asset_id, deployment.binding)} is there already"
            )
        made.append(found)
        return found.id

    return Step(Deed.ADD, told(deployment.asset_id, deployment.binding), f"deployment {deployment.id}", act)


def _changed(plane: Plane, found: Subscription, patch: list[dict[str, Any]]) -> str:
    plane.change_subscription(found, patch)
    return found.id


def _monitor_steps(plane: Plane, wanted: WantedSubscription, of: Sequence[Subscription], what: str) -> Iterator[Step]:
    """Payload logging as wanted, and performance monitoring beside it, as clients enable both (contract §4.2).

    `of` has the subscription, or will have it when the steps before these are done.
    """

    def configured(monitor: str, body: dict[str, Any]) -> Callable[[], str]:
        def act() -> str:
            plane.configure(of[0], monitor, body)
            return of[0].id

        return act

    logging = bool(of) and of[0].logging
    if logging != wanted.logging:
        deed = Deed.ENABLE if wanted.logging else Deed.DISABLE
        yield Step(deed, what, LOGGING, configured(LOGGING, {"enabled": wanted.logging}))
    if wanted.logging and not (of and of[0].enabled(PERFORMANCE)):
        yield Step(Deed.ENABLE, what, PERFORMANCE, configured(PERFORMANCE, {"enabled": True, "parameters": {}}))


def await_end(gone: Callable[[], bool], what: str, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Wait until something deleted is gone; raises `ControlError` where it is not after so many `seconds`."""
    deadline, wait = clock() + seconds, _FIRST_WAIT
    while not _seen(gone):
        if clock() >= deadline:
            raise ControlError(
                f"{what} is not known to be gone after {seconds:g} s; its deletion was accepted: look again later",
                UNAVAILABLE,
            )
        time.sleep(wait)
        wait = min(_LONGEST_WAIT, wait * 2)


def _seen(gone: Callable[[], bool]) -> bool:
    """It is gone; a data mart that does not answer for a moment has not said so."""
    try:
        return gone()
    except MartError as error:
        if error.status is None or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return False
        raise
