"""Settings: TOML file, then environment, then flags; resolved once, every error reported together, secrets masked."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_origin
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from worker.librdkafka import SECRET, Librdkafka

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "PAYLOAD_WORKER_"
_FLAGS = frozenset({"CONFIG", "PROCESSES", "PURE_PYTHON"})
"""Variables with the prefix that stand for flags, and are no settings."""
MIB = 1024 * 1024


class ConfigError(Exception):
    """Settings that cannot be used; the message has one line for each fault."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Kafka(_Section):
    """Where events come from. `consumer` and `producer` are librdkafka's own settings, by their own names."""

    bootstrap_servers: str = "localhost:9092"
    topics: list[str] = Field(default=["payload-events"], min_length=1)
    group_id: str = Field(default="openscale-payload-worker", min_length=1)
    consumer: Librdkafka = {}
    producer: Librdkafka = {}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            masked = isinstance(value, dict)
            yield name, {key: "**********" if SECRET.search(key) else value[key] for key in value} if masked else value


class DeadLetter(_Section):
    """Where refused records go; by default `dlq.<topic>` for each topic (KIP-1191). `headers`: in whose names."""

    topic: str | None = None
    headers: Literal["kafka", "connect", "spring"] = "kafka"


_ONE_WAY_IN = "set exactly one of api_key, token, or username with password"


