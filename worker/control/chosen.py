"""One of many by what people call it, its id or its name; who is meant must be clear: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from worker.control.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.control.found import Deployment

MOST_NAMED = 12
"""So many of what there is are named in a message that something is not."""


class Named(Protocol):
    """What has an id and a name."""

    @property
    def id(self) -> str: ...  # noqa: D102 - the names say it
    @property
    def name(self) -> str: ...  # noqa: D102


Thing = TypeVar("Thing", bound=Named)


def the_one(wanted: str, things: Sequence[Thing], kind: str, narrow: str) -> Thing:
    """The thing of this id, else of this name; raises `ControlError` where there is none, or several.

    `narrow` says how one of several can be meant. A subscription is also found by the id of its asset.
    """
    found = [each for each in things if each.id == wanted]
    found = found or [each for each in things if wanted in (each.name, getattr(each, "asset_id", each.name))]
    if not found:
        there = f"there are {_list(things)}" if things else "there is none"
        raise ControlError(f"no {kind} has the id or the name {wanted}; {there}")
    if len(found) > 1:
        raise ControlError(f"{wanted} is {len(found)} {kind}s: {_list(found)}; {narrow}")
    return found[0]


def deployment_of(found: Iterable[Deployment], asset: str, deployment: str | None) -> Deployment:
    """The one deployment of an asset (its id or name), narrowed by a deployment's; raises `ControlError`."""
    everything = list(found)
    of_asset = [each for each in everything if each.asset_id == asset]
    of_asset = of_asset or [each for each in everything if each.asset_name == asset]
    if not of_asset:
        there = sorted({each.asset_id for each in everything})
        named = f"it has {_some(there)}" if there else "it has none"
        raise ControlError(f"the engine has deployed no asset {asset}; {named} (payload-worker mart assets)")
    left = [each for each in of_asset if deployment is None or deployment in (each.id, each.name)]
    if len(left) == 1:
        return left[0]
    if not left:
        raise ControlError(f"the asset {asset} has no deployment {deployment}; it has {_list(of_asset)}")
    where = sorted({each.binding.id for each in left})
    narrow = f"name a binding of {_some(where)}" if len(where) > 1 else "name one by --deployment"
    raise ControlError(f"the asset {asset} has {len(left)} deployments: {_list(left)}; {narrow}")


def _list(things: Iterable[Named]) -> str:
    return _some([f"{each.id} ({each.name})" if each.name != each.id else each.id for each in things])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
