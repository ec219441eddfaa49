"""The documents are true: they print what the code does, they list what it has, and their links lead somewhere."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

import fastavro
import pytest
import typer
from confluent_kafka import Consumer, TopicPartition
from pydantic import BaseModel, SecretStr, ValidationError
from typer.testing import CliRunner

from tests.kafka.broker import EmbeddedKafka
from worker import cli, config, telemetry
from worker.console import DATA
from worker.edges.directory import fetch_directory
from worker.edges.letter_headers import FULL, Convention, headers
from worker.edges.schemas import load_schemas, shipped
from worker.flow.verdict import judge
from worker.mart.client import MartClient, token_source
from worker.mart.token import TOKEN_URLS
from worker.model import Claim, Disposition, Envelope, Refusal, Rejection, Side
from worker.rooms.decode import Decoder
from worker.rooms.identity import NAMESPACE, Identity
from worker.rooms.normalise import Code
from worker.rooms.places import REDRIVES
from worker.rooms.suite import Suite
from worker.sandbox.seed import DATA_MART_ID, connect, seed, token
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from worker.rooms.directory import Directory

ROOT: Final = Path(__file__).parents[1]
WORKER: Final = ROOT / "worker"
NAMES: Final = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/contract.md",
    "docs/engines.md",
    "docs/operations.md",
    "docs/performance.md",
    "docs/producers.md",
    "docs/runbook.md",
    "docs/scaling.md",
    "schemas/README.md",
)
DOCUMENTS: Final = {name: (ROOT / name).read_text("utf-8") for name in NAMES}
README: Final = DOCUMENTS["README.md"]
OPERATIONS: Final = DOCUMENTS["docs/operations.md"]
ARCHITECTURE: Final = DOCUMENTS["docs/architecture.md"]
SCHEMAS: Final = DOCUMENTS["schemas/README.md"]
EXAMPLE: Final = ROOT / "payload-worker.example.toml"

CLUSTER: Final = "MkU3OEVBNTcwNTJENDM2Qg"
TOPIC_ID: Final = "hp0LTzpIQmyEaw1Bd7xVRA"


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next of its level or above."""
    found = re.search(
        rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", unfenced_headings(text), re.DOTALL | re.MULTILINE
    )
    assert found is not None, title
    if len(found[1]) > 2:
        return re.split(r"^#{1,3} ", found[2], maxsplit=1, flags=re.MULTILINE)[0]
    return found[2]


def unfenced_headings(text: str) -> str:
    """The text with the comments of shell blocks made unlike headings."""
    return re.sub(r"```sh\n.*?```", lambda block: block[0].replace("\n#", "\n #"), text, flags=re.DOTALL)


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in a text, without headings and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = {at for at, row in enumerate(cells) if all(re.fullmatch(r":?-+:?", cell) for cell in row)}
    return [row for at, row in enumerate(cells) if at not in rules and at + 1 not in rules]


def ticked(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def calls(*names: str) -> Iterator[ast.Call]:
    """The calls in the worker of functions or methods with these names."""
    for path in WORKER.rglob("*.py"):
        if path.is_relative_to(WORKER / "sandbox") or path.is_relative_to(WORKER / "demo"):
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names:
                yield node


def texts(node: ast.AST) -> list[str]:
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(config.PREFIX)]:
        monkeypatch.delenv(name)


# --- links and names --------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", DOCUMENTS[name]):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text("utf-8")), link


def test_commands_and_targets_that_are_named_exist() -> None:
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    known = set(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]  # it is a group
    for name, text in DOCUMENTS.items():
        spans = "\n".join([*ticked(re.sub(r"```.*?```", "", text, flags=re.DOTALL)), *blocks(text, "(?:sh|console)")])
        assert set(re.findall(r"(?:^|\$ )make ([a-z]+)", spans, re.MULTILINE)) <= made, name
        assert set(re.findall(r"(?:^|[/ ])payload-worker ([a-z]+)\b", spans, re.MULTILINE)) <= known, name


