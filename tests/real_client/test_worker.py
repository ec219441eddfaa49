"""Through Kafka and back: IBM's client or our commands bind and subscribe, the worker delivers, the client reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.mart.command import Command
from tests.real_client.engines import ENGINES, OWN, SAGEMAKER, Engine
from tests.real_client.flows import API_KEY, by_key, pair
from tests.way.events import body, confluent, event
from tests.way.stage import Stage, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker
    from tests.real_client.driver import Drivers, Steps
    from worker.sandbox.serve import RunningSandbox

MART = "through-kafka"
COMMANDED = "by-commands-alone"


def native(engine: Engine) -> Iterator[tuple[Any, Any]]:
    """Each record's request and response as the engine has them."""
    for each in engine.records:
        yield body(each["request"]), body(each["response"])


def sagemaker_native() -> Iterator[tuple[Any, Any]]:
    """SageMaker's rows as CSV, and its answers by name."""
    features = len(SAGEMAKER.asset["feature_columns"])
    for row in SAGEMAKER.rows:
        answer = dict(zip(SAGEMAKER.columns[features:], row[features:], strict=True))
        yield body(",".join(map(str, row[:features])), "text/csv"), body({"predictions": [answer]})


def events(engine: Engine) -> Iterator[dict[str, Any]]:
    """An engine's scorings, a minute apart, each naming its binding and its asset."""
    scored = sagemaker_native() if engine is SAGEMAKER else native(engine)
    for number, (request, response) in enumerate(scored):
        yield event(
            engine.asset["source_uid"],
            request,
            response,
            binding=f"my {engine.tell}",
            scoring_id=f"{engine.tell}-{number}",
            scored_at=datetime(2019, 6, 11, 10, number, tzinfo=UTC),
        )


def flags(engine: Engine) -> list[str]:
    """What `subscriptions add` is told of the engine's asset."""
    told = {
        "--input-data-type": "input_data_type",
        "--problem-type": "problem_type",
        "--label": "label_column",
        "--prediction": "prediction_column",
        "--probability": "probability_column",
        "--features": "feature_columns",
        "--categorical": "categorical_columns",
    }
    given = {flag: engine.asset[name] for flag, name in told.items() if name in engine.asset}
    return [
        word for flag, value in given.items() for word in (flag, value if isinstance(value, str) else ",".join(value))
    ]


def deliver(broker: Broker, make_topic: TopicFactory, sandbox: RunningSandbox, mart: str) -> None:
    """Every engine's events through Kafka and a worker into this data mart."""
    topic = make_topic(prefix="events")
    settings = {"MART__API_KEY": API_KEY, "MART__DATA_MART_ID": mart}
    stage = Stage(
        broker.bootstrap, topic, make_topic(prefix="letters"), f"group-{topic}", sandbox, {}, settings=settings
    )
    told = [confluent(each) for engine in ENGINES for each in events(engine)]
    stage.produce(told)
    with stage.worker() as worker:
        until(lambda: worker.metrics().get("records_delivered") == len(told), "all events delivered")
        until(lambda: stage.committed() == len(told), "all events committed")
        code, log = worker.stop()
    assert code == 0, log
    assert stage.dead_letters(0, seconds=1) == []


def check(engine: Engine, steps: Steps) -> None:
    """The client has read the engine's rows as they were scored, all of them, and no others."""
    assert steps["count"]["value"] == len(engine.rows)
    rows = sorted(steps["table"]["value"]["values"], key=lambda row: (row[1], row[0]))
    assert [row[len(OWN) : -1] for row in rows] == engine.rows
    assert [row[-1] for row in rows] == engine.probability
    assert rows[0][0] == f"{engine.tell}-0-1"


def test_events_of_all_engines_are_the_rows_that_the_client_reads(
    broker: Broker,
    make_topic: TopicFactory,
    sandbox: RunningSandbox,
    custom_engine: tuple[str, list[str | None]],
    drive: Drivers,
) -> None:
    pairs = [pair(engine, custom_engine[0], f"my {engine.tell}") for engine in ENGINES]
    subscribed = drive({"what": "bound", "pairs": pairs, **by_key(sandbox.url, MART)})["subscriptions"]["value"]
    deliver(broker, make_topic, sandbox, MART)
    for engine, (_, _, subscription) in zip(ENGINES, subscribed, strict=True):
        plan = {"what": "rows", "subscription": subscription, "rows": len(engine.rows), **by_key(sandbox.url, MART)}
        check(engine, drive(plan))


def test_what_the_commands_alone_have_set_up_takes_events_whose_rows_the_client_reads(
    broker: Broker,
    make_topic: TopicFactory,
    sandbox: RunningSandbox,
    custom_engine: tuple[str, list[str | None]],
    drive: Drivers,
) -> None:
    """From credentials to an enabled subscription by `payload-worker mart`; its own count is the client's."""
    mart = Command(sandbox.url, MART__API_KEY=API_KEY, MART__DATA_MART_ID=COMMANDED)
    mart.did("setup", "--internal")
    subscriptions = []
    for engine in ENGINES:
        name = f"my {engine.tell}"
        mart.did("bindings", "add", engine.tell, "--name", name, CUSTOM_ENGINE_URL=custom_engine[0])
        asset = engine.asset["source_uid"]
        added = mart.did("subscriptions", "add", asset, "--binding", name, *flags(engine), "--json").json
        mart.did("logging", "enable", added["id"])
        assert "payload logging  enabled" in mart.did("logging", "show", added["id"]).out
        subscriptions.append(added["id"])
    deliver(broker, make_topic, sandbox, COMMANDED)
    for engine, subscription in zip(ENGINES, subscriptions, strict=True):
        rows = {"subscription": subscription, "rows": len(engine.rows)}
        check(engine, drive({"what": "rows", **rows, **by_key(sandbox.url, COMMANDED)}))
        assert mart.did("rows", subscription, "--count").out == f"{len(engine.rows)}\n"
