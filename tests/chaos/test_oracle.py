"""The oracle: it finds every kind of loss, and accuses nobody falsely."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from chaos.oracle import Early, Evidence, Judgement, Prefixes, judge

EVENTS = [f"e{number}" for number in range(12)]
SETS = st.frozensets(st.sampled_from(EVENTS))
COUNTS = st.dictionaries(st.sampled_from(EVENTS), st.integers(1, 3))
LOGS = st.lists(st.lists(st.integers(), max_size=8), min_size=1, max_size=4).map(
    lambda partitions: [[f"{p}/{o}" for o in range(len(ids))] for p, ids in enumerate(partitions)]
)


def balanced(events: frozenset[str], lettered: frozenset[str]) -> Evidence:
    """Each produced event in one place, once."""
    return Evidence(
        produced=events,
        received=dict.fromkeys(events - lettered, 1),
        stored=events - lettered,
        lettered={event: ["rejected"] for event in events & lettered},
    )


@given(SETS, SETS)
def test_books_that_balance_have_no_fault(events: frozenset[str], lettered: frozenset[str]) -> None:
    found = judge(balanced(events, lettered))
    assert found.faults() == []
    assert (found.events, found.duplicates, found.dead_lettered) == (len(events), 0, len(events & lettered))


@given(SETS, COUNTS, COUNTS, SETS, SETS)
def test_every_event_in_the_wrong_place_is_found(
    produced: frozenset[str],
    received: dict[str, int],
    seen: dict[str, int],
    stored: frozenset[str],
    lettered: frozenset[str],
) -> None:
    letters = {event: ["rejected"] for event in lettered}
    found = judge(Evidence(produced=produced, received=received, seen=seen, stored=stored, lettered=letters))
    for event in EVENTS:
        posted = event in received or event in seen
        settled = event in stored or event in lettered
        assert (event in found.missing) == (event in produced and not settled)
        assert (event in found.both) == (event in stored and event in lettered)
        assert (event in found.strangers) == (event not in produced and (settled or posted))
        assert (event in found.unposted) == (event in stored and not posted)
        assert (event in found.unstored) == (event in received and event not in stored)
    wrong = found.missing | found.both | found.strangers | found.unposted | found.unstored
    assert bool(found.faults()) == bool(wrong)


@given(COUNTS, COUNTS)
def test_only_what_was_answered_twice_is_a_duplicate(received: dict[str, int], seen: dict[str, int]) -> None:
    events = frozenset(received) | frozenset(seen)
    found = judge(Evidence(produced=events, received=received, seen=seen, stored=events))
    assert found.duplicates == sum(received.values()) - len(received)
    assert found.faults() == []


def test_a_second_letter_of_an_event_is_counted_and_its_event_once() -> None:
    found = judge(Evidence(produced=frozenset("a"), lettered={"a": ["rejected", "rejected"]}))
    assert (found.dead_lettered, found.letters_again) == (1, 1)


def test_an_event_in_both_places_is_a_fault_unless_the_scenario_allows_it() -> None:
    evidence = Evidence(produced={"a"}, received={"a": 1}, stored={"a"}, lettered={"a": ["timeout"]})
    assert judge(evidence).faults() == ["1 stored and dead-lettered: a"]
    assert judge(evidence).faults(both=True) == []


def test_an_early_commit_is_a_fault_even_where_all_is_well_in_the_end() -> None:
    evidence = Evidence(produced={"a"}, received={"a": 1}, stored={"a"}, early=[Early(0, 0, "a")])
    found: Judgement = judge(evidence)
    assert found.faults() == ["1 committed before it was settled: a"]


def test_a_fault_names_a_few_events_and_counts_all() -> None:
    (fault,) = judge(Evidence(produced={f"e{number}" for number in range(9)})).faults()
    assert fault == "9 missing: e0, e1, e2 …"


@given(LOGS, st.data())
def test_each_event_is_looked_at_once_when_a_commit_first_passes_it(log: list[list[str]], data: st.DataObject) -> None:
    prefixes = Prefixes(log)
    positions = st.fixed_dictionaries({}, optional={p: st.integers(0, len(ids)) for p, ids in enumerate(log)})
    looked: Counter[str] = Counter()
    highest = [0] * len(log)
    for committed in data.draw(st.lists(positions, max_size=6)):
        found = prefixes.covered(committed)
        assert all(log[each.partition][each.offset] == each.event for each in found)
        looked.update(each.event for each in found)
        highest = [max(old, committed.get(p, 0)) for p, old in enumerate(highest)]
        assert looked == Counter(event for ids, position in zip(log, highest, strict=True) for event in ids[:position])


@given(LOGS, st.data())
def test_a_commit_is_early_where_and_only_where_it_passes_what_is_not_settled(
    log: list[list[str]], data: st.DataObject
) -> None:
    events = [event for ids in log for event in ids]
    settled = data.draw(st.frozensets(st.sampled_from(events))) if events else frozenset()
    committed = {p: data.draw(st.integers(0, len(ids))) for p, ids in enumerate(log)}
    found = Prefixes(log).early(committed, settled.__contains__)
    passed = {event for p, ids in enumerate(log) for event in ids[: committed[p]]}
    assert {each.event for each in found} == passed - settled


def test_a_log_may_grow_between_two_looks_and_a_position_that_goes_back_is_counted() -> None:
    log = [["a"]]
    prefixes = Prefixes(log)
    assert [each.event for each in prefixes.covered({0: 1})] == ["a"]
    log[0].append("b")
    assert [each.event for each in prefixes.covered({0: 2})] == ["b"]
    assert prefixes.covered({0: 1}) == []
    assert prefixes.backwards == 1
