"""Settings: TOML file, then environment, then flags; resolved once, every error reported together, secrets masked."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "PAYLOAD_WORKER_"
MIB = 1024 * 1024

_GUARANTEE = {
    "enable.auto.commit": "the worker commits what is settled, and nothing else",
    "enable.auto.offset.store": "the worker commits what is settled, and nothing else",
    "group.protocol.type": "librdkafka fixes it",
    "group.id": "set kafka.group_id",
    "bootstrap.servers": "set kafka.bootstrap_servers",
    "delivery.report.only.error": "a dead-lettered record counts once the broker acknowledged it",
    "acks": "dead-letter records are written with acks=all",
    "request.required.acks": "dead-letter records are written with acks=all",
}
_CLASSIC_ONLY = ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy")


class ConfigError(Exception):
    """Settings that cannot be used; the message has one line for each fault."""


def _dotted(found: Any, prefix: str = "") -> Any:
    """Names of librdkafka, from TOML's nested tables and from the environment's underscores."""
    if not isinstance(found, dict):
        return found
    flat: dict[str, Any] = {}
    for key, value in found.items():
        name = f"{prefix}{key.replace('_', '.')}"
        flat |= _dotted(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def _allowed(found: Any) -> Any:
    flat = _dotted(found)
    for name in flat if isinstance(flat, dict) else ():
        if name in _GUARANTEE:
            raise ValueError(f"{name} cannot be set: {_GUARANTEE[name]}")
    if isinstance(flat, dict) and flat.get("group.protocol") == "consumer":
        for name in _CLASSIC_ONLY:
            if name in flat:
                raise ValueError(f"{name} is the broker's to set with group.protocol=consumer (KIP-848)")
    return flat


Librdkafka = Annotated[dict[str, str | int | float | bool], BeforeValidator(_allowed)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kafka(_Section):
    """Where events come from. `consumer` and `producer` are librdkafka's own settings, by their own names."""

    bootstrap_servers: str = "localhost:9092"
    topics: list[str] = Field(default=["payload-events"], min_length=1)
    group_id: str = Field(default="openscale-payload-worker", min_length=1)
    consumer: Librdkafka = {}
    producer: Librdkafka = {}


class DeadLetter(_Section):
    """Where refused records go; by default `dlq.<topic>` for each topic (KIP-1191)."""

    topic: str | None = None


class Mart(_Section):
    """The data mart. Exactly one way to authenticate: `api_key` (IAM), `token`, or `username` and `password` (ICP)."""

    url: str = "http://127.0.0.1:8800"
    data_mart_id: str = Field(default="00000000-0000-0000-0000-000000000000", min_length=1)
    api_key: SecretStr | None = None
    token: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    timeout_seconds: float = Field(default=30, gt=0)
    refresh_seconds: float = Field(default=60, gt=0)

    @model_validator(mode="after")
    def _one_way_in(self) -> Mart:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("url must begin with http:// or https://")
        ways = [self.api_key, self.token, self.username or self.password]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("set exactly one of api_key, token, or username with password")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        return self


class Schemas(_Section):
    """The schema directory (default: the one that ships), and topics of bare bodies: `subject` or `subject/version`."""

    directory: Path | None = None
    bare: dict[str, str] = {}


class Batch(_Section):
    """When a batch is posted: at `records`, at `bytes` of JSON, or `linger_ms` after its first record."""

    records: int = Field(default=500, ge=1)
    bytes: int = Field(default=1 * MIB, ge=1024)
    linger_ms: int = Field(default=100, ge=0)
    group_by: Literal["mart", "subscription"] = "mart"


class Delivery(_Section):
    """How hard to try. `attempts`: failures of one record while others pass, before it is dead-lettered."""

    in_flight: int = Field(default=6, ge=1, le=256)
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
    batch: Batch = Batch()
    delivery: Delivery = Delivery()
    limits: Limits = Limits()
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

    def dead_letter_topic(self, topic: str) -> str:
        """The dead-letter topic of a topic."""
        return self.dead_letter.topic or f"dlq.{topic}"


def load(path: Path | None, flags: dict[str, Any] | None = None) -> Settings:
    """Resolve the settings: `flags` (nested) win over the environment, which wins over the file.

    Raises:
        ConfigError: with a line for each fault: the setting, where it came from, what is wrong.
    """

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
            file = (TomlConfigSettingsSource(settings_cls, path),) if path else ()
            return (init_settings, env_settings, *file)

    try:
        if path is not None and not path.is_file():
            raise ConfigError(f"{path}: no such file; give another with --config")
        return Located(**_merged(_secrets_from_files(), flags or {}))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    except ValidationError as error:
        raise ConfigError("\n".join(_fault(each, path) for each in error.errors())) from None


def _secrets_from_files() -> dict[str, Any]:
    """Settings given as `PAYLOAD_WORKER_…_FILE`: the path of a file that holds the value."""
    found: dict[str, Any] = {}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name.endswith("_FILE"):
            keys = name.removeprefix(PREFIX).removesuffix("_FILE").lower().split("__")
            try:
                value: Any = Path(os.environ[name]).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{name}: cannot read {os.environ[name]}: {error}") from None
            for key in reversed(keys):
                value = {key: value}
            found = _merged(found, value)
    return found


def _merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(low[key], high[key]) for key in low.keys() & high.keys() if isinstance(low[key], dict)}
    return low | high | both


def _fault(error: Any, path: Path | None) -> str:
    """One line for one fault; never the value that was given, which may be a secret."""
    place = ".".join(str(part) for part in error["loc"])
    variable = PREFIX + "__".join(str(part).upper() for part in error["loc"])
    given = [name for name in (variable, f"{variable}_FILE") if name in os.environ]
    source = given[0] if given else str(path) if path else "the defaults"
    message = error["msg"].removeprefix("Value error, ")
    return f"{place or 'settings'} (from {source}): {message}" if place else message
