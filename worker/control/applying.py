"""`mart apply`: all steps from what there is to what a file wants, found out before the first is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.control.changes import Deed, Step, WantedSubscription, binding_step, subscription_steps
from worker.control.chosen import the_one
from worker.control.errors import ControlError
from worker.control.found import Binding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from worker.control.found import Subscription
    from worker.control.plane import Plane
    from worker.control.wanted import Wanted


def steps_to(plane: Plane, wanted: Wanted) -> list[Step]:
    """The steps in their order; raises `ControlError` where something cannot be brought about.

    What cannot be known yet, since a binding has first to be added, is found out when its step is taken.
    """
    existing = plane.bindings()
    there: dict[str, list[Subscription]] = {}
    steps, by_name = _binding_steps(plane, wanted, existing)
    for name, subscription in wanted.subscriptions:
        binding = by_name[name] if name in by_name else the_one(name, existing, "binding", "name it by its id")
        if isinstance(binding, Binding):
            if binding.id not in there:
                there[binding.id] = plane.subscriptions(binding)
            steps += subscription_steps(plane, subscription, binding, there[binding.id])
        else:
            steps.append(_later(plane, subscription, name, binding))
    return steps


def _binding_steps(
    plane: Plane, wanted: Wanted, existing: Sequence[Binding]
) -> tuple[list[Step], dict[str, Binding | Callable[[], Binding]]]:
    """The bindings' steps, and each binding by its name: as it is there, or as it will be."""
    steps: list[Step] = []
    by_name: dict[str, Binding | Callable[[], Binding]] = {}
    for each in wanted.bindings:
        step, found = binding_step(plane, each, existing)
        made: list[str] = []
        steps.append(_noting(step, made))
        by_name[each.name] = found or _made(plane, made, each.name)
    return steps, by_name


def _noting(step: Step, made: list[str]) -> Step:
    def act() -> str:
        made.append(step.act())
        return made[-1]

    return Step(step.deed, step.what, step.detail, act)


def _made(plane: Plane, made: Sequence[str], name: str) -> Callable[[], Binding]:
    def binding() -> Binding:
        found = plane.binding(made[0])
        if found is None:
            raise ControlError(f"the binding {name} ({made[0]}) was added, but is not there; apply the file once more")
        return found

    return binding


def _later(plane: Plane, wanted: WantedSubscription, name: str, binding: Callable[[], Binding]) -> Step:
    """All that a subscription takes, in one step: its engine can be asked only once it is bound."""

    def act() -> str:
        of = binding()
        done = [step.act() for step in subscription_steps(plane, wanted, of, plane.subscriptions(of))]
        return done[0]

    return Step(Deed.ADD, f"subscription {wanted.asset} of {name}", "once its binding is there", act)


def take(steps: Sequence[Step]) -> Iterator[tuple[Step, str]]:
    """Take the steps one after the other: each with the id that it made or changed."""
    for step in steps:
        yield step, step.act()
