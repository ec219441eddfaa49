"""A stage for each test: topics and a group of its own on the session's broker, and a sandbox of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.way.stage import Stage
from worker.sandbox.seed import seed
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker


@pytest.fixture
def stage(broker: Broker, make_topic: TopicFactory) -> Iterator[Stage]:
    """A topic of four partitions with its dead-letter topic, and a sandbox with all engines."""
    topic = make_topic(prefix="events")
    letters = make_topic(prefix="letters")
    with running() as sandbox:
        yield Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, seed(sandbox.url))
