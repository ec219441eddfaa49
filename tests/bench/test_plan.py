"""Whose turn it is, and on what."""

from __future__ import annotations

from bench import events
from bench.compare import plan
from bench.contenders import NAIVE, WORKER
from bench.endpoint import Manner
from bench.plan import Turn, endpoint, in_order, variant
from worker.edges.schemas import load_schemas
from worker.model import Body, Claim, Engine, Envelope, Event, Normal, Target
from worker.rooms.decode import Decoder
from worker.rooms.normalise import normalise


def test_everyone_has_one_turn_a_round_and_each_begins_another() -> None:
    orders = [in_order("abcd", number) for number in range(4)]
    assert all(sorted(order) == ["a", "b", "c", "d"] for order in orders)
    assert [order[0] for order in orders] == ["a", "b", "c", "d"]


def test_nobody_always_runs_after_the_same_one() -> None:
    before = {
        (order[at - 1], order[at]) for number in range(4) for order in [in_order("abcd", number)] for at in (1, 2)
    }
    assert len({earlier for earlier, later in before if later == "c"}) > 1


def test_no_turns_are_no_turns() -> None:
    assert in_order([], 3) == []


def test_peers_are_measured_on_what_all_can_read_and_the_worker_on_all() -> None:
    turns = plan([NAIVE, WORKER], 10, [Manner(), Manner(latency_ms=20)])
    kinds = {name: [turn.kind for turn in turns if turn.name == name] for name in ("naive", "worker")}
    assert sorted(kinds["naive"]) == sorted([*events.SHARED] * 2)
    assert sorted(kinds["worker"]) == sorted([*events.KINDS] * 2)


def test_an_endpoint_is_told_from_every_other() -> None:
    manners = [Manner(), Manner(latency_ms=20), Manner(subscriptions=1000), Manner(latency_ms=20, knee=4, limit=24)]
    assert len({endpoint(manner) for manner in manners}) == len(manners)


def test_a_variant_is_the_worker_with_one_setting_more() -> None:
    made = variant("worker, quick", BATCH__LINGER_MS="5")
    assert made.command is WORKER.command
    assert Turn(made, "typed", 1).name == "worker, quick"


def test_every_kind_of_event_is_what_its_engine_speaks() -> None:
    engines = {
        "typed": Engine.CUSTOM,
        "body": Engine.CUSTOM,
        "azure": Engine.AZURE_STUDIO,
        "sagemaker": Engine.SAGEMAKER,
    }
    decoder = Decoder(load_schemas(None, {}), 1_000_000)
    for kind in events.KINDS:
        for number in range(50):
            envelope = Envelope(Claim("t", 0), 0, 1, None, events.value(kind, number), ())
            event = decoder.event(envelope)
            assert isinstance(event, Event)
            target = Target("b", "s", "d", engines[kind].value, events.FEATURES)
            normal = normalise(event.request, event.response, target)
            assert isinstance(normal, Normal), (kind, normal)
            assert normal.rows == 1


def test_events_that_are_not_stamped_leave_the_time_to_kafka() -> None:
    decoder = Decoder(load_schemas(None, {}), 1_000_000)
    for stamped in (True, False):
        value = events.value("body", 3, stamped=stamped)
        event = decoder.event(Envelope(Claim("t", 0), 0, 1, None, value, ()))
        assert isinstance(event, Event)
        assert isinstance(event.request, Body)
        assert (event.scored_at is not None) is stamped


def test_events_are_spread_evenly_over_subscriptions() -> None:
    made = list(events.values("typed", 6, 3))
    assert [value.count(events.asset_id("typed", 1).encode()) for value in made] == [0, 1, 0, 0, 1, 0]