class Mart(_Section):
    """The data mart. Exactly one way to authenticate: `api_key` (IAM), `token`, or `username` and `password` (ICP).

    `api`: v1 posts to the data mart, v2 to the data set of each subscription. `snapshot`: a file that keeps the
    directory, so that a worker can start while the data mart is down.
    """

    api: Literal["v1", "v2"] = "v1"
    url: str = "http://127.0.0.1:8800"
    data_mart_id: str = Field(default="00000000-0000-4000-8000-000000000001", min_length=1)
    api_key: SecretStr | None = None
    token: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    timeout_seconds: float = Field(default=30, gt=0)
    refresh_seconds: float = Field(default=60, gt=0)
    snapshot: Path | None = None

    @field_validator("api_key", "token")
    @classmethod
    def _sendable(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not re.fullmatch(r"[\x20-\x7e]+", secret.get_secret_value()):
            raise ValueError("must be a text of printable ASCII characters: no HTTP header can hold another")
        return secret

    @model_validator(mode="after")
    def _one_way_in(self) -> Mart:
        if not self.url.startswith(("http://", "https://")) or self.url.endswith("/"):
            raise ValueError("url must begin with http:// or https://, and not end with a slash (contract §1.1)")
        if not _is_address(self.url):
            raise ValueError("url needs a host, and a port from 1 to 65535 if it has one")
        ways = [self.api_key, self.token, self.username or self.password]
        if sum(way is not None for way in ways) != 1:
            raise ValueError(_ONE_WAY_IN)
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        return self


def _is_address(url: str) -> bool:
    try:
        found = urlsplit(url)
        return bool(found.hostname) and found.port != 0
    except ValueError:
        return False


class Registry(_Section):
    """A schema registry with Confluent's REST API; several `urls` are the same one. None: the directory is all.

    `unknown_seconds`: how long its word that it has no schema of an id is believed.
    """

    urls: list[str] = []
    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    ca: Path | None = None
    timeout_seconds: float = Field(default=5, gt=0)
    unknown_seconds: float = Field(default=60, gt=0)

    @model_validator(mode="after")
    def _usable(self) -> Registry:
        for url in self.urls:
            if not url.startswith(("http://", "https://")) or not _is_address(url):
                raise ValueError("urls must begin with http:// or https:// and have a host")
        if (self.username is None) != (self.password is None) or (self.username and self.token):
            raise ValueError("set username with password, or token, or none of them")
        return self


class Schemas(_Section):
    """The schema directory (default: the one that ships), a registry beside it, and topics of bare bodies.

    `bare`: for a topic, `subject` or `subject/version` of the directory.
    """

    directory: Path | None = None
    registry: Registry = Registry()
    bare: dict[str, str] = {}


class Events(_Section):
    """In which format each topic has its events; a topic that is not named has Avro.

    `pairing_seconds`: how long one half of a scoring waits for the other. `…_attribute`: which attribute of a
    CloudEvent names asset, binding and deployment.
    """

    formats: dict[str, Literal["avro", "json", "cloudevents"]] = {}
    pairing_seconds: float = Field(default=60, gt=0)
    asset_attribute: str = Field(default="inferenceservicename", min_length=1)
    binding_attribute: str | None = None
    deployment_attribute: str | None = None


class Batch(_Section):
    """When a batch is posted: at `records`, at `bytes` of JSON, or `linger_ms` after its first record."""

    records: int = Field(default=500, ge=1)
    bytes: int = Field(default=1 * MIB, ge=1024)
    linger_ms: int = Field(default=100, ge=0)
    group_by: Literal["mart", "subscription"] = "mart"


class Delivery(_Section):
    """How hard to try. `attempts`: failures of one record while others pass, before it is dead-lettered.

    `in_flight` is the most posts at once: how many there are the worker finds out, by what the endpoint bears.
    """

    in_flight: int = Field(default=64, ge=1, le=256)
    compression: Literal["none", "gzip"] = "none"
    attempts: int = Field(default=8, ge=2)
    retry_wait_max_seconds: float = Field(default=30, gt=0)
    retry_after_max_seconds: float = Field(default=300, gt=0)
    drain_seconds: float = Field(default=20, ge=0)


class Limits(_Section):
    """What may be open at once (`records`, `bytes`), and how large one event and one posted record may be."""

    records: int = Field(default=20_000, ge=1)
    bytes: int = Field(default=64 * MIB, ge=1024)
    event_bytes: int = Field(default=1 * MIB, ge=16)
    record_bytes: int = Field(default=4 * MIB, ge=1024)


class FloodGuard(_Section):
    """When everything stops: a `share` of the last `records` refused for one reason; unknown assets count apart."""

    share: float = Field(default=0.5, gt=0, le=1)
    records: int = Field(default=2_000, ge=2)
    unknown_asset_records: int = Field(default=20_000, ge=2)


class Http(_Section):
    """Where `/livez`, `/readyz` and `/metrics` answer; port 0: any free one, logged at the start."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)


class Log(_Section):
    """`auto`: for people on a terminal, JSON otherwise."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """All settings; see `payload-worker.example.toml`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    kafka: Kafka = Kafka()
    dead_letter: DeadLetter = DeadLetter()
    mart: Mart
    schemas: Schemas = Schemas()
    events: Events = Events()
    batch: Batch = Batch()
    delivery: Delivery = Delivery()
    limits: Limits = Limits()
    flood_guard: FloodGuard = FloodGuard()
    http: Http = Http()
    log: Log = Log()

    @model_validator(mode="after")
    def _no_loop(self) -> Settings:
        for topic in self.kafka.topics:
            if self.dead_letter_topic(topic) in self.kafka.topics:
                raise ValueError(
                    f"dead_letter.topic: {self.dead_letter_topic(topic)} is read as well: refused, it would loop"
                )
        return self

    @model_validator(mode="after")
    def _read_topics(self) -> Settings:
        for topic in self.events.formats:
            if topic not in self.kafka.topics:
                raise ValueError(f"events.formats: {topic} is not one of kafka.topics: {', '.join(self.kafka.topics)}")
        return self

    @property
    def by_subscription(self) -> bool:
        """Whether a batch holds records of one subscription: as `batch.group_by` says, and always under v2."""
        return self.batch.group_by == "subscription" or self.mart.api == "v2"

    def dead_letter_topic(self, topic: str) -> str:
        """The dead-letter topic of a topic."""
        return self.dead_letter.topic or f"dlq.{topic}"


def load(path: Path | None, flags: dict[str, Any] | None = None) -> Settings:
    """Resolve the settings: `flags` (nested) win over the environment, which wins over the file.

    Raises:
        ConfigError: with a line for each fault: the setting, where it came from, what is wrong.
    """
    if path is not None and not path.is_file():
        raise ConfigError(f"{path}: no such file; give another with --config")
    secrets, faults = _secrets_from_files()
    faults += _strangers()
    try:
        settings = _located(path)(**_merged(secrets, flags or {}))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {type(error).__name__}") from None
    except SettingsError as error:
        raise ConfigError("\n".join([*faults, _not_json(error)])) from None
    except ValidationError as error:
        raise ConfigError("\n".join([*faults, *(_fault(each, path) for each in error.errors())])) from None
    if faults:
        raise ConfigError("\n".join(faults))
    return settings


def _located(path: Path | None) -> type[Settings]:
    """The settings as read from a file at `path` as well."""

    class Located(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            if isinstance(env_settings, EnvSettingsSource):
                named = env_settings.env_vars.items()
                env_settings.env_vars = {name: text for name, text in named if not name.endswith("_file")}
            file = (TomlConfigSettingsSource(settings_cls, path),) if path else ()
            return (init_settings, env_settings, *file)

    return Located


def _given() -> list[str]:
    """The environment's variables that are settings, by name."""
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in _FLAGS)


def _strangers() -> list[str]:
    """Variables with the prefix that name no section: one underscore too few, and a default would hold unsaid."""
    return [
        f"{name}: there is no such setting; sections are {', '.join(Settings.model_fields)}, as in {PREFIX}MART__URL"
        for name in _given()
        if name.removeprefix(PREFIX).partition("__")[0].lower() not in Settings.model_fields
    ]


def _secrets_from_files() -> tuple[dict[str, Any], list[str]]:
    """Settings given as `PAYLOAD_WORKER_…_FILE`, the path of a file that holds the value; and the faults."""
    found: dict[str, Any] = {}
    faults: list[str] = []
    for name in _given():
        if not name.endswith("_FILE"):
            continue
        try:
            value: Any = Path(os.environ[name]).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{name}: cannot read {os.environ[name]}: {error}")
            value = "unread"  # it is no fault as well that the setting is missing
        for key in reversed(name.removeprefix(PREFIX).removesuffix("_FILE").lower().split("__")):
            value = {key: value}
        found = _merged(found, value)
    return found, faults


def _merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(low[key], high[key]) for key in low.keys() & high.keys() if isinstance(low[key], dict)}
    return low | high | both


