"""Thousands of dead letters of six causes: counted as they are, repaired, sent back once and never for ever."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.way.events import avro, body, confluent, custom, event
from tests.way.registry import added_headers
from tests.way.stage import Stage, until
from worker.config import Kafka
from worker.edges.cluster import describe
from worker.rooms.identity import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.dlq.conftest import Done

LETTERS = int(os.environ.get("DLQ_LETTERS", "1200"))
"""Dead letters all in all; the full number is 10,000."""
CAUSES = 6
PATCH = """
[[change]]
rename = "request.column.hours_"
to = "hours"

[[change]]
cast = "request.column.age"
to = "integer"

[[change]]
set = "asset"
to = "action"
"""
UNFLOODED = {"FLOOD_GUARD__RECORDS": "1000000", "FLOOD_GUARD__UNKNOWN_ASSET_RECORDS": "1000000"}


def _misnamed(number: int) -> dict[str, Any]:
    """An event for an asset that nobody knows, with a column misnamed and a number as text."""
    request = {"fields": ["age", "hours_", "income"], "values": [[str(number), 37.5, None]]}
    response = {"fields": ["prediction", "probability"], "values": [["yes", [0.25, 0.75]]]}
    return event("actoin", body(request), body(response), attributes={"service": "loans"})


def _bad(number: int) -> tuple[tuple[str, str, str | None, str | None], bytes]:
    """The n-th bad event, with its disposition, code, field and service."""
    good = custom(start=number)
    made: list[tuple[tuple[str, str, str | None, str | None], bytes]] = [
        (("unknown-asset", "unknown-asset", "asset", "loans"), confluent(_misnamed(number))),
        (("decode", "no-framing", None, None), b"\x07 %d" % number),
        (("schema", "unknown-schema", None, None), b"\x00\x00\x00\x00\x63" + avro(good)),
        (
            ("validation", "response-time-negative", "response_time_ms", None),
            confluent(good | {"response_time_ms": -1}),
        ),
        (("normalise", "not-json", "request", None), confluent(good | {"request": body(f"{{{number}")})),
        (("validation", "row-counts", "request", None), confluent(good | {"response": custom(2)["response"]})),
    ]
    return made[number % CAUSES]


def _dead_lettered(stage: Stage) -> Counter[tuple[str, str, str | None, str | None]]:
    """Have them all dead-lettered; how many of each kind there are."""
    bad = [_bad(number) for number in range(LETTERS)]
    stage.produce(value for _, value in bad)
    with stage.worker(**UNFLOODED) as worker:
        until(lambda: stage.committed() == LETTERS, "all committed", seconds=180)
        assert worker.stop()[0] == 0
    return Counter(kind for kind, _ in bad)


def _delivered(stage: Stage, letters: int, stored: int) -> None:
    """Let a worker do what was sent back, until so many letters and so many stored records are there."""
    with stage.worker(**UNFLOODED) as worker:
        until(lambda: stage.sandbox.stats()["distinct"] == stored, f"{stored} records", seconds=120)
        until(lambda: len(stage.dead_letters(letters, seconds=3)) >= letters, f"{letters} letters", seconds=120)
        until(lambda: worker.metrics().get("records_in_flight") == 0, "nothing open")
        assert worker.stop()[0] == 0


def _await_letters(stage: Stage, count: int) -> None:
    until(lambda: len(stage.dead_letters(count, seconds=3)) == count, f"{count} letters")


def _ids(stage: Stage, code: str) -> Iterator[str]:
    """The scoring ids of the events whose letters have a code, from where they were first."""
    for each in stage.dead_letters(LETTERS):
        told = added_headers(each)
        if told["payload-worker.error.code"].decode() == code:
            place = "/".join(told[f"__dlq.errors.{part}"].decode() for part in ("partition", "offset"))
            yield str(uuid.uuid5(NAMESPACE, f"{_cluster(stage)}/{place}"))


def _cluster(stage: Stage) -> str:
    found = describe(Kafka(bootstrap_servers=stage.bootstrap), [stage.topic])
    return f"{found.id}/{found.topic_ids.get(stage.topic, stage.topic)}"


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_letters_of_six_causes_are_explained_repaired_and_sent_back_once(
    stage: Stage, dlq: Callable[..., Done], tmp_path: Path
) -> None:
    truth = _dead_lettered(stage)
    explained = dlq("explain", "--by", "disposition,code,field,service", "--json").document
    assert explained["letters"] == LETTERS
    found = {tuple(each[n] for n in ("disposition", "code", "field", "service")): each for each in explained["groups"]}
    assert {kind: each["count"] for kind, each in found.items()} == truth
    assert all(each["first"] <= each["last"] and stage.letters in each["example"] for each in found.values())

    ids = describe(Kafka(bootstrap_servers=stage.bootstrap), [stage.topic]).topic_ids
    letter = added_headers(stage.dead_letters(1)[0])
    assert letter["payload-worker.topic.id"].decode() == ids[stage.topic], "with it, a topic made anew is another one"
    wanted = set(_ids(stage, "unknown-asset"))
    repair = tmp_path / "repair.toml"
    repair.write_text(PATCH)
    arguments = ("redrive", "--where", "code=unknown-asset", "--patch", str(repair))
    dry = dlq(*arguments, "--dry-run")
    assert dry.code == 0, dry.err
    assert f"to send: {len(wanted):,}" in dry.out
    assert "request.column.hours_: rename to hours" in dry.out
    assert "request.column.age: cast to integer" in dry.out
    refused = dlq(*arguments)
    assert refused.code == 2
    assert "--yes" in refused.err
    done = dlq(*arguments, "--yes", "--json")
    assert (done.code, done.document["sent"], done.document["withheld"]) == (0, len(wanted), {}), done.err
    again = dlq(*arguments, "--yes", "--json").document
    assert again["sent"] == 0, "the same command goes on where it ended"
    twice = dlq(*arguments, "--yes", "--json", "--again").document
    assert twice["sent"] == len(wanted)
    _delivered(stage, LETTERS, len(wanted))
    table = stage.sandbox.records(stage.seeded["custom"].subscription_id)
    assert {each["scoring_id"] for each in table} == wanted
    assert len(table) == len(wanted)
    assert {type(each["request"]["values"][0][0]) for each in table} == {int}
    assert {tuple(each["request"]["fields"]) for each in table} == {("age", "hours", "income")}
    assert dlq("explain", "--json").document["letters"] == LETTERS, "nothing of it was refused again"


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_what_cannot_be_repaired_is_sent_back_three_times_and_then_reported(
    stage: Stage, dlq: Callable[..., Done]
) -> None:
    stage.produce([b"\x07 never"] * 5, key=b"k")
    outcomes: list[Done] = []
    with stage.worker(**UNFLOODED) as worker:
        until(lambda: stage.committed() == 5, "all committed")
        for turn in range(1, 5):
            outcomes.append(dlq("redrive", "--where", "disposition=decode", "--again", "--yes", "--json"))
            _await_letters(stage, 5 * min(turn + 1, 4))
        assert worker.stop()[0] == 0
    assert [(each.code, each.document["sent"]) for each in outcomes] == [(0, 5), (0, 5), (0, 5), (65, 0)]
    done = outcomes[-1]
    assert done.document["withheld"] == {"superseded": 15, "redriven-too-often": 5}
    assert "redriven-too-often" in done.err
    told = [added_headers(each) for each in stage.dead_letters(20)]
    places = Counter((each["__dlq.errors.partition"], each["__dlq.errors.offset"]) for each in told)
    assert set(places.values()) == {4}
    assert len(places) == 5
