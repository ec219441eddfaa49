"""The whole way by the v2 API: the same rows as by v1, and nothing settled before its request has ended."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.way import natives
from tests.way.events import confluent, custom, event, many
from tests.way.stage import Stage, until
from tests.way.test_engines import undeclare
from worker.cli import UNSETTLED
from worker.sandbox.options import Options
from worker.sandbox.seed import seed
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

COUNT = 500
RECORDS = {"method": "POST", "path": "records$"}
LOOKS = {"method": "GET", "path": "requests/"}
IDS = ("binding_id", "subscription_id", "deployment_id")


@pytest.fixture
def v2(stage: Stage) -> Stage:
    """A stage whose workers speak v2: that is the one setting."""
    stage.settings["MART__API"] = "v2"
    return stage


@pytest.fixture
def slow(broker: Broker, make_topic: TopicFactory) -> Iterator[Stage]:
    """The same with a data mart whose requests are preparing for three seconds."""
    topic, letters = make_topic(prefix="events"), make_topic(prefix="letters")
    with running(Options(store_delay_ms=3000)) as sandbox:
        more = {"MART__API": "v2"}
        yield Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, seed(sandbox.url), more)


def stored(stage: Stage, engine: str = "custom") -> list[dict[str, Any]]:
    """The records as they were received, by their scoring ids."""
    return sorted(stage.sandbox.records(stage.seeded[engine].subscription_id), key=lambda each: each["scoring_id"])


def rows(stage: Stage, engine: str) -> list[str]:
    """The rows that are stored, as text: 1, 1.0 and true are equal to Python."""
    found = stage.sandbox.rows(stage.seeded[engine].subscription_id)
    return sorted(json.dumps(each, sort_keys=True) for each in found)


def delivered(stage: Stage, count: int) -> None:
    """A worker delivers so many records in all, commits them, and ends well."""
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["distinct"] == count and stage.committed() == count, f"{count} records")
        code, log = worker.stop()
    assert code == 0, log


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("engine", "make"),
    [
        ("custom", natives.custom),
        ("azure-studio", natives.azure_studio),
        ("azure-service", natives.azure_service),
        ("sagemaker", natives.sagemaker),
    ],
)
def test_events_become_the_same_rows_by_v2_as_by_v1(
    v2: Stage, engine: str, make: Callable[..., tuple[Any, Any]]
) -> None:
    rng = random.Random(engine)  # noqa: S311 - a seed, not a secret
    seeded = v2.seeded[engine]
    made = [make(rng, seeded.features) for _ in range(COUNT)]
    v2.produce(
        confluent(event(seeded.asset_id, request, response, scoring_id=f"id-{number}", response_time_ms=12))
        for number, (request, response) in enumerate(made)
    )
    with running() as sandbox:
        v1 = replace(v2, sandbox=sandbox, seeded=seed(sandbox.url), group=f"{v2.group}-v1", settings={})
        for stage in (v1, v2):
            undeclare(stage, seeded)
            delivered(stage, COUNT)
        assert len(rows(v1, engine)) >= COUNT
        assert rows(v2, engine) == rows(v1, engine)
        by_v1 = [{name: each[name] for name in each if name not in IDS} for each in stored(v1, engine)]
    assert [{**each, "multiple_records": True} for each in by_v1] == stored(v2, engine)
    assert v2.sandbox.stats()["errors"] == 0


@pytest.mark.kafka
def test_a_record_that_its_request_fails_for_is_dead_lettered_with_the_codes_and_the_others_are_stored(
    v2: Stage,
) -> None:
    bad = custom(start=7)
    bad["request"]["data"] = bad["request"]["data"].replace(b"sector", b"p01son")
    failure = {"trace": "", "errors": [{"code": "AIQDT0001E", "message": "the cell p01son"}]}
    poison = {**RECORDS, "contains": "p01son 7"}
    v2.sandbox.fault({"match": poison, "action": {"request": "error", "body": failure}})
    v2.produce([confluent(each) for each in [*many(50), bad, *many(49)]], partition=0)
    with v2.worker() as worker:
        until(lambda: v2.committed() == 100, "all settled")
        until(lambda: worker.metrics().get("records_delivered") == 99, "its own count")
        code, log = worker.stop()
    assert code == 0, log
    assert v2.sandbox.stats()["distinct"] == 99
    (letter,) = v2.dead_letters(1)
    headers = dict(letter.headers() or ())
    assert letter.value() == confluent(bad)
    assert headers["__dlq.errors.disposition"] == headers["payload-worker.error.code"] == b"rejected"
    assert headers["__dlq.errors.message"] == b"the data mart took this record alone, and could not store it"
    assert headers["payload-worker.http.body"] == b"AIQDT0001E"
    assert "p01son" not in log


@pytest.mark.kafka
def test_nothing_is_committed_while_a_request_is_preparing(slow: Stage) -> None:
    slow.produce(map(confluent, many(COUNT)))
    with slow.worker() as worker:
        until(lambda: slow.sandbox.stats()["received"] == COUNT, "all taken")
        until(lambda: worker.metrics().get("records_in_flight") == COUNT, "its own word for it")
        assert worker.metrics()["posts_in_flight"] == 0
        assert slow.committed() == 0
        until(lambda: slow.committed() == COUNT, "the commit, once they are active")
        code, log = worker.stop()
    assert code == 0, log
    assert slow.dead_letters(0, seconds=1) == []


@pytest.mark.kafka
@pytest.mark.parametrize("by_force", [False, True], ids=["sigterm", "kill"])
def test_a_worker_that_ends_while_requests_are_preparing_loses_nothing(v2: Stage, *, by_force: bool) -> None:
    """The data mart forgets them, as one that is restarted may: only what is read again is stored."""
    v2.settings |= {"DELIVERY__DRAIN_SECONDS": "1", "KAFKA__CONSUMER__SESSION_TIMEOUT_MS": "6000"}
    v2.sandbox.fault({"match": RECORDS, "action": {"request": "preparing"}})
    v2.produce(map(confluent, many(COUNT)))
    with v2.worker() as worker:
        until(lambda: worker.metrics().get("records_in_flight") == COUNT, "all read")
        until(lambda: worker.metrics().get("posts_in_flight") == 0, "all taken")
        if by_force:
            worker.process.kill()
            worker.process.wait(10)
        else:
            code, log = worker.stop()
            assert code == UNSETTLED, log
    assert v2.committed() == 0
    assert v2.sandbox.stats()["distinct"] == 0
    v2.sandbox.heal()
    delivered(v2, COUNT)
    assert v2.dead_letters(0, seconds=1) == []


@pytest.mark.kafka
def test_what_is_open_is_waited_for_at_the_end_and_committed(slow: Stage) -> None:
    slow.produce(map(confluent, many(COUNT)))
    with slow.worker() as worker:
        until(lambda: slow.sandbox.stats()["received"] == COUNT, "all taken")
        code, log = worker.stop()
    assert code == 0, log
    assert slow.committed() == COUNT


@pytest.mark.kafka
def test_a_request_that_nobody_knows_is_posted_again(v2: Stage) -> None:
    v2.sandbox.fault({"match": RECORDS, "times": 3, "action": {"request": "active"}})  # 404 before anyone sees it
    v2.sandbox.fault({"match": LOOKS, "action": {"status": 404, "body": {"errors": [{"code": "AIQDT0404E"}]}}})
    v2.produce(map(confluent, many(COUNT)))
    with v2.worker() as worker:
        until(lambda: v2.sandbox.stats()["distinct"] > 0, "some that are posted again")
        assert v2.committed() == 0
        v2.sandbox.heal()
        until(lambda: v2.sandbox.stats()["distinct"] == v2.committed() == COUNT, "all, once requests are known")
        until(lambda: worker.metrics().get("records_delivered") == COUNT, "its own count")
        code, log = worker.stop()
    assert code == 0, log
    assert v2.dead_letters(0, seconds=1) == []


@pytest.mark.kafka
def test_a_data_mart_that_is_down_while_requests_are_followed_is_waited_for(v2: Stage) -> None:
    v2.sandbox.fault({"match": LOOKS, "action": {"status": 503}})
    v2.produce(map(confluent, many(COUNT)))
    with v2.worker() as worker:
        until(lambda: v2.sandbox.stats()["received"] == COUNT, "all taken")
        until(lambda: sum(v2.sandbox.stats()["faults"].values()) > 4, "looks in vain")
        assert v2.committed() == 0
        v2.sandbox.heal()
        until(lambda: v2.committed() == COUNT, "the commit")
        code, log = worker.stop()
    assert code == 0, log
    assert v2.sandbox.stats()["received"] == COUNT, "nothing was posted again"


@pytest.mark.kafka
def test_payload_logging_that_is_off_is_explained_by_the_data_set(v2: Stage) -> None:
    subscription = v2.subscribe("custom", "silent", logging=False)
    body = custom()
    v2.produce([confluent(event("silent", body["request"], body["response"])), confluent(body)])
    with v2.worker() as worker:
        until(lambda: v2.committed() == 2, "both settled")
        assert worker.stop()[0] == 0
    (letter,) = v2.dead_letters(1)
    headers = dict(letter.headers() or ())
    assert headers["__dlq.errors.disposition"] == b"logging-disabled"
    told = f"payload logging is off for subscription {subscription}: its payload data set is disabled"
    assert str(headers["__dlq.errors.message"]).startswith(f"b'{told}")
