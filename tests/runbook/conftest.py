"""A stage for each procedure, and the tools that its commands name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kafka import install
from tests.runbook.play import Play
from tests.runbook.tools import Tools
from tests.way.stage import Stage
from worker.sandbox.seed import seed
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """The commands of the page; where Kafka's own tools cannot be had the test is skipped."""
    lack = install.missing()
    if lack is not None:
        pytest.skip(f"the runbook's commands need Kafka's own tools ({lack})")
    install.fetch()
    return Tools(tmp_path_factory.mktemp("tools"))


@pytest.fixture
def stage(broker: Broker, make_topic: TopicFactory) -> Iterator[Stage]:
    """A topic of four partitions with its dead-letter topic, and a sandbox; failures are tried again soon."""
    topic = make_topic(prefix="events")
    letters = make_topic(prefix="letters")
    with running() as sandbox:
        stage = Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, seed(sandbox.url))
        stage.settings["DELIVERY__RETRY_WAIT_MAX_SECONDS"] = "1"
        yield stage


@pytest.fixture
def begin(stage: Stage, tools: Tools) -> Iterator[Callable[[str], Play]]:
    """Begins to play the procedure of a title; its workers end with the test."""
    played: list[Play] = []

    def made(title: str) -> Play:
        played.append(Play(stage, tools, title))
        return played[-1]

    yield made
    for play in played:
        play.__exit__()
