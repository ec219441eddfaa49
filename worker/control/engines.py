"""The scoring engines that can be bound: their service types, and what their credentials are (contract §3): pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class EngineName(StrEnum):
    """The engines by their short names."""

    CUSTOM = "custom"
    AZURE_STUDIO = "azure-studio"
    AZURE_SERVICE = "azure-service"
    SAGEMAKER = "sagemaker"


@dataclass(frozen=True, slots=True)
class Credential:
    """One value of an engine's credentials: its key, and the environment's variables that may hold it, best first.

    What is `open` may be shown; everything else is masked wherever it appears.
    """

    key: str
    variables: tuple[str, ...]
    open: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine; `columns_required`: a subscription must say its kinds and its label, not only its prediction."""

    name: EngineName
    service_type: str
    credentials: tuple[Credential, ...]
    columns_required: bool = True


_AZURE: Final = (
    Credential("client_id", ("AZURE_CLIENT_ID",), open=True),
    Credential("client_secret", ("AZURE_CLIENT_SECRET",)),
    Credential("subscription_id", ("AZURE_SUBSCRIPTION_ID",), open=True),
    Credential("tenant", ("AZURE_TENANT_ID",), open=True),
)

ENGINES: Final[Mapping[EngineName, Engine]] = {
    engine.name: engine
    for engine in (
        Engine(
            EngineName.CUSTOM,
            "custom_machine_learning",
            (
                Credential("url", ("CUSTOM_ENGINE_URL",), open=True),
                Credential("username", ("CUSTOM_ENGINE_USERNAME",), open=True, required=False),
                Credential("password", ("CUSTOM_ENGINE_PASSWORD",), required=False),
            ),
            columns_required=False,
        ),
        Engine(EngineName.AZURE_STUDIO, "azure_machine_learning", _AZURE),
        Engine(EngineName.AZURE_SERVICE, "azure_machine_learning_service", _AZURE),
        Engine(
            EngineName.SAGEMAKER,
            "amazon_sagemaker",
            (
                Credential("access_key_id", ("AWS_ACCESS_KEY_ID",)),
                Credential("secret_access_key", ("AWS_SECRET_ACCESS_KEY",)),
                Credential("region", ("AWS_REGION", "AWS_DEFAULT_REGION"), open=True),
            ),
        ),
    )
}

DATABASE: Final = Credential("uri", ("DATABASE_URL",))
"""The one value that a data mart's own database must have."""

OPEN_KEYS: Final = frozenset(
    {each.key for engine in ENGINES.values() for each in engine.credentials if each.open}
    | {"db_type", "name", "host", "hostname", "port", "db", "database", "instance_id"}
)
"""Keys of credentials, an engine's or a database's, whose values may be shown."""


def engine_of(service_type: str) -> Engine | None:
    """The engine of a service type; None for one that this program cannot bind."""
    return next((engine for engine in ENGINES.values() if engine.service_type == service_type), None)


def short(service_type: str) -> str:
    """The engine's short name, or the service type itself."""
    engine = engine_of(service_type)
    return engine.name.value if engine else service_type