def _not_json(error: SettingsError) -> str:
    """A list or a table in the environment that cannot be read; never the text that was given."""
    how = 'lists and tables are JSON in the environment, as in \'["a","b"]\''
    wrong = [name for name in _given() if _is_several(_path(name)) and not _is_json(os.environ[name])]
    if not wrong:
        field = re.search(r'field "(\w+)"', str(error))
        return f"{field[1] if field else 'settings'} (from the environment): {how}"
    return "\n".join(f"{'.'.join(_path(name))} (from {name}): {how}" for name in wrong)


def _path(variable: str) -> list[str]:
    """The setting that a variable names, from its section on."""
    return variable.removeprefix(PREFIX).lower().split("__")


def _is_several(path: list[str]) -> bool:
    """Whether a setting is a section, a list or a table."""
    model: Any = Settings
    for key in path:
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or key not in model.model_fields:
            return False
        model = model.model_fields[key].annotation
    return get_origin(model) in (list, dict) or (isinstance(model, type) and issubclass(model, BaseModel))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _fault(error: Any, path: Path | None) -> str:
    """One line for one fault; never the value that was given, which may be a secret."""
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing" and place == "mart":
        return f"mart: {_ONE_WAY_IN}, in a file or as {PREFIX}MART__API_KEY"
    message = error["msg"].removeprefix("Value error, ")
    if not place:
        return str(message)
    variable = PREFIX + "__".join(str(part).upper().replace(".", "_") for part in error["loc"])
    given = [name for name in _given() if name.removesuffix("_FILE") == variable]
    given = given or [name for name in _given() if name.startswith(f"{variable}__")]
    source = ", ".join(given) or (str(path) if path else "the defaults")
    return f"{place} (from {source}): {message}"
