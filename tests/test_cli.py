"""The command line as people and supervisors see it: exit codes, and messages that name the thing and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from worker import __version__
from worker.config import PREFIX
from worker.sandbox.options import Options
from worker.sandbox.seed import DATA_MART_ID, seed
from worker.sandbox.serve import RunningSandbox, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

OK, USAGE, DATA, UNAVAILABLE, CONFIG = 0, 2, 65, 69, 78


class Done(NamedTuple):
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> dict[str, str]:
        """What `check` found: `ok` or `FAIL` and the text, by the name of the thing."""
        found = {}
        for line in self.out.splitlines():
            state, rest = line[:4].strip(), line[6:]
            name, _, text = rest.partition(": ")
            found[name] = f"{state} {text}"
        return found


def begun(*arguments: str, **settings: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.Popen(
        [sys.executable, "-m", "worker", *arguments],
        env=kept | {PREFIX + name: value for name, value in settings.items()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> Done:
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert "Traceback" not in out + err, err
    return Done(process.returncode, out, err)


def command(*arguments: str, **settings: str) -> Done:
    return ended(begun(*arguments, **settings))


TOKEN = {"MART__TOKEN": "s3cret-t0ken"}
NOWHERE = {"KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    """A sandbox that knows one key, with a subscription."""
    with running(Options(api_key="k3y")) as started:
        seed(started.url, engines=["custom"], api_key="k3y")
        yield started


@pytest.fixture
def place(broker: Broker, make_topic: TopicFactory, sandbox: RunningSandbox) -> dict[str, str]:
    """Settings with which all is well."""
    sandbox.heal()
    return {
        "KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap,
        "KAFKA__TOPICS": f'["{make_topic()}"]',
        "DEAD_LETTER__TOPIC": make_topic(),
        "MART__URL": sandbox.url,
        "MART__DATA_MART_ID": DATA_MART_ID,
        "MART__API_KEY": "k3y",
        "MART__TIMEOUT_SECONDS": "5",
    }


# --- help, version, usage ---------------------------------------------------------------------------------------------


def test_help_names_every_command() -> None:
    done = command("--help")
    assert done.code == OK
    for name in ("run", "replay", "check", "preview", "sandbox", "dlq", "version"):
        assert f" {name} " in done.out
    assert "OpenScale" in done.out


def test_the_version_is_the_packages() -> None:
    assert command("version") == (OK, f"{__version__}\n", "")


@pytest.mark.parametrize("arguments", [["nothing"], ["run", "--nothing"], ["preview"], ["sandbox", "--port", "x"]])
def test_wrong_usage_is_told_from_all_other_failures(arguments: list[str]) -> None:
    done = command(*arguments)
    assert done.code == USAGE
    assert done.err


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run", "check"])
def test_wrong_settings_end_with_78_and_a_line_for_each(name: str, tmp_path: Path) -> None:
    path = tmp_path / "worker.toml"
    path.write_text('[kafka]\ntopics = []\n[mart]\ntoken = "s3cret-t0ken"\n')
    done = command(name, "--config", str(path), BATCH__RECORDS="0")
    assert (done.code, done.out) == (CONFIG, "")
    assert "kafka.topics (from" in done.err
    assert "batch.records (from PAYLOAD_WORKER_BATCH__RECORDS)" in done.err
    assert "s3cret" not in done.err


def test_a_file_of_settings_that_is_not_there_is_named_by_flag_and_by_variable() -> None:
    for done in (command("run", "--config", "nowhere.toml"), command("run", CONFIG="nowhere.toml")):
        assert done.code == CONFIG
        assert "nowhere.toml: no such file" in done.err


def test_topics_that_are_no_json_are_a_fault_of_the_settings() -> None:
    done = command("run", KAFKA__TOPICS="payload-events", **TOKEN)
    assert done.code == CONFIG
    assert "topics" in done.err.lower()


@pytest.mark.parametrize("client", ["CONSUMER", "PRODUCER"])
def test_a_setting_that_librdkafka_does_not_know_is_a_fault_of_the_settings(place: dict[str, str], client: str) -> None:
    done = command("run", **place, **{f"KAFKA__{client}__BOGUS_NAME": "1"})
    assert done.code == CONFIG
    assert "bogus.name" in done.err


def test_check_finds_a_setting_that_librdkafka_does_not_know(place: dict[str, str]) -> None:
    assert command("check", **place, KAFKA__CONSUMER__BOGUS_NAME="1").code == CONFIG


def test_a_schema_directory_that_is_wrong_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    done = command("run", SCHEMAS__DIRECTORY=str(tmp_path), **TOKEN, **NOWHERE)
    assert done.code == CONFIG
    assert "index.json: cannot be read" in done.err


def test_a_bare_topic_of_an_unknown_schema_is_a_fault_of_the_settings() -> None:
    done = command("run", SCHEMAS__BARE='{"orders":"nothing/1"}', **TOKEN, **NOWHERE)
    assert done.code == CONFIG
    assert "topic orders names nothing/1" in done.err


# --- run --------------------------------------------------------------------------------------------------------------


def test_a_broker_that_is_not_there_ends_with_69_for_run_and_for_check(sandbox: RunningSandbox) -> None:
    """Both at once: each waits ten seconds for a broker."""
    mart = {"MART__URL": sandbox.url, "MART__DATA_MART_ID": DATA_MART_ID, "MART__API_KEY": "k3y"}
    run, check = begun("run", **mart, **NOWHERE), begun("check", **mart, **NOWHERE)
    done = ended(run)
    assert (done.code, done.out) == (UNAVAILABLE, "")
    assert "127.0.0.1:1: no broker answers" in done.err
    done = ended(check)
    assert done.code == UNAVAILABLE
    assert done.lines["broker"].startswith("FAIL 127.0.0.1:1: no broker answers")
    assert "check kafka.bootstrap_servers" in done.lines["broker"]
    assert done.lines["token"] == "ok fetched"  # noqa: S105 - what is said of it
    assert done.lines["directory"] == "ok subscriptions: 1"


def test_a_topic_that_is_not_there_ends_with_69(place: dict[str, str]) -> None:
    done = command("run", **place | {"KAFKA__TOPICS": '["no-such-topic"]'})
    assert done.code == UNAVAILABLE
    assert "no such topic: no-such-topic; create it, the worker never does" in done.err


def test_a_port_that_is_taken_is_named(place: dict[str, str], sandbox: RunningSandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    done = command("run", **place, HTTP__PORT=port)
    assert done.code == CONFIG
    assert f"http.port {port} on 127.0.0.1: Address already in use" in done.err


# --- check ------------------------------------------------------------------------------------------------------------


def test_check_is_content_where_all_is_well(place: dict[str, str]) -> None:
    done = command("check", **place)
    assert done.code == OK, done.out
    assert done.err == ""
    kafka = ["broker", "topic", "dead-letter topic", "dead-letter limits", "flood guard"]
    names = ["settings", "schemas", *kafka, "token", "data mart", "directory"]
    assert list(done.lines) == names
    assert all(text.startswith("ok ") for text in done.lines.values())
    assert "k3y" not in done.out


@pytest.mark.parametrize(
    ("wrong", "name", "part", "code"),
    [
        ({"KAFKA__TOPICS": '["no-such"]'}, "topic", "no-such does not exist: create it", UNAVAILABLE),
        ({"DEAD_LETTER__TOPIC": "no-such"}, "dead-letter topic", "no-such does not exist: create it", UNAVAILABLE),
        ({"MART__API_KEY": "wr0ng"}, "token", "refused (400); check mart.api_key", CONFIG),
        ({"MART__URL": "http://127.0.0.1:1"}, "token", "no answer (ConnectError); check mart.url", UNAVAILABLE),
        ({"MART__DATA_MART_ID": "other"}, "data mart", "answered 404 AISCS0005W; check mart.url", UNAVAILABLE),
        ({"SCHEMAS__BARE": '{"t":"nothing"}'}, "schemas", "topic t names nothing", CONFIG),
    ],
)
def test_check_names_what_is_wrong_and_what_to_do(
    place: dict[str, str], wrong: dict[str, str], name: str, part: str, code: int
) -> None:
    done = command("check", **place | wrong)
    assert done.code == code, done.out
    assert done.lines[name].startswith("FAIL ")
    assert part in done.lines[name]
    assert "wr0ng" not in done.out + done.err
    others = [text for other, text in done.lines.items() if other != name]
    assert all(text.startswith("ok ") for text in others)


@pytest.mark.parametrize("path", ["/service_bindings$", "/subscriptions$"])
def test_check_names_a_directory_that_is_not_to_be_had(
    place: dict[str, str], sandbox: RunningSandbox, path: str
) -> None:
    sandbox.fault({"match": {"method": "GET", "path": path}, "action": {"status": 500}})
    done = command("check", **place)
    sandbox.heal()
    assert done.code == UNAVAILABLE
    assert "answered 500" in done.lines["directory"]


def test_check_survives_a_token_that_is_refused_and_cannot_be_renewed(
    place: dict[str, str], sandbox: RunningSandbox
) -> None:
    sandbox.fault(
        {"match": {"method": "GET", "path": "^/v1/data_marts"}, "action": {"status": 401}},
        {"match": {"path": "validateAuth"}, "after": 1, "action": {"status": 503}},
    )
    done = command("check", **place)
    sandbox.heal()
    assert done.code == UNAVAILABLE


def test_check_says_of_a_token_that_is_refused_to_check_the_token(place: dict[str, str]) -> None:
    settings = {name: value for name, value in place.items() if name != "MART__API_KEY"}
    done = command("check", **settings, **TOKEN)
    assert done.code == CONFIG
    assert "mart.token" in done.lines["data mart"]
    assert "s3cret" not in done.out


def test_check_survives_an_answer_of_endless_depth(place: dict[str, str], sandbox: RunningSandbox) -> None:
    sandbox.fault({"match": {"path": "^/v1/data_marts"}, "action": {"status": 200, "body": "[" * 100_000}})
    done = command("check", **place)
    sandbox.heal()
    assert done.code == UNAVAILABLE


# --- preview ----------------------------------------------------------------------------------------------------------


def previewed(tmp_path: Path, request: bytes, response: bytes, *more: str) -> Done:
    (tmp_path / "request").write_bytes(request)
    (tmp_path / "response").write_bytes(response)
    files = ["--request", str(tmp_path / "request"), "--response", str(tmp_path / "response")]
    return command("preview", *files, *more)


def test_preview_prints_what_would_be_posted(tmp_path: Path) -> None:
    done = previewed(
        tmp_path, b"1, 2.\n", b'{"predictions":[{"score":0.5}]}', "--engine", "sagemaker", "--features", "a, b"
    )
    assert (done.code, done.err) == (OK, "")
    assert '"fields": [\n      "a",\n      "b"\n    ]' in done.out
    assert done.out.endswith("}\n")


@pytest.mark.parametrize(
    ("request_data", "part"),
    [
        (b"{", "normalise (not-json): request: "),
        (b'{"fields":["a"],"values":[[1e999]]}', "not-finite"),
        (b"", "preview"),
    ],
)
def test_preview_says_why_nothing_would_be_posted(tmp_path: Path, request_data: bytes, part: str) -> None:
    done = previewed(tmp_path, request_data, b'{"fields":["p"],"values":[[1]]}', "--engine", "custom")
    assert (done.code, done.out) == (DATA, "")
    assert done.err.startswith("payload-worker: ")
    assert part in done.err or part == "preview"


def test_preview_names_a_file_that_is_not_there_and_an_engine_that_is_none(tmp_path: Path) -> None:
    done = command("preview", "--engine", "custom", "--request", str(tmp_path / "no"), "--response", "no")
    assert done.code == DATA
    assert "no: No such file or directory" in done.err
    done = previewed(tmp_path, b"{}", b"{}", "--engine", "spss")
    assert done.code == USAGE
