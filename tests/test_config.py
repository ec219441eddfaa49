"""Settings: which source wins, what is refused, and that nothing tells a secret."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.config import PREFIX, ConfigError, Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable

WITH_TOKEN = {"MART__TOKEN": "t"}
TOKEN = '[mart]\ntoken = "t"\n'  # noqa: S105 - no one's


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets variables, named without their prefix."""

    def give(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(PREFIX + name, value)

    return give


def file(text: str | bytes, directory: Path) -> Path:
    path = directory / "worker.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def faults(text: str | bytes | None = None, flags: dict[str, Any] | None = None) -> list[str]:
    with tempfile.TemporaryDirectory() as directory, pytest.raises(ConfigError) as caught:
        load(None if text is None else file(text, Path(directory)), flags)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("api", ["v3", "V2", ""])
def test_an_interface_that_is_not_spoken_is_named_with_those_that_are(api: str) -> None:
    (fault,) = faults(flags={"mart": {"token": "t", "api": api}})
    assert fault.startswith("mart.api ")
    assert "'v1' or 'v2'" in fault


# --- which source wins -----------------------------------------------------------------------------------------------


def test_flags_win_over_the_environment_which_wins_over_the_file(
    tmp_path: Path, environment: Callable[..., None]
) -> None:
    path = file(TOKEN + "[batch]\nrecords = 1\nbytes = 2001\nlinger_ms = 3\n", tmp_path)
    assert load(path).batch.records == 1
    environment(BATCH__RECORDS="10", BATCH__BYTES="20001")
    found = load(path, {"batch": {"records": 100}}).batch
    assert (found.records, found.bytes, found.linger_ms, found.group_by) == (100, 20_001, 3, "mart")


def test_a_section_of_the_environment_replaces_only_what_it_names(
    tmp_path: Path, environment: Callable[..., None]
) -> None:
    environment(KAFKA__GROUP_ID="g", **WITH_TOKEN)
    path = file('[kafka]\ntopics = ["a", "b"]\n[kafka.consumer]\nfetch.min.bytes = 5\n', tmp_path)
    found = load(path)
    assert (found.kafka.topics, found.kafka.group_id, found.kafka.consumer) == (["a", "b"], "g", {"fetch.min.bytes": 5})


@pytest.mark.parametrize(
    "spelling",
    [
        "[kafka.consumer]\nsession.timeout.ms = 6000\n",
        '[kafka.consumer]\n"session.timeout.ms" = 6000\n',
        "[kafka.consumer]\nsession_timeout_ms = 6000\n",
        "[kafka]\nconsumer.session.timeout.ms = 6000\n",
        "[kafka.consumer.session.timeout]\nms = 6000\n",
    ],
)
def test_every_spelling_of_a_name_of_librdkafka_is_one_and_the_environment_wins(
    tmp_path: Path, environment: Callable[..., None], spelling: str
) -> None:
    path = file(TOKEN + spelling, tmp_path)
    assert load(path).kafka.consumer == {"session.timeout.ms": 6000}
    environment(KAFKA__CONSUMER__SESSION_TIMEOUT_MS="7000")
    assert load(path).kafka.consumer == {"session.timeout.ms": "7000"}


def test_a_name_of_librdkafka_with_an_underscore_keeps_it(tmp_path: Path) -> None:
    assert load(file(TOKEN + "[kafka.consumer]\nlog_level = 0\n", tmp_path)).kafka.consumer == {"log_level": 0}


def test_a_section_may_be_given_as_json(environment: Callable[..., None]) -> None:
    environment(KAFKA='{"topics":["a"]}', MART='{"token":"x"}', KAFKA__GROUP_ID="g")
    found = load(None).kafka
    assert (found.topics, found.group_id) == (["a"], "g")


def test_settings_do_not_change() -> None:
    settings = load(None, {"mart": {"token": "t"}})
    with pytest.raises(ValueError, match="frozen"):
        settings.batch.records = 5


# --- secrets in files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["s3cret", "s3cret\n", "s3cret\r\n"])
def test_a_secret_is_read_from_the_file_that_a_variable_names(
    tmp_path: Path, environment: Callable[..., None], content: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(content.encode())
    environment(MART__TOKEN_FILE=str(secret))
    token = load(None).mart.token
    assert token is not None
    assert token.get_secret_value() == "s3cret"


def test_a_secret_of_librdkafka_is_read_from_a_file(tmp_path: Path, environment: Callable[..., None]) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    environment(**WITH_TOKEN, KAFKA__CONSUMER__SASL_PASSWORD_FILE=str(secret))
    assert load(None).kafka.consumer == {"sasl.password": "s3cret"}


def test_a_file_of_a_secret_that_is_not_there_is_named(environment: Callable[..., None]) -> None:
    environment(MART__TOKEN_FILE="nowhere/secret")  # noqa: S106 - a path
    (fault,) = faults()
    assert fault.startswith("PAYLOAD_WORKER_MART__TOKEN_FILE: cannot read nowhere/secret")


def test_a_file_of_a_secret_that_is_no_text_is_named_and_not_shown(
    tmp_path: Path, environment: Callable[..., None]
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s3cret\xff")
    environment(MART__TOKEN_FILE=str(secret))
    (fault,) = faults()
    assert "PAYLOAD_WORKER_MART__TOKEN_FILE" in fault
    assert "s3cret" not in fault


def test_faults_of_files_are_reported_with_all_others(environment: Callable[..., None]) -> None:
    missing = dict.fromkeys(("MART__TOKEN_FILE", "KAFKA__CONSUMER__SASL_PASSWORD_FILE"), "nowhere")
    environment(**missing, BATCH__RECORDS="0")
    assert len(faults()) >= 3


# --- faults ----------------------------------------------------------------------------------------------------------


def test_every_fault_is_reported_together_with_where_it_came_from(environment: Callable[..., None]) -> None:
    environment(BATCH__RECORDS="many", HTTP__PORT="99999")
    text = TOKEN + '[kafka]\ntopics = []\n[log]\nformat = "xml"\n[limits]\nrecords = 0\n'
    found = {line.partition(" ")[0]: line for line in faults(text)}
    assert found.keys() == {"batch.records", "http.port", "kafka.topics", "log.format", "limits.records"}
    assert "(from PAYLOAD_WORKER_BATCH__RECORDS)" in found["batch.records"]
    assert "worker.toml)" in found["limits.records"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[mart]\ntokn = 'x'\ntoken = 't'\n", "mart.tokn"),
        (TOKEN + "[kafak]\ntopics = ['x']\n", "kafak"),
        (TOKEN + "topics = ['x']\n", "topics"),
        ("topics = ['x']\n" + TOKEN, "topics"),
        (TOKEN + "[batch]\nsize = 5\n", "batch.size"),
    ],
)
def test_an_unknown_name_in_the_file_is_refused(text: str, name: str) -> None:
    assert any(line.startswith((name, f"mart.{name}")) for line in faults(text))


def test_an_unknown_name_in_a_section_of_the_environment_is_refused(environment: Callable[..., None]) -> None:
    environment(**WITH_TOKEN, KAFKA__TOPIC="x")
    (fault,) = faults()
    assert fault.startswith("kafka.topic (from PAYLOAD_WORKER_KAFKA__TOPIC)")


@pytest.mark.parametrize("name", ["KAFAK__TOPICS", "KAFKA_BOOTSTRAP_SERVERS", "BATCH_RECORDS", "BOOTSTRAP_SERVERS"])
def test_a_variable_with_the_prefix_that_means_nothing_is_refused(environment: Callable[..., None], name: str) -> None:
    """One underscore too few, and the worker reads localhost:9092 without a word."""
    environment(**WITH_TOKEN, **{name: "x"})
    (fault,) = faults()
    assert PREFIX + name in fault


def test_variables_that_are_the_command_lines_are_no_settings(environment: Callable[..., None]) -> None:
    environment(**WITH_TOKEN, CONFIG="worker.toml")
    assert load(None).batch.records == 500


@pytest.mark.parametrize(
    "name",
    [
        "enable.auto.commit",
        "enable.auto.offset.store",
        "group.protocol.type",
        "group.id",
        "bootstrap.servers",
        "delivery.report.only.error",
        "acks",
        "request.required.acks",
        "enable.idempotence",
    ],
)
@pytest.mark.parametrize("client", ["consumer", "producer"])
def test_what_would_break_the_guarantee_is_refused_with_why(client: str, name: str) -> None:
    (fault,) = faults(TOKEN + f'[kafka.{client}]\n"{name}" = true\n')
    assert f"kafka.{client} " in fault
    assert f"{name} cannot be set: " in fault


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("consumer", "metadata.broker.list"),
        ("producer", "metadata.broker.list"),
        ("producer", "transactional.id"),
        ("consumer", "on_commit"),
        ("consumer", "error_cb"),
        ("producer", "on_delivery"),
    ],
)
def test_what_would_break_the_guarantee_by_another_name_is_refused_as_well(client: str, name: str) -> None:
    assert "cannot be set" in faults(TOKEN + f'[kafka.{client}]\n"{name}" = "false"\n')[0]