def test_every_section_of_the_contract_that_the_code_cites_is_there() -> None:
    cited = {
        number
        for path in [*WORKER.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
        for line in path.read_text("utf-8").splitlines()
        if "RFC" not in line
        for number in re.findall(r"§(\d(?:\.\d)?)", line)
    }
    there = set(re.findall(r"^##+ (\d(?:\.\d)?)\.? ", DOCUMENTS["docs/contract.md"], re.MULTILINE))
    assert len(cited) > 10
    assert cited - there == set()


def test_the_token_urls_of_the_contract_are_those_of_the_worker() -> None:
    told = rows(section(DOCUMENTS["docs/contract.md"], "1.1 Which token URL"))[:-1]
    assert {service: token for services, token in told for service in ticked(services)} == {
        service: f"`{token}`" for service, token in TOKEN_URLS.items()
    }


# --- architecture -----------------------------------------------------------------------------------------------------


def test_every_part_of_the_worker_has_its_charter() -> None:
    parts = {path.stem for path in WORKER.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    told = {name for row in rows(section(ARCHITECTURE, "Packages")) for name in ticked(row[0])}
    assert told == parts - {"__init__", "__main__"}


def test_every_module_that_the_map_names_is_there() -> None:
    for row in rows(section(ARCHITECTURE, "The data's way")):
        for name in ticked(row[1]):
            path = WORKER.joinpath(*name.split("."))
            assert path.with_suffix(".py").exists() or path.is_dir(), name


BODIES: Final = {
    "in the data mart's error form": '{"errors":[{"code":"AIQCS0003W"}]}',
    "no such data mart": '{"errors":[{"code":"AIQCS0005W"}]}',
    "any other": "{}",
}


def test_the_table_of_answers_is_that_of_the_code() -> None:
    now = datetime.now(UTC)
    told: set[int] = set()
    for answer, reason, verdict, _ in rows(section(ARCHITECTURE, "What an answer means")):
        body = next((body for words, body in BODIES.items() if words in answer), "<html>")
        for status in map(int, re.findall(r"\b\d{3}\b", answer)):
            judged = judge(status, {}, body, now)
            told.add(status)
            assert verdict == judged.verdict.name, (status, answer)
            assert judged.reason in [each.replace("<status>", str(status)) for each in ticked(reason)], (status, answer)
    listed = {status for status in range(200, 600) if not judge(status, {}, "{}", now).reason.startswith("unexpected")}
    assert {status for status in listed if status < 500} | {500, 502, 503, 504} <= told


# --- operations -------------------------------------------------------------------------------------------------------


def test_every_metric_is_told_and_no_other() -> None:
    known = {f"{name}_total": labels for name, (_, labels) in telemetry.COUNTERS.items()}
    known |= {name: labels for name, (_, labels) in telemetry.GAUGES.items()}
    told = {name.strip("`"): tuple(ticked(labels)) for name, labels, _, _ in rows(section(OPERATIONS, "Metrics"))}
    assert told == known
    assert f"`{telemetry.NAME}_`" in section(OPERATIONS, "Metrics")


SHOWING: Final = ("showing.py", "processes/merged.py")


def test_a_metric_without_a_value_is_told_to_have_none() -> None:
    shown = {text for name in SHOWING for text in texts(ast.parse((WORKER / name).read_bytes()))}
    silent = (telemetry.COUNTERS.keys() | telemetry.GAUGES.keys()) - shown
    told = re.findall(r"`(\w+?)(?:_total)?` is declared, but has no value", section(OPERATIONS, "Metrics"))
    assert set(told) == silent


def test_every_health_path_is_told_and_no_other() -> None:
    tree = ast.parse((WORKER / "telemetry.py").read_bytes())
    paths = {text for text in texts(tree) if re.fullmatch(r"/[a-z]+", text)}
    assert {row[0].strip("`") for row in rows(section(OPERATIONS, "Health"))} == paths


def test_every_event_of_the_log_is_told_with_its_level() -> None:
    known = {}
    for call in calls("info", "warning", "error"):
        if call.args and isinstance(call.args[0], ast.Constant):
            known[call.args[0].value] = ast.unparse(call.func).rpartition(".")[2]
    for call in calls("notice"):
        # either of two where the first argument chooses
        chosen = call.args[0].body if isinstance(call.args[0], ast.IfExp) else call.args[0]
        other = call.args[0].orelse if isinstance(call.args[0], ast.IfExp) else chosen
        known |= dict.fromkeys(texts(chosen) + texts(other), "warning")
    assert {event.strip("`"): level for event, level, _, _ in rows(section(OPERATIONS, "Logs"))} == known


def letters() -> dict[str, list[str]]:
    """The dispositions that are told, each with its codes."""
    table = [row for row in rows(section(OPERATIONS, "Dead letters")) if len(row) == 4]
    return {disposition.strip("`"): ticked(codes) for disposition, codes, _, _ in table}


def test_every_disposition_is_told_and_no_other() -> None:
    assert letters().keys() == set(Disposition)
    promised = section(README, "What is promised")
    assert set(Disposition) <= set(ticked(promised))


def test_every_code_of_the_rooms_stands_beside_its_disposition() -> None:
    told = letters()
    for code in Code:
        assert code.value in told[code.disposition], code
    known = {code.value for code in Code}
    known |= {f"{fault}-{side}" for fault in ("unpaired", "duplicate") for side in Side}
    for call in calls("Refusal", "_invalid", "_unknown", "_refused"):
        known |= {each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    known = {code for code in known if re.fullmatch(r"[a-z0-9-]+", code)}
    for status, body in (
        (400, "{}"),
        (403, "<html>"),
        (404, BODIES["in the data mart's error form"]),
        (409, ""),
        (413, ""),
    ):
        judged = judge(status, {}, body, datetime.now(UTC))
        known.add(judged.reason)
        assert judged.reason in told[judged.disposition]
    rest = {code for disposition, codes in told.items() if disposition != "server-error" for code in codes}
    assert rest == known


def added(convention: Convention) -> set[str]:
    """The names of all headers that a letter can have, of a record that was sent back."""
    envelope = Envelope(Claim("t", 0), 0, 0, None, b"", [(REDRIVES, b"1")])
    refusal = Refusal(Disposition.REJECTED, "rejected", "")
    rejection = Rejection(envelope, refusal, 1, 400, "{}")
    return {name for name, _ in headers(rejection, "g", FULL, convention, {"t": "id"})}


def test_every_header_of_a_dead_letter_is_told() -> None:
    found = rows(section(OPERATIONS, "Dead letters"))
    told = {name for row in found if len(row) == 2 for name in ticked(row[0])}
    assert told == added("kafka")
    other = [{name for row in found if len(row) == 3 for name in ticked(row[at])} for at in (1, 2)]
    assert [names - told for names in other] == [added(each) - told for each in ("connect", "spring")]


def test_every_exit_code_is_told() -> None:
    told = {int(code) for row in rows(section(README, "Exit codes")) for code in row[0].split(", ")}
    codes = {value for name, value in vars(cli).items() if name.isupper() and type(value) is int}
    assert told == codes | {1, 2, 130, 143}
    assert {int(code) for code in re.findall(r"\b\d+\b", section(OPERATIONS, "Exit codes").partition(".")[2])} >= told


# --- settings ---------------------------------------------------------------------------------------------------------


def settings() -> Iterator[tuple[str, str, FieldInfo]]:
    """Every setting: section (`schemas.registry` for one within another), name, and what its model says."""
    for part, field in config.Settings.model_fields.items():
        yield from settings_of(part, field.annotation)


def settings_of(part: str, model: Any) -> Iterator[tuple[str, str, FieldInfo]]:
    for name, each in model.model_fields.items():
        if isinstance(each.annotation, type) and issubclass(each.annotation, BaseModel):
            yield from settings_of(f"{part}.{name}", each.annotation)
        else:
            yield part, name, each


def kind(field: FieldInfo) -> str:
    """What a setting may be, in words."""
    of: Any = field.annotation
    of = next((each for each in get_args(of) if each is not type(None)), of) if type(None) in get_args(of) else of
    if get_origin(of) is Literal:
        return " or ".join(f"`{each}`" for each in get_args(of))
    names = {
        str: "text",
        int: "integer",
        float: "number",
        Path: "path",
        SecretStr: "secret",
        list: "list",
        dict: "table",
    }
    bounds = [
        f"{sign} {number}"
        for limit in field.metadata
        for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"))
        if (number := getattr(limit, attribute, None)) is not None
    ]
    return ", ".join([names[get_origin(of) or of], *bounds])


def default(field: FieldInfo) -> str:
    return "unset" if field.default is None else f"`{json.dumps(field.default)}`"


def test_every_setting_is_told_with_its_default_and_its_bounds() -> None:
    told = rows(section(OPERATIONS, "Settings"))
    assert [row[:3] for row in told] == [
        [f"`{part}.{name}`", default(field), kind(field)] for part, name, field in settings()
    ]
    assert all(row[3] for row in told)


def test_the_example_has_every_setting_at_its_default() -> None:
    loaded = config.load(EXAMPLE)
    plain = config.Settings(mart=config.Mart(api_key=loaded.mart.api_key))
    assert loaded.model_dump() == plain.model_dump()
    text = EXAMPLE.read_text("utf-8")
    for part, name, field in settings():
        of_part = text.partition(f"\n[{part}]\n")[2].partition("\n[")[0]
        nested = f"\n[{part}.{name}]\n" in text
        written = re.search(rf"^{'' if field.default is not None else '# '}{name} = ", of_part, re.MULTILINE)
        assert nested or written or name == "api_key", f"{part}.{name}"


def variables(name: str) -> tuple[str, str]:
    """Of the README's table of ways, the variable of this name and what it is set to."""
    for _, example in rows(section(README, "Settings")):
        for each in ticked(example):
            variable, sign, value = each.partition("=")
            if sign and variable == config.PREFIX + name:
                return variable, value.strip("'")
    raise AssertionError(name)


def test_variables_win_over_the_file_of_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[mart]\napi_key = "from TOML"\n[kafka]\ntopics = ["other"]\n')
    monkeypatch.setenv(*variables("KAFKA__TOPICS"))
    monkeypatch.setenv(*variables("MART__API_KEY"))
    monkeypatch.setenv(f"{config.PREFIX}KAFKA__CONSUMER__SESSION_TIMEOUT_MS", "6000")
    loaded = config.load(file)
    assert loaded.kafka.topics == ["payload-events"]
    assert loaded.mart.api_key == SecretStr("my-key")
    assert str(loaded.kafka.consumer["session.timeout.ms"]) == "6000"


def test_the_file_of_a_secret_wins_over_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variable, _ = variables("MART__API_KEY_FILE")
    secret = tmp_path / "api-key"
    secret.write_text("from its file\n")
    monkeypatch.setenv(variable, str(secret))
    monkeypatch.setenv(f"{config.PREFIX}MART__API_KEY", "plain")
    assert config.load(None).mart.api_key == SecretStr("from its file")


def test_the_settings_of_librdkafka_that_are_told_to_be_refused_are() -> None:
    told = section(OPERATIONS, "Settings").partition("these are refused")[2].partition("The worker's own defaults")[0]
    always, _, classic = told.partition('With `group.protocol = "consumer"`')
    assert len(ticked(always)) > 5
    for name in ticked(always):
        with pytest.raises(ValidationError):
            config.Kafka(consumer={name: "x"})
    assert ticked(classic)
    for name in ticked(classic):
        config.Kafka(consumer={name: "x"})
        with pytest.raises(ValidationError):
            config.Kafka(consumer={name: "x", "group.protocol": "consumer"})


# --- what the README prints -------------------------------------------------------------------------------------------


def printed() -> list[tuple[str, str]]:
    """The commands of the README's console block, each with what it prints."""
    (block,) = blocks(README, "console")
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


@pytest.mark.parametrize(("command", "output"), printed(), ids=[str(at) for at in range(len(printed()))])
def test_preview_prints_what_the_readme_says(command: str, output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shown, _, folded = command.partition(" | ")
    arguments = shown.removeprefix("payload-worker ").split()
    found = CliRunner().invoke(cli.app, arguments)
    if folded:
        assert (found.exit_code, folded) == (cli.OK, "python -m json.tool --compact")
        assert json.dumps(json.loads(found.stdout), separators=(",", ":")) + "\n" == output
    else:
        assert (found.exit_code, found.stdout, found.stderr) == (DATA, "", output)


def test_every_engine_is_previewed() -> None:
    commands = " ".join(command for command, _ in printed())
    assert set(re.findall(r"--engine (\S+)", commands)) == {each.value for each in cli.EngineName}


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    """What a sandbox holds that was begun with `--seed`."""
    with running() as sandbox:
        seed(sandbox.url)
        with connect(sandbox.url) as client:
            given = SecretStr(token(client, "any-will-do"))
        settings = config.Mart(url=sandbox.url, data_mart_id=DATA_MART_ID, token=given)
        mart = MartClient(settings, token_source(settings))
        yield fetch_directory(mart, 0)
        mart.close()


SUITE: Final = Suite(
    Decoder(load_schemas(None, {}), 1_000_000), Identity(CLUSTER, {"payload-events": TOPIC_ID}), 1_000_000
)


def posted(value: bytes | None, directory: Directory) -> Any:
    """The record that an event becomes, at the place that the documents take: partition 3, offset 42."""
    envelope = Envelope(Claim("payload-events", 3), 42, 1_560_247_200_123, None, value, ())
    passed = SUITE.walk([envelope], directory)
    assert (passed.rejected, passed.unknown) == ([], [])
    return json.loads(passed.rows[0].payload)


def test_the_readmes_producer_sends_an_event_that_becomes_a_record(directory: Directory) -> None:
    (code,) = blocks(README, "python")
    with EmbeddedKafka() as broker:
        broker.create_topic("payload-events", 4, {})
        environment = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap}
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=30)
        consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "docs"})
        consumer.assign([TopicPartition("payload-events", number, 0) for number in range(4)])
        (message,) = consumer.consume(1, 10)
        consumer.close()
    record = posted(message.value(), directory)
    assert record["subscription_id"] in README
    assert uuid.UUID(record["scoring_id"]).version == 4
    assert (record["response_time"], record["request"]["values"]) == (12, [[41, 37.5, 52000, "retail"]])
    assert record["scoring_timestamp"][:4] == str(datetime.now(UTC).year)


