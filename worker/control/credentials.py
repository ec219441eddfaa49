"""Where credentials come from: a file, the environment, or a person at a terminal; never the command line.

A secret in a file of `apply` is a reference: `{ env = "NAME" }`, or `{ file = "PATH" }` with the file that holds it.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from worker.control.engines import DATABASE
from worker.control.errors import CONFIG, ControlError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.control.engines import Credential, Engine

    Ask = Callable[[Credential], str]

_BESIDE: Final = ("instance_id", "request_headers")


@dataclass(frozen=True, slots=True, repr=False)
class Given:
    """An engine's credentials, and what clients keep beside them: the binding's id, headers for the engine."""

    values: dict[str, Any]
    instance_id: str | None = None
    request_headers: dict[str, str] = field(default_factory=dict)


def engine_credentials(engine: Engine, file: Path | None, environment: Mapping[str, str], ask: Ask | None) -> Given:
    """From `file` alone where there is one, else from the environment, else asked for; `ControlError` if incomplete."""
    if file is not None:
        return checked(engine, read(file, environment), str(file))
    values = _from_environment(engine.credentials, environment)
    wanted = [each for each in engine.credentials if each.key not in values and (each.required or not values)]
    if ask is not None:
        values |= {each.key: text for each in wanted if (text := ask(each))}
    return checked(engine, values, "the environment")


def database_credentials(file: Path | None, environment: Mapping[str, str], ask: Ask | None) -> dict[str, Any]:
    """A database's: all that the file has, or only the `uri`; `ControlError` where there is neither."""
    if file is not None:
        return read(file, environment)
    values: dict[str, Any] = dict(_from_environment((DATABASE,), environment))
    if not values and ask is not None:
        values = {DATABASE.key: ask(DATABASE)}
    if not values.get(DATABASE.key):
        raise ControlError(f"no database: {_ways((DATABASE,))}, or say --internal for the data mart's own", CONFIG)
    return values


def checked(engine: Engine, found: Mapping[str, Any], source: str) -> Given:
    """What `source` has, as the engine needs it; raises `ControlError` with every key that is missing or unknown."""
    known = {each.key for each in engine.credentials}
    values = {key: value for key, value in found.items() if key not in _BESIDE}
    faults = [
        f"{key} is no key of {engine.name} (they are {', '.join(sorted(known))})"
        for key in sorted(values.keys() - known)
    ]
    faults += [f"{key} must be a text" for key in sorted(known) if not isinstance(values.get(key, ""), str)]
    missing = [each for each in engine.credentials if each.required and not values.get(each.key)]
    if missing:
        faults.append(f"{', '.join(each.key for each in missing)} missing: {_ways(missing)}")
    if not faults and engine.name == "custom":
        faults += _custom_faults(values)
    headers, instance_id = found.get("request_headers") or {}, found.get("instance_id")
    if not isinstance(headers, dict) or not all(isinstance(each, str) for each in headers.values()):
        faults.append("request_headers must be a table of texts")
    if not isinstance(instance_id, str | None):
        faults.append("instance_id must be a text")
    if faults:
        raise ControlError(
            "\n".join(f"credentials of {engine.name} (from {source}): {each}" for each in faults), CONFIG
        )
    return Given({key: value for key, value in values.items() if value}, instance_id or None, headers)


def _custom_faults(values: Mapping[str, Any]) -> list[str]:
    url, faults = values["url"], []
    if not url.startswith(("http://", "https://")) or "@" in url:
        faults.append("url must begin with http:// or https://, and hold no password: username and password do")
    if bool(values.get("username")) != bool(values.get("password")):
        faults.append("username and password go together")
    return faults


def _from_environment(wanted: Sequence[Credential], environment: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in wanted:
        for variable in each.variables:
            if environment.get(variable):
                found.setdefault(each.key, environment[variable])
            elif environment.get(f"{variable}_FILE"):
                found.setdefault(each.key, secret_file(Path(environment[f"{variable}_FILE"]), f"{variable}_FILE"))
    return found


def _ways(wanted: Sequence[Credential]) -> str:
    return f"set {', '.join(each.variables[0] for each in wanted)} (or …_FILE), or name a file by --credentials"


def read(file: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """The object in a file, JSON or TOML, references resolved; raises `ControlError`, which repeats nothing of it."""
    try:
        text = file.read_text(encoding="utf-8")
        found = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ControlError(f"{file}: cannot be read: {_reason(error)}", CONFIG) from None
    except tomllib.TOMLDecodeError:
        raise ControlError(f"{file}: is not TOML", CONFIG) from None
    except (ValueError, RecursionError):
        raise ControlError(f"{file}: is not JSON (a file of TOML ends in .toml)", CONFIG) from None
    if not isinstance(found, dict):
        raise ControlError(f"{file}: must hold one object with the credentials", CONFIG)
    return resolved(found, environment, file.parent, str(file))


def resolved(table: Mapping[str, Any], environment: Mapping[str, str], home: Path, source: str) -> dict[str, Any]:
    """A table with its references replaced by what they refer to; paths begin at `home`. Raises `ControlError`."""
    return {key: _resolved(value, environment, home, f"{source}: {key}") for key, value in table.items()}


def _resolved(value: Any, environment: Mapping[str, str], home: Path, place: str) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() == {"env"}:
        if not environment.get(str(value["env"])):
            raise ControlError(f"{place}: the variable {value['env']} is not set", CONFIG)
        return environment[str(value["env"])]
    if value.keys() == {"file"}:
        return secret_file(home / str(value["file"]), place)
    return {key: _resolved(each, environment, home, f"{place}.{key}") for key, each in value.items()}


def is_reference(value: object) -> bool:
    """It is `{ env = … }` or `{ file = … }`."""
    return isinstance(value, dict) and value.keys() in ({"env"}, {"file"}) and all(map(_is_text, value.values()))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def secret_file(path: Path, place: str) -> str:
    """What a file holds, without the newline at its end; raises `ControlError`."""
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ControlError(f"{place}: cannot read {path}: {_reason(error)}", CONFIG) from None


def _reason(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "not UTF-8"
