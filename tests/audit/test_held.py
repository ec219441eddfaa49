"""What is read of a data mart: every row of the times that are asked for, whatever lies before and behind it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, cast

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.sandbox.mart import Mart, record
from tests.way.events import confluent, custom
from tests.way.stage import Stage
from worker.audit.auditing import Asked, Audit
from worker.audit.fates import Fate
from worker.audit.held import PAGE, Table, moment
from worker.config import Kafka, Settings
from worker.config import Mart as MartSettings
from worker.console import progress
from worker.edges.fetching import fetch_directory
from worker.mart.client import MartClient, MartError, token_source
from worker.rooms.directory import Subscription
from worker.sandbox.seed import DATA_MART_ID, connect
from worker.sandbox.serve import running
from worker.topics.spans import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

COUNT = 2600
START = datetime(2026, 1, 1, tzinfo=UTC)


def at(number: int) -> datetime:
    """When the event of this number was scored."""
    return START + timedelta(seconds=10 * number)


def settings(url: str, api: Literal["v1", "v2"] = "v1") -> MartSettings:
    return MartSettings(api=api, url=url, data_mart_id=DATA_MART_ID, api_key="any")  # type: ignore[arg-type]


@contextmanager
def connected(told: MartSettings) -> Iterator[MartClient]:
    with connect(told.url) as tokens, closing(MartClient(told, token_source(told, tokens))) as client:
        yield client


@pytest.fixture(scope="module")
def mart() -> Iterator[Mart]:
    """A data mart with rows of one every ten seconds."""
    with running() as sandbox, closing(Mart(sandbox)) as filled:
        for begin in range(0, COUNT, 650):
            records = [
                record(filled.custom, f"id-{n}", scoring_timestamp=at(n).isoformat()) for n in range(begin, begin + 650)
            ]
            assert filled.post(*records).status_code == 202
        assert filled.count() == COUNT
        yield filled


@pytest.fixture(params=["v1", "v2"])
def table(request: pytest.FixtureRequest, mart: Mart) -> Iterator[Callable[[], Table]]:
    with connected(settings(mart.sandbox.url, request.param)) as client:
        known = {each.id: each for each in fetch_directory(client, 0).known}
        yield lambda: Table(client, known[mart.custom.subscription_id], sleep=lambda _: mart.sandbox.heal())
    mart.sandbox.heal()


def ids(table: Table, earliest: datetime | None, latest: datetime | None) -> list[int]:
    found = [each for page in table.window(earliest, latest) for each in page.ids]
    return [int(each.split("-")[1]) for each in found]


def test_without_bounds_every_row_is_read_once(table: Callable[[], Table]) -> None:
    assert sorted(ids(table(), None, None)) == list(range(COUNT))
    assert table().total() == COUNT


@pytest.mark.parametrize(("first", "last"), [(0, 3), (1200, 1201), (100, 2500), (COUNT - 1, COUNT - 1)])
def test_a_window_has_all_of_its_rows_and_at_most_a_page_more(
    table: Callable[[], Table], first: int, last: int
) -> None:
    found = ids(table(), at(first), at(last))
    assert set(range(first, last + 1)) <= set(found)
    assert len(found) <= last - first + 1 + PAGE
    assert max(found) <= last + 1


def test_a_window_beyond_all_rows_is_near_to_empty(table: Callable[[], Table]) -> None:
    assert ids(table(), START - timedelta(days=2), START - timedelta(days=1)) == []
    assert len(ids(table(), at(COUNT) + timedelta(days=1), at(COUNT) + timedelta(days=2))) <= PAGE


def test_a_page_that_fails_is_asked_for_again(table: Callable[[], Table], mart: Mart) -> None:
    looked = table()
    path = "scoring_transactions|records$"
    mart.sandbox.fault({"match": {"method": "GET", "path": path}, "action": {"status": 503}})
    assert len(ids(looked, None, None)) == COUNT
    mart.sandbox.fault({"match": {"method": "GET", "path": path}, "action": {"status": 400}})
    with pytest.raises(MartError, match="answered 400"):
        ids(looked, None, None)


class Sparing:
    """A data mart that gives fewer rows at once than it is asked for, as gateways do with long answers."""

    api = "v1"

    def __init__(self, rows: int) -> None:
        self._rows = [[f"id-{number}-1"] for number in range(rows)]

    def at(self, *steps: str) -> str:
        return "/".join(steps)

    def send(self, _method: str, _path: str, _expected: int, *, query: dict[str, str]) -> httpx.Response:
        begin, limit = int(query["offset"]), min(300, int(query["limit"]))
        return httpx.Response(200, json={"fields": ["scoring_id"], "values": self._rows[begin : begin + limit]})


def test_no_row_is_passed_over_where_a_page_has_fewer_than_were_asked_for() -> None:
    subscription = Subscription("s", "b", "a", "a", (), (), logging_enabled=True)
    table = Table(cast("MartClient", Sparing(1000)), subscription)
    assert sorted(ids(table, None, None)) == list(range(1000))


def test_times_are_understood_in_all_forms_that_a_data_mart_tells() -> None:
    expected = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    forms = ("2026-01-02T03:04:05.678Z", "2026-01-02 03:04:05.678", "2026-01-02T04:04:05.678+01:00")
    assert [moment(each) for each in forms] == [expected] * 3
    assert moment("soon") is moment(None) is moment(7) is None


@pytest.mark.kafka
def test_a_row_that_is_stored_at_another_time_than_its_event_s_is_no_gap(
    broker: Broker, make_topic: TopicFactory
) -> None:
    """As one that was replayed into the data mart by hand: a gap would send somebody to replay it once more."""
    topic, letters = make_topic(prefix="elsewhen"), make_topic(prefix="letters")
    with running() as sandbox, closing(Mart(sandbox)) as filled:
        stage = Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, filled.seeded)
        scored = {"scored_at": at(0)}
        stage.produce([confluent(custom() | scored | {"scoring_id": each}) for each in ("away", "gone")], partition=0)
        commit(broker, stage, 2)
        filled.post(record(filled.custom, "away", scoring_timestamp=at(2000).isoformat()))
        for begin in range(0, 3000, 500):
            filled.post(
                *(
                    record(filled.custom, f"other-{n}", scoring_timestamp=at(1 + n % 500).isoformat())
                    for n in range(begin, begin + 500)
                )
            )
        asked = Asked((topic,), Bounds(since=0), None, 0)
        found = audited(settings_of(stage), asked, lambda _: pytest.fail("it waited"))
        assert found == {Fate.HELD: 1, Fate.MISSING: 1}


@pytest.mark.kafka
def test_rows_that_come_while_it_waits_are_no_gap(broker: Broker, make_topic: TopicFactory) -> None:
    topic, letters = make_topic(prefix="late"), make_topic(prefix="letters")
    with running() as sandbox, closing(Mart(sandbox)) as filled:
        stage = Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, filled.seeded)
        stage.produce([confluent(custom() | {"scoring_id": each}) for each in ("early", "late")], partition=0)
        commit(broker, stage, 2)
        filled.post(record(filled.custom, "early"))
        told = settings_of(stage)
        asked = Asked((topic,), Bounds(since=0), None, 60)
        assert audited(told, asked, lambda _: filled.post(record(filled.custom, "late"))) == {Fate.HELD: 2}
        stage.produce([confluent(custom() | {"scoring_id": "never"})], partition=0)
        assert audited(told, replace(asked, wait=0), lambda _: pytest.fail("it waited")) == {Fate.HELD: 2, Fate.OPEN: 1}


def commit(broker: Broker, stage: Stage, offset: int) -> None:
    """What a worker of the group would, that had read partition 0 so far."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": stage.group})
    consumer.commit(offsets=[TopicPartition(stage.topic, 0, offset)], asynchronous=False)
    consumer.close()


def settings_of(stage: Stage) -> Settings:
    return Settings(
        kafka=Kafka(bootstrap_servers=stage.bootstrap, topics=[stage.topic], group_id=stage.group),
        dead_letter={"topic": stage.letters},  # type: ignore[arg-type]
        mart=settings(stage.sandbox.url),
    )


def audited(told: Settings, asked: Asked, sleep: Callable[[float], object]) -> dict[Fate, int]:
    def slept(seconds: float) -> None:
        sleep(seconds)

    with connected(told.mart) as client, progress() as bar, closing(Audit(told, client, asked, bar)) as job:
        return {fate: count for fate, count in job.run(slept).fates.items() if count}
