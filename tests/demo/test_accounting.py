"""The demo's books: they balance only if every event met the one fate that was due."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.demo.accounting import Account, Kept, Place, Reason, Sent, account, uncommitted
from worker.demo.play import conclude
from worker.demo.show import Count, Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

REASONS = (Reason("decode", "no-framing"), Reason("schema", "unknown-schema"), Reason("validation", "row-counts"))
ENGINES = ("custom", "sagemaker")


@dataclass(frozen=True, slots=True)
class World:
    """What was sent, and what is found."""

    sent: Sequence[Sent]
    stored: dict[str, list[Kept]] = field(default_factory=dict)
    lettered: dict[Place, list[Reason]] = field(default_factory=dict)

    def add(self, event: Sent, fate: Kept | Reason) -> None:
        """Let an event meet a fate."""
        if isinstance(fate, Kept):
            self.stored.setdefault(event.scoring_id, []).append(fate)
        else:
            self.lettered.setdefault(event.place, []).append(fate)

    def remove(self, event: Sent) -> None:
        """Lose what became of an event."""
        self.stored.pop(event.scoring_id, None)
        self.lettered.pop(event.place, None)

    def account(self) -> Account:
        """The comparison."""
        return account(self.sent, self.stored, self.lettered)


@st.composite
def events(draw: st.DrawFn) -> list[Sent]:
    """Different events, at least one."""
    places = draw(st.lists(st.builds(Place, st.integers(0, 3), st.integers(0, 40)), min_size=1, unique=True))
    engines = st.sampled_from(ENGINES)
    fates = st.one_of(st.sampled_from(REASONS), st.builds(Kept, engines, st.binary(max_size=2)))
    return [Sent(draw(engines), place, f"id-{place.partition}-{place.offset}", draw(fates)) for place in places]


def as_due(sent: Sequence[Sent]) -> World:
    """The world in which every event met the fate that was due."""
    world = World(sent)
    for event in sent:
        world.add(event, event.due)
    return world


def other_fate(event: Sent) -> Kept | Reason:
    """One that is not due."""
    if isinstance(event.due, Kept):
        return REASONS[0]
    return Kept(event.engine, b"{}")


@given(events())
def test_the_books_balance_when_every_event_met_the_fate_that_was_due(sent: list[Sent]) -> None:
    found = as_due(sent).account()
    assert found.balanced
    assert sum(line.sent for line in found.lines) == len(sent)
    assert all(line.sent == line.stored + sum(line.lettered.values()) for line in found.lines)


@given(events(), st.data())
def test_an_event_that_is_nowhere_is_the_one_gap(sent: list[Sent], data: st.DataObject) -> None:
    world, event = as_due(sent), data.draw(st.sampled_from(sent))
    world.remove(event)
    assert world.account().gaps == [f"{event}: neither stored nor dead-lettered"]


@given(events(), st.data())
def test_an_event_in_both_places_is_a_gap(sent: list[Sent], data: st.DataObject) -> None:
    world, event = as_due(sent), data.draw(st.sampled_from(sent))
    world.add(event, other_fate(event))
    (gap,) = world.account().gaps
    assert str(event) in gap
    assert "stored" in gap
    assert "dead-lettered" in gap


@given(events(), st.data())
def test_a_fate_that_was_not_due_is_a_gap(sent: list[Sent], data: st.DataObject) -> None:
    world, event = as_due(sent), data.draw(st.sampled_from(sent))
    world.remove(event)
    world.add(event, other_fate(event))
    assert world.account().gaps == [f"{event}: {other_fate(event)}, not {event.due}"]


@given(events(), st.data())
def test_what_nobody_sent_is_a_gap(sent: list[Sent], data: st.DataObject) -> None:
    missing = data.draw(st.sampled_from(sent))
    world = as_due(sent)
    found = account([each for each in sent if each is not missing], world.stored, world.lettered)
    (gap,) = found.gaps
    assert "though nobody sent it" in gap


@given(events(), st.data())
def test_delivered_again_is_once_stored_but_may_be_twice_dead_lettered(sent: list[Sent], data: st.DataObject) -> None:
    world, event = as_due(sent), data.draw(st.sampled_from(sent))
    world.add(event, event.due)
    assert world.account().balanced is isinstance(event.due, Reason)


@pytest.mark.parametrize("content", [b'{"values":[[1.0]]}', b'{"values":[["1"]]}', b""])
def test_a_stored_row_with_another_value_or_type_is_a_gap(content: bytes) -> None:
    event = Sent("custom", Place(0, 7), "a", Kept("custom", b'{"values":[[1]]}'))
    found = account([event], {"a": [Kept("custom", content)]}, {})
    assert found.gaps == ["custom event at 0/7 (a): stored with other values than were scored"]


def test_a_row_in_another_engines_table_is_a_gap() -> None:
    event = Sent("custom", Place(0, 7), "a", Kept("custom", b"{}"))
    found = account([event], {"a": [Kept("sagemaker", b"{}")]}, {})
    assert found.gaps == ["custom event at 0/7 (a): stored for sagemaker, not stored for custom"]


def test_a_partition_that_is_not_committed_to_its_end_is_named() -> None:
    assert uncommitted({0: 5, 1: 3, 2: 0}, {0: 5, 1: 2}) == ["partition 1: committed 2 of 3"]


def test_one_lost_record_fails_the_demo_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code that `payload-worker demo` ends with, when one of its records is hidden from the books."""
    sent = [Sent("custom", Place(0, number), f"id-{number}", Kept("custom", b"{}")) for number in range(100)]
    world = as_due(sent)
    assert conclude(world.account(), [], Screen(Count())) == 0
    world.remove(sent[42])
    assert conclude(world.account(), [], Screen(Count())) == 1
    assert "custom event at 0/42 (id-42): neither stored nor dead-lettered" in capsys.readouterr().out


def test_a_problem_fails_the_demo_though_the_books_balance(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude(Account([], []), ["worker 17 ended with 70"], Screen(Count())) == 1
    assert "worker 17 ended with 70" in capsys.readouterr().out
