"""The composition root: settings become the flow's bounds, and what cannot be composed says why."""

from __future__ import annotations

import zlib
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.compose import BREAKER_FAILURES, compose, flow_policy, full_jitter
from worker.config import Settings, load
from worker.edges.cluster import ClusterError
from worker.edges.schemas import SchemaDirectoryError, load_schemas
from worker.formats import decoder
from worker.rooms.cloud_events import CloudEvents, Naming
from worker.rooms.decode import Decoder
from worker.rooms.formats import Formats
from worker.rooms.json_events import JsonEvents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker


def settings(**sections: Any) -> Settings:
    return load(None, {"mart": {"token": "t"}, **sections})


@given(st.floats(0.001, 10), st.floats(0.001, 1000), st.integers(1, 5000))
def test_a_wait_is_between_nothing_and_twice_the_last_and_never_beyond_the_longest(
    first: float, longest: float, attempt: int
) -> None:
    highest = min(longest, first * 2.0 ** min(attempt - 1, 60))
    wait = full_jitter(first, longest)
    assert all(0 <= wait(attempt) <= highest * 1.000001 for _ in range(5))


def test_waits_are_spread_over_the_whole_range() -> None:
    wait = full_jitter(1, 8)
    waits = sorted(wait(10) for _ in range(400))
    assert waits[0] < 1
    assert 3 < waits[200] < 5
    assert waits[-1] > 7
    assert len(set(waits)) > 390


def test_every_bound_of_the_flow_is_the_setting_of_its_name() -> None:
    policy = flow_policy(
        settings(
            batch={"records": 11, "bytes": 2222, "linger_ms": 333, "group_by": "subscription"},
            delivery={"in_flight": 4, "attempts": 5, "retry_after_max_seconds": 66, "retry_wait_max_seconds": 7},
            limits={"records": 88, "bytes": 9999},
            kafka={"group_id": "g"},
            flood_guard={"share": 0.25, "records": 40, "unknown_asset_records": 400},
            events={"pairing_seconds": 9, "formats": {"payload-events": "cloudevents"}},
        )
    )
    found = {each.name: getattr(policy, each.name) for each in fields(policy)}
    wait, breaker, batch, flood = (found.pop(name) for name in ("wait", "breaker", "batch", "flood"))
    assert (flood.share, flood.records, flood.unknown_assets) == (0.25, 40, 400)
    assert (batch.records, batch.size, batch.linger) == (11, 2222, 0.333)
    assert found == {
        "records": 88,
        "size": 9999,
        "in_flight": 4,
        "attempts": 5,
        "retry_after": 66,
        "by_subscription": True,
        "pairing": 9,
        "paired": {"payload-events": f"payload-events/{zlib.crc32(b'g'):08x}"},
    }
    assert breaker.failures == BREAKER_FAILURES
    assert max(wait(1000) for _ in range(200)) <= 7
    assert breaker.wait is wait


@pytest.mark.parametrize("group_by", ["mart", "subscription"])
def test_under_v2_no_batch_holds_records_of_two_subscriptions_whatever_else_is_set(group_by: str) -> None:
    found = settings(mart={"token": "t", "api": "v2"}, batch={"group_by": group_by})
    assert flow_policy(found).by_subscription
    assert flow_policy(settings(mart={"token": "t", "api": "v2"})).by_subscription
    assert not flow_policy(settings()).by_subscription


def test_the_smallest_limits_are_a_flow_that_moves() -> None:
    policy = flow_policy(settings(limits={"records": 1}))
    assert policy.records == 1


def test_a_schema_directory_that_is_wrong_is_seen_before_any_broker_is_asked(tmp_path: Path) -> None:
    with pytest.raises(SchemaDirectoryError, match=r"index\.json"):
        compose(settings(schemas={"directory": str(tmp_path)}), lambda: 0.0)


def test_a_topic_that_is_missing_is_named_before_anything_is_read(broker: Broker, make_topic: TopicFactory) -> None:
    topics = [make_topic(), "no-such-topic"]
    with pytest.raises(ClusterError, match="no such topic: no-such-topic; create it"):
        compose(settings(kafka={"bootstrap_servers": broker.bootstrap, "topics": topics}), lambda: 0.0)


def test_a_topic_has_the_decoder_of_its_format_and_where_all_are_avro_there_is_no_choice_to_make() -> None:
    book = load_schemas(None, {})
    assert isinstance(decoder(settings(), book), Decoder)
    topics = ["a", "b", "c", "d"]
    formats = {"a": "json", "b": "cloudevents", "c": "avro"}
    made = settings(kafka={"topics": topics}, events={"formats": formats, "asset_attribute": "modelid"})
    found = decoder(made, book)
    assert isinstance(found, Formats)
    assert found.others == {
        "a": JsonEvents(made.limits.event_bytes),
        "b": CloudEvents(made.limits.event_bytes, Naming("modelid")),
    }
    (of_group,) = flow_policy(made, {"a": "1", "b": "2"}).paired.items()
    assert of_group == ("b", f"2/{zlib.crc32(made.kafka.group_id.encode()):08x}")
    other = settings(kafka={"topics": topics, "group_id": "other"}, events={"formats": formats})
    assert flow_policy(other, {"b": "2"}).paired["b"] != of_group[1], "offsets that are copied bring its texts along"
    assert flow_policy(made).pairing == made.events.pairing_seconds
