"""docs/engines.md is true: its commands are run, in their order, and print what it shows, but for ids and times."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from typer.testing import CliRunner

from tests.kafka.broker import EmbeddedKafka
from tests.mart.command import EXAMPLES, ROOT
from worker import cli
from worker.config import PREFIX, Settings
from worker.control.engines import ENGINES
from worker.control.wanted import read_wanted
from worker.sandbox.options import Options
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE: Final = (ROOT / "docs" / "engines.md").read_text("utf-8")
ROW_SECONDS: Final = 120
_ID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


def printed() -> list[tuple[str, str]]:
    """The commands of the guide's console blocks, each with what it prints."""
    blocks = re.findall(r"^```console\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def shape(text: str) -> str:
    """What is printed without ids, times and the widths that follow from them."""
    text = re.sub(_TIME, "TIME", re.sub(_ID, "ID", text))
    return re.sub(r"─+", "──", re.sub(r" +(?=\n)", "", re.sub(r"  +", "  ", text)))


class Reader:
    """Somebody who reads the guide and types it; the worker is begun with the first event, and ends with `stack`."""

    def __init__(self, url: str, bootstrap: str, stack: ExitStack) -> None:
        exports = dict(re.findall(r"^export (\w+)=(\S+)$", GUIDE, re.MULTILINE))
        self.environment = exports | {
            f"{PREFIX}MART__URL": url,
            f"{PREFIX}HTTP__PORT": "0",
            f"{PREFIX}KAFKA__BOOTSTRAP_SERVERS": bootstrap,
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        }
        self._stack = stack
        self._works = False

    def types(self, command: str) -> str:
        """What a command prints; it must succeed."""
        program, *words = shlex.split(command)
        if program == "export":
            self.environment |= dict(word.split("=", 1) for word in words)
            return ""
        if program == "python":
            if not self._works:
                self._stack.enter_context(self._worker())
                self._works = True
            return self._run([sys.executable, *words])
        assert (program, words[0]) == ("payload-worker", "mart"), command
        done = CliRunner().invoke(cli.app, words, env=self.environment)
        assert (done.exit_code, done.stderr) == (0, ""), (command, done.stderr)
        return done.stdout

    def _run(self, command: list[str]) -> str:
        environment = os.environ | self.environment
        done = subprocess.run(
            command, cwd=ROOT, env=environment, check=True, timeout=60, capture_output=True, text=True
        )
        return done.stdout

    @contextmanager
    def _worker(self) -> Iterator[None]:
        command = [sys.executable, "-m", "worker", "run"]
        environment = os.environ | {k: v for k, v in self.environment.items() if k.startswith(PREFIX)}
        worker = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(60)


@pytest.mark.timeout(600)
def test_the_guides_commands_print_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with ExitStack() as stack:
        sandbox = stack.enter_context(running(Options(assets=EXAMPLES / "assets.json")))
        broker = stack.enter_context(EmbeddedKafka())
        for topic in ("payload-events", "dlq.payload-events"):
            broker.create_topic(topic, 4, {})
        reader = Reader(sandbox.url, broker.bootstrap, stack)
        for command, output in printed():
            deadline = time.monotonic() + (ROW_SECONDS if " mart rows " in command else 0)
            while shape(found := reader.types(command)) != shape(output) and time.monotonic() < deadline:
                time.sleep(0.2)
            assert shape(found) == shape(output), command


def test_the_guide_leads_every_engine_the_whole_way() -> None:
    commands = [command for command, _ in printed()]
    for engine in ENGINES:
        assert any(f"bindings add {engine} " in each for each in commands)
    for part in ("subscriptions add ", "send.py ", "mart rows "):
        assert len({each.split(part)[1].split()[0] for each in commands if part in each}) == len(ENGINES), part


def test_the_guide_names_every_command() -> None:
    listed = [command for command, _ in printed()]
    for group, names in {
        "": ("setup", "show", "delete", "assets", "rows", "apply"),
        "bindings ": ("add", "list", "show", "delete"),
        "subscriptions ": ("add", "list", "uids", "show", "delete"),
        "logging ": ("enable", "disable", "show"),
    }.items():
        for name in names:
            assert any(f"payload-worker mart {group}{name}" in each for each in listed), group + name


def test_the_guides_table_has_the_credentials_and_variables_of_the_code() -> None:
    for name, engine in ENGINES.items():
        for each in engine.credentials:
            assert f"`{each.key}`" in GUIDE, name
            assert f"`{each.variables[0]}`" in GUIDE, name


def test_the_guides_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)", GUIDE):
        assert (ROOT / "docs" / link).exists(), link


def test_the_example_file_names_every_key_there_is(tmp_path_factory: pytest.TempPathFactory) -> None:
    text = re.sub(r"^# (\w+ = )", r"\1", (EXAMPLES / "loans.toml").read_text("utf-8"), flags=re.MULTILINE)
    keys = {"binding", "asset", "deployment", "input_data_type", "problem_type", "label", "prediction", "probability"}
    for key in keys | {"features", "categorical", "payload_logging", "name", "engine", "credentials"}:
        assert re.search(rf"^{key} = |^\[\w+\.{key}\]", text, re.MULTILINE), key
    file = tmp_path_factory.mktemp("wanted") / "loans.toml"
    file.write_text(text)
    found = read_wanted(file, dict.fromkeys(re.findall(r'env = "(\w+)"', text), "x"))
    assert [each.engine.name for each in found.bindings] == list(ENGINES)


def test_the_engines_have_one_name_everywhere() -> None:
    assert [each.value for each in cli.EngineName] == [each.value for each in ENGINES]
    assert "mart" in Settings.model_fields
