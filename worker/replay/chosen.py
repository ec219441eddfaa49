"""Only some subscriptions: events of others are settled as they are resolved, without a post."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from worker.model import Disposition, Refusal, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from worker.model import Envelope
    from worker.rooms.directory import Directory
    from worker.rooms.suite import Passed
    from worker.seams import Rooms


@dataclass(frozen=True, slots=True)
class Choice:
    """Which events are wanted: those of a subscription, by its id, or of a binding, by its id or name; None: any."""

    subscription: str | None = None
    binding: str | None = None

    @property
    def all(self) -> bool:
        """Whether every event is wanted."""
        return self.subscription is None and self.binding is None

    def wants(self, target: Target, bindings: Collection[str]) -> bool:
        """Whether events of a target are; `bindings` are the ids that the binding's name or id stands for."""
        if self.subscription not in {None, target.subscription_id}:
            return False
        return self.binding is None or target.binding_id in bindings

    def bindings(self, directory: Directory) -> set[str]:
        """The ids of the bindings that are meant."""
        return {each.id for each in directory.bindings if self.binding in {each.id, each.name}}

    def missing(self, directory: Directory) -> str | None:
        """What is asked for and not there, as a person would say it; None where all is."""
        if self.binding is not None and not self.bindings(directory):
            return f"no binding has the id or name {self.binding}"
        if self.subscription is not None and all(each.id != self.subscription for each in directory.known):
            return f"no subscription has the id {self.subscription}"
        return None


_NOT_CHOSEN = "not-chosen"
_OTHER = Refusal(Disposition.UNKNOWN_SUBSCRIPTION, _NOT_CHOSEN, "the event is of another subscription")
"""Not wanted, and never shown: told from all refusals by its identity."""


class _View:
    """A directory that resolves what is wanted as ever, and anything else to `_OTHER`."""

    def __init__(self, directory: Directory, choice: Choice) -> None:
        self.of = directory
        self._choice = choice
        self._bindings = choice.bindings(directory)

    def resolve(self, binding: str | None, asset: str, deployment: str | None) -> Target | Refusal:
        """As the directory's."""
        found = self.of.resolve(binding, asset, deployment)
        if isinstance(found, Target) and not self._choice.wants(found, self._bindings):
            return _OTHER
        return found


class Chosen:
    """The rooms for what is wanted; `settle` takes what is not. `skipped` counts that."""

    def __init__(self, rooms: Rooms, choice: Choice, settle: Callable[[list[Envelope]], None]) -> None:
        self._rooms = rooms
        self._choice = choice
        self._settle = settle
        self._view: _View | None = None
        self.skipped = 0

    def walk(self, envelopes: Iterable[Envelope], directory: Directory) -> Passed:
        """As the rooms, less what is not wanted: that is settled."""
        if self._view is None or self._view.of is not directory:
            self._view = _View(directory, self._choice)
        passed = self._rooms.walk(envelopes, cast("Any", self._view))
        others = [each.envelope for each in passed.unknown if each.refusal is _OTHER]
        if others:
            passed.unknown[:] = [each for each in passed.unknown if each.refusal is not _OTHER]
            self.skipped += len(others)
            self._settle(others)
        return passed
