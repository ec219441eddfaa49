"""A repair of events, as a TOML file declares it: what may be changed, and where. Pure; `content` does it.

Each `[[change]]` has one of `set`, `default`, `cast`, `rename`, `drop`, which names a path, and (but for `drop`) `to`.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VERBS: Final = ("set", "default", "cast", "rename", "drop")
KINDS: Final = ("number", "integer", "text", "boolean")
"""What cells can be cast to."""

SIDES: Final = ("request", "response")
TEXTS: Final = ("binding", "asset", "deployment")
NUMBERS: Final = ("scored_at", "response_time_ms")

EACH: Final = "*"
"""The step of a path into a body that stands for every item of an array."""

PATHS: Final = (
    "binding, asset, deployment, scoring_id, scored_at, response_time_ms, attributes.NAME, and of request and response "
    "content_type, column.NAME and body.KEY.KEY (* for each item of an array)"
)

_CELLS: Final = (str, int, float, bool)
_COLUMN_DEPTH: Final = 3


class PatchFileError(ValueError):
    """A file that is no repair; the message names the change, by its number, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `to`: the value that is set, the kind that is cast to, or the new name; None for `drop`."""

    verb: str
    path: tuple[str, ...]
    to: Any = None

    def __str__(self) -> str:
        """What it does, by names alone."""
        done = {"set": "set", "default": "set where it is missing", "drop": "dropped"}
        return f"{'.'.join(self.path)}: {done.get(self.verb) or f'{self.verb} to {self.to}'}"


@dataclass(frozen=True, slots=True)
class Patch:
    """Changes in their order, and the file's bytes, which tell one repair from another."""

    changes: tuple[Change, ...]
    source: bytes = b""


def patch(source: bytes) -> Patch:
    """Read a repair.

    Raises:
        PatchFileError: it is not TOML, or none.
    """
    try:
        document = tomllib.loads(source.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PatchFileError(f"not TOML: {error}") from None
    tables = document.get("change")
    if set(document) != {"change"} or not isinstance(tables, list) or not tables:
        raise PatchFileError("a repair has [[change]] tables, one at least, and nothing else")
    return Patch(tuple(_change(at, each) for at, each in enumerate(tables, 1)), source)


def _change(at: int, table: Any) -> Change:
    verbs = [verb for verb in VERBS if isinstance(table, dict) and verb in table]
    if len(verbs) != 1 or set(table) - {verbs[0], "to"}:
        raise PatchFileError(f"change {at}: exactly one of {', '.join(VERBS)}, and to, may be in it")
    verb = verbs[0]
    if (verb == "drop") == ("to" in table):
        raise PatchFileError(f"change {at}: {verb} {'has no to' if verb == 'drop' else 'needs a to'}")
    given = table[verb]
    path = tuple(given.split(".") if isinstance(given, str) else given if isinstance(given, list) else ())
    found = Change(verb, path, table.get("to"))
    fault = _fault(found)
    if fault is not None:
        raise PatchFileError(f"change {at}: {fault}")
    return found


def _fault(change: Change) -> str | None:
    """Why there is no such change; None if there is."""
    path, verb = change.path, change.verb
    if not path or not all(isinstance(step, str) and step for step in path):
        return f"{verb} names a path: {PATHS}"
    allowed = _verbs(path)
    if allowed is None:
        return f"there is no {'.'.join(path)}; there are {PATHS}"
    if verb not in allowed:
        return f"{verb} is not for {'.'.join(path)}: {', '.join(allowed)}"
    if verb == "cast":
        return None if change.to in KINDS else f"cast is to one of {', '.join(KINDS)}"
    if verb == "rename":
        return None if isinstance(change.to, str) and change.to else "rename is to a name"
    return None if verb == "drop" or _fits(path, change.to) else f"{'.'.join(path)} cannot be set to that"


def _verbs(path: tuple[str, ...]) -> tuple[str, ...] | None:
    """What can be done at a path; None: there is no such path."""
    head, depth = path[0], len(path)
    if depth == 1:
        of: Mapping[str, tuple[str, ...]] = {
            **dict.fromkeys(("binding", "deployment", *NUMBERS), ("set", "default", "drop")),
            "asset": ("set", "default"),
            "scoring_id": ("drop",),
        }
        return of.get(head)
    if head == "attributes":
        return ("set", "default", "rename", "drop") if depth == len(("attributes", "name")) else None
    if head not in SIDES:
        return None
    if path[1:] == ("content_type",):
        return ("set", "default")
    if path[1] == "column":
        return VERBS if depth == _COLUMN_DEPTH else None
    return (VERBS if path[-1] != EACH else ("set", "cast")) if path[1] == "body" and depth >= _COLUMN_DEPTH else None


def _fits(path: tuple[str, ...], value: Any) -> bool:
    """Whether a value may stand at a path."""
    if path[0] in NUMBERS:
        return type(value) is int
    if path[0] in SIDES and path[1] == "column":
        return _is_cell(value)
    if path[0] in SIDES and path[1] == "body":
        return _is_json(value)
    return isinstance(value, str)


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    return _is_cell(value)


def _is_cell(value: Any) -> bool:
    """TOML has `nan` and `inf`, which JSON has not."""
    return isinstance(value, _CELLS) and (type(value) is not float or math.isfinite(value))
