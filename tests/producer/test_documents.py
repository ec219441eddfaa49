"""What docs/producers.md shows of Python and of files does what it says."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.from_files.test_sources import ANSWER, LINE, TABLE, pair
from tests.producers.reference import on_topic
from tests.test_docs import blocks, section

if TYPE_CHECKING:
    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

TEXT = (Path(__file__).parents[2] / "docs" / "producers.md").read_text("utf-8")
(COMMANDS,) = blocks(section(TEXT, "From files"), "sh")
(SNIPPET,) = blocks(section(TEXT, "From Python"), "python")


@pytest.mark.parametrize("command", COMMANDS.splitlines())
def test_the_commands_that_are_shown_find_their_events(command: str, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(json.dumps(LINE))
    (tmp_path / "scored.csv").write_text("age,prediction,probability\n41,yes,0.75\n")
    (tmp_path / "bodies").mkdir()
    pair(tmp_path / "bodies", "a")
    words = ["-m", "worker", *shlex.split(command)[1:], "--dry-run"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert b": 1 events of " in done.stdout


def test_the_snippet_that_is_shown_sends_an_event(broker: Broker, make_topic: TopicFactory) -> None:
    topic = make_topic()
    script = SNIPPET.replace("localhost:9092", broker.bootstrap).replace("payload-events", topic)
    names = {"request": TABLE, "response": ANSWER}
    exec(script, names)  # noqa: S102 - it is our own document's
    ((key, _, event),) = on_topic(broker.bootstrap, topic)
    assert key == event["scoring_id"] == names["scoring_id"]