@pytest.mark.parametrize("name", ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"])
def test_what_the_broker_sets_is_refused_with_the_consumer_protocol(tmp_path: Path, name: str) -> None:
    both = f'[kafka.consumer]\n"group.protocol" = "consumer"\n"{name}" = "1"\n'
    assert f"{name} is the broker's to set" in faults(TOKEN + both)[0]
    assert load(file(TOKEN + both.replace('"consumer"', '"classic"'), tmp_path)).kafka.consumer[name] == "1"


def test_a_refused_name_from_the_environment_is_said_to_be_from_there(environment: Callable[..., None]) -> None:
    environment(**WITH_TOKEN, KAFKA__CONSUMER__ENABLE_AUTO_COMMIT="true")
    assert "PAYLOAD_WORKER_KAFKA__CONSUMER__ENABLE_AUTO_COMMIT" in faults()[0]


@pytest.mark.parametrize(
    ("mart", "part"),
    [
        ("", "exactly one of api_key, token, or username with password"),
        ("token = 't'\napi_key = 'k'", "exactly one"),
        ("token = 't'\nusername = 'u'\npassword = 'p'", "exactly one"),
        ("username = 'u'", "go together"),
        ("password = 'p'", "go together"),
        ("token = 't'\nurl = 'ftp://mart'", "url must begin with http"),
        ("token = 't'\nurl = 'https://mart/'", "not end with a slash"),
        ("token = 't'\nurl = 'http://mart:port'", "a port from 1 to 65535"),
        ("token = 't'\nurl = 'http://mart:70000'", "a port from 1 to 65535"),
        ("token = 't'\nurl = 'http://:80'", "needs a host"),
        ("token = 't'\ntimeout_seconds = 0", "greater than 0"),
        ("token = 't'\ntimeout_seconds = nan", "finite number"),
        ("token = 't'\ndata_mart_id = ''", "at least 1 character"),
        ("token = 5", "valid string"),
    ],
)
def test_a_way_to_the_mart_that_is_none_is_refused(mart: str, part: str) -> None:
    (fault,) = faults(f"[mart]\n{mart}\n")
    assert part in fault


@pytest.mark.parametrize("mart", ["api_key = 'k'", "token = 't'", "username = 'u'\npassword = 'p'"])
def test_each_way_to_authenticate_is_taken_alone(tmp_path: Path, mart: str) -> None:
    assert load(file(f"[mart]\n{mart}\n", tmp_path)).mart.url


def test_without_any_setting_it_says_what_to_set() -> None:
    (fault,) = faults()
    assert "api_key" in fault


@pytest.mark.parametrize("secret", ["", "a\nb", "t\u00f6ken"])
def test_a_token_that_no_header_can_hold_is_refused(secret: str) -> None:
    """Every post fails with it, as a fault of the connection, and is tried again for ever."""
    (fault,) = faults(flags={"mart": {"token": secret}})
    assert fault.startswith("mart")


def test_a_time_without_end_is_refused() -> None:
    assert faults("[mart]\ntoken = 't'\ntimeout_seconds = inf\n")


@pytest.mark.parametrize("letters", ["payload-events", "b"])
def test_a_dead_letter_topic_that_is_read_is_refused(letters: str) -> None:
    text = TOKEN + f'[kafka]\ntopics = ["payload-events", "b"]\n[dead_letter]\ntopic = "{letters}"\n'
    assert "dead_letter.topic: " + letters in faults(text)[0]


def test_a_dead_letter_topic_that_is_read_by_its_default_name_is_refused() -> None:
    assert "dlq.a is read as well" in faults(TOKEN + '[kafka]\ntopics = ["a", "dlq.a"]\n')[0]


def test_a_format_is_one_of_those_that_are_known_and_of_a_topic_that_is_read() -> None:
    (fault,) = faults(TOKEN + '[events.formats]\nother = "json"\n')
    assert "events.formats: other is not one of kafka.topics: payload-events" in fault
    (fault,) = faults(TOKEN + '[events.formats]\npayload-events = "xml"\n')
    assert fault.startswith("events.formats.payload-events")
    assert faults(TOKEN + "[events]\npairing_seconds = 0\n")


def test_a_dead_letter_topic_is_named_after_its_topic_unless_it_is_set() -> None:
    settings = load(None, {"mart": {"token": "t"}})
    assert settings.dead_letter_topic("x") == "dlq.x"
    settings = load(None, {"mart": {"token": "t"}, "dead_letter": {"topic": "all"}})
    assert settings.dead_letter_topic("x") == "all"


# --- files that are none ---------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file; give another with --config"):
        load(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["[kafka\n", "token = t\n", "= 5", '[mart]\ntoken = "t\n', TOKEN + TOKEN])
def test_a_file_that_is_not_toml_is_named_with_the_line(text: str) -> None:
    (fault,) = faults(text)
    assert "worker.toml: not TOML: " in fault


def test_a_file_that_is_not_utf8_is_named() -> None:
    (fault,) = faults(b'[kafka]\ngroup_id = "\xff"\n')
    assert "worker.toml" in fault


@pytest.mark.parametrize(
    ("name", "value"),
    [("KAFKA__TOPICS", "payload-events"), ("KAFKA__TOPICS", "a,b"), ("KAFKA", "s3cret"), ("MART", '{"token":"s3cret"')],
)
def test_a_variable_that_should_be_json_is_named_and_not_shown(
    environment: Callable[..., None], name: str, value: str
) -> None:
    environment(**{"MART__TOKEN": "t", name: value})
    (fault,) = faults()
    assert "s3cret" not in fault
    assert "kafka" in fault.lower() or "mart" in fault.lower()


def test_each_list_in_the_environment_that_is_no_json_is_named_to_its_end_and_no_other(
    environment: Callable[..., None],
) -> None:
    environment(
        MART__URL="http://mart",
        KAFKA__TOPICS="a,b",
        KAFKA__GROUP_ID="not JSON either",
        KAFKA__CONSUMER='{"fetch.max.bytes": 1024}',
        SCHEMAS__REGISTRY__URLS="http://registry",
    )
    found = [fault.partition(":")[0] for fault in faults()]
    assert found == [
        "kafka.topics (from PAYLOAD_WORKER_KAFKA__TOPICS)",
        "schemas.registry.urls (from PAYLOAD_WORKER_SCHEMAS__REGISTRY__URLS)",
    ]


# --- secrets ---------------------------------------------------------------------------------------------------------

SECRETS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=12).filter(
    lambda text: text.strip("* '\"\\") != "" and len(set(text)) > 6
)