# --- what schemas/README.md prints ------------------------------------------------------------------------------------

SCHEMA: Final = fastavro.parse_schema(json.loads((shipped() / "payload_event.avsc").read_text("utf-8")))


def examples() -> dict[str, tuple[str, str]]:
    """The examples by their headings: the event in Avro's JSON encoding, and the record that comes of it."""
    found = {}
    for part in re.split(r"^### ", SCHEMAS, flags=re.MULTILINE)[1:]:
        shown = blocks(part, "json")
        if len(shown) == 2:
            found[part.partition("\n")[0]] = (shown[0], shown[1])
    return found


def encoded(event: str) -> bytes:
    """An event in Avro's JSON encoding, as Avro in Confluent's framing."""
    (record,) = fastavro.json_reader(io.StringIO(json.dumps(json.loads(event))), SCHEMA)
    value = io.BytesIO()
    value.write(bytes.fromhex("0000000001"))
    fastavro.schemaless_writer(value, SCHEMA, record)
    return value.getvalue()


@pytest.mark.parametrize("title", examples())
def test_an_example_becomes_the_record_that_is_printed(title: str, directory: Directory) -> None:
    event, record = examples()[title]
    # as text: 1, 1.0 and true are equal to Python
    assert json.dumps(posted(encoded(event), directory)) == json.dumps(json.loads(record))


