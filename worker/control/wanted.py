"""The file of `mart apply`: bindings and subscriptions as somebody wants them; every fault is named, no value repeated.

[[bindings]]
name = "loans"                    # found again by it
engine = "custom"
credentials = { url = "http://engine:9000", username = "u", password = { env = "ENGINE_PASSWORD" } }

[[subscriptions]]
binding = "loans"                 # of this file, or of the data mart: its name or id
asset = "action"
prediction = "prediction"
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.control.bodies import Columns
from worker.control.changes import WantedBinding, WantedSubscription
from worker.control.credentials import checked, is_reference, resolved
from worker.control.engines import ENGINES, EngineName
from worker.control.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

InputType = Literal["structured", "unstructured_image", "unstructured_text"]
ProblemType = Literal["regression", "binary", "multiclass"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Binding(_Table):
    name: str = Field(min_length=1)
    engine: Literal["custom", "azure-studio", "azure-service", "sagemaker"]
    id: str | None = Field(default=None, min_length=1)
    credentials: dict[str, Any]
    request_headers: dict[str, Any] = {}


class _Subscription(_Table):
    binding: str = Field(min_length=1)
    asset: str = Field(min_length=1)
    deployment: str | None = None
    input_data_type: InputType | None = None
    problem_type: ProblemType | None = None
    label: str | None = None
    prediction: str | None = None
    probability: list[str] = []
    features: list[str] = []
    categorical: list[str] = []
    payload_logging: bool = True


class _File(_Table):
    bindings: list[_Binding] = []
    subscriptions: list[_Subscription] = []


@dataclass(frozen=True, slots=True, repr=False)
class Wanted:
    """What a file wants: bindings, and subscriptions each with its binding's name or id."""

    bindings: list[WantedBinding]
    subscriptions: list[tuple[str, WantedSubscription]]


def read_wanted(file: Path, environment: Mapping[str, str]) -> Wanted:
    """Read the file; raises `ControlError` with a line for each fault, or for a reference that leads nowhere."""
    try:
        found = _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ControlError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    except tomllib.TOMLDecodeError as error:
        raise ControlError(f"{file}: is not TOML: {error}") from None
    except ValidationError as error:
        raise ControlError(
            "\n".join(f"{file}: {_place(each['loc'])}: {each['msg']}" for each in error.errors())
        ) from None
    if faults := [*_plain_secrets(found), *_twice(found)]:
        raise ControlError("\n".join(f"{file}: {fault}" for fault in faults))
    bindings = [_binding(each, environment, file) for each in found.bindings]
    return Wanted(bindings, [(each.binding, _subscription(each)) for each in found.subscriptions])


def _place(steps: tuple[str | int, ...]) -> str:
    """`subscriptions[0].label`; entries are counted from the first, 1, as people count."""
    return "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def _plain_secrets(found: _File) -> Iterator[str]:
    """A secret in the file itself would be in its history too."""
    for number, each in enumerate(found.bindings, 1):
        hidden = [one.key for one in ENGINES[EngineName(each.engine)].credentials if not one.open]
        given = [(f"credentials.{key}", each.credentials[key]) for key in hidden if key in each.credentials]
        given += [(f"request_headers.{key}", value) for key, value in each.request_headers.items()]
        for key, value in given:
            if not is_reference(value):
                yield f'bindings[{number}].{key}: must be {{ env = "NAME" }} or {{ file = "PATH" }}, never the value'


def _twice(found: _File) -> Iterator[str]:
    names = [each.name for each in found.bindings]
    yield from (
        f"bindings: the name {name} is there twice" for name in sorted({n for n in names if names.count(n) > 1})
    )
    assets = [(each.binding, each.asset, each.deployment) for each in found.subscriptions]
    for each in dict.fromkeys(assets):
        if assets.count(each) > 1:
            yield f"subscriptions: the asset {each[1]} of {each[0]} is there twice"


def _binding(table: _Binding, environment: Mapping[str, str], file: Path) -> WantedBinding:
    engine = ENGINES[EngineName(table.engine)]
    source = f"{file}: binding {table.name}"
    values = resolved(table.credentials | {"request_headers": table.request_headers}, environment, file.parent, source)
    return WantedBinding(table.name, engine, checked(engine, values, source), table.id)


def _subscription(table: _Subscription) -> WantedSubscription:
    columns = Columns(
        table.input_data_type,
        table.problem_type,
        table.label,
        table.prediction,
        tuple(table.probability),
        tuple(table.features),
        tuple(table.categorical),
    )
    return WantedSubscription(table.asset, columns, table.deployment, table.payload_logging)