@given(SECRETS.map("s3cret-{}".format), st.sampled_from(["token", "api_key", "password"]))
def test_no_secret_is_in_any_text_of_the_settings(secret: str, name: str) -> None:
    mart = {name: secret} | ({"username": "u"} if name == "password" else {})
    settings = load(None, {"mart": mart})
    shown = [repr(settings), str(settings), repr(settings.mart), f"{settings.mart}", settings.model_dump_json()]
    assert all(secret not in text and json.dumps(secret)[1:-1] not in text for text in shown)


@pytest.mark.parametrize("name", ["sasl.password", "ssl.key.password", "sasl.oauthbearer.client.secret", "ssl.key.pem"])
def test_no_secret_of_librdkafka_is_in_any_text_of_the_settings(name: str) -> None:
    settings = load(None, {"mart": {"token": "t"}, "kafka": {"consumer": {name: "s3cret"}}})
    assert settings.kafka.consumer[name] == "s3cret"
    assert "s3cret" not in repr(settings) + str(settings) + repr(settings.kafka)


@given(
    SECRETS.map("s3cret-{}".format),  # else it may be words of the message itself
    st.sampled_from(
        [
            {"mart": {"token": "%", "api_key": "%"}},
            {"mart": {"token": ["%"]}},
            {"mart": {"token": {"a": "%"}}},
            {"mart": {"password": "%"}},
            {"mart": {"url": "%", "token": "%"}},
            {"mart": {"token": "%", "timeout_seconds": "%"}},
            {"mart": {"token": "t"}, "log": {"level": "%"}, "batch": {"records": "%"}, "http": "%"},
            {"mart": {"token": "t"}, "kafka": {"consumer": {"sasl.password": ["%"]}}},
            {"mart": {"token": "t"}, "kafka": {"consumer": {"sasl.password": "%", "group.id": "%"}}},
            {"mart": "%"},
        ]
    ),
)
def test_no_fault_tells_what_was_given(secret: str, told: dict[str, Any]) -> None:
    flags = json.loads(json.dumps(told).replace("%", json.dumps(secret)[1:-1]))
    with pytest.raises(ConfigError) as caught:
        load(None, flags)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_defaults_are_settings_that_pass() -> None:
    settings = load(None, {"mart": {"token": "t"}})
    assert isinstance(settings, Settings)
    assert settings.kafka.topics == ["payload-events"]


@pytest.mark.parametrize(
    "registry",
    [
        {"urls": ["registry:8081"]},
        {"urls": ["http://"]},
        {"username": "ann"},
        {"password": "hidden"},
        {"username": "ann", "password": "hidden", "token": "hidden"},
        {"unknown_seconds": 0},
        {"timeout_seconds": 0},
        {"url": "http://registry:8081"},
    ],
)
def test_a_registry_that_is_set_wrongly_is_refused_by_name_and_without_its_secrets(registry: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"schemas\.registry") as caught:
        load(None, {"mart": {"token": "t"}, "schemas": {"registry": registry}})
    assert "hidden" not in str(caught.value)


def test_a_registry_is_set_by_variables_and_its_secrets_are_masked(environment: Callable[..., None]) -> None:
    urls = ["http://a:8081", "https://b/ccompat"]
    environment(**WITH_TOKEN, SCHEMAS__REGISTRY__URLS=json.dumps(urls))
    environment(SCHEMAS__REGISTRY__USERNAME="ann", SCHEMAS__REGISTRY__PASSWORD="hidden")  # noqa: S106 - no one's
    loaded = load(None)
    assert loaded.schemas.registry.urls == urls
    assert "hidden" not in repr(loaded)