def test_every_engine_has_an_example() -> None:
    assert list(examples()) == ["Custom engine", "Azure ML Studio", "Azure ML Service", "Amazon SageMaker", "A Table"]


def test_the_derived_scoring_id_is_the_one_that_is_told() -> None:
    text = section(SCHEMAS, "The scoring id")
    name = f"{CLUSTER}/{TOPIC_ID}/3/42"
    assert f"`{NAMESPACE}`" in text
    assert f"`{name}`" in text
    assert f"`{uuid.uuid5(NAMESPACE, name)}`" in text
    assert str(uuid.uuid5(NAMESPACE, name)) in examples()["Amazon SageMaker"][1]


def fingerprint(canonical: bytes) -> int:
    """CRC-64-AVRO by the Avro specification's own words, bit by bit."""
    empty = value = 0xC15D213AA4D7A795
    for byte in canonical:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (empty if value & 1 else 0)
    return value


def test_the_framings_are_printed_byte_by_byte_as_they_are(directory: Directory) -> None:
    mark = fingerprint(fastavro.schema.to_parsing_canonical_form(SCHEMA).encode()).to_bytes(8, "little")
    text = section(SCHEMAS, "Framings")
    assert f"`c3 01 {mark.hex(' ')}`" in text
    assert f"`{int.from_bytes(mark, 'little'):016x}`" in text
    assert "`00 00 00 00 01`" in text
    confluent = encoded(examples()["Custom engine"][0])
    assert posted(b"\xc3\x01" + mark + confluent[5:], directory) == posted(confluent, directory)


def test_every_field_of_the_schema_is_told() -> None:
    fields = {field["name"] for field in json.loads((shipped() / "payload_event.avsc").read_text("utf-8"))["fields"]}
    assert {row[0].strip("`") for row in rows(section(SCHEMAS, "The event"))} == fields
