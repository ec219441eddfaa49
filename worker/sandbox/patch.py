"""JSON Patch (RFC 6902) as far as clients of the data mart use it: add, replace, remove and test."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from worker.sandbox import intake
from worker.sandbox.errors import bad_request


def patched(document: dict[str, Any], operations: object) -> dict[str, Any]:
    """A copy of `document` with all operations done; `ApiError` 400 where one cannot be."""
    if not isinstance(operations, list):
        raise bad_request("A patch must be a list of operations.")
    copy = deepcopy(document)
    for number, operation in enumerate(operations):
        if not isinstance(operation, dict):
            raise bad_request(f"Operation {number} must be an object.")
        _apply(copy, operation, f"Operation {number}: ")
    return copy


def _apply(document: dict[str, Any], operation: dict[str, Any], where: str) -> None:
    verb, path = intake.text(operation, "op", where), intake.text(operation, "path", where)
    *parents, last = _pointer(path, where)
    target: object = document
    for step in parents:
        target = _child(target, step, where + path)
    if verb != "remove" and "value" not in operation:
        raise bad_request(f"{where}value is missing.")
    _change(target, last, verb, operation.get("value"), where + path)


def _change(target: object, key: str, verb: str, value: object, where: str) -> None:
    match verb, target:
        # an add to a member that is there replaces it (RFC 6902, 4.1)
        case "add", dict():
            target[key] = value
        case "add", list():
            target.insert(len(target) if key == "-" else _index(target, key, where, end=True), value)
        case "replace", dict() if key in target:
            target[key] = value
        case "replace", list():
            target[_index(target, key, where)] = value
        case "remove", dict() if key in target:
            del target[key]
        case "remove", list():
            del target[_index(target, key, where)]
        case "test", dict() | list() if _child(target, key, where) == value:
            pass
        case _:
            raise bad_request(f"{where}: {verb} cannot be done here.")


def _pointer(path: str, where: str) -> list[str]:
    if not path.startswith("/"):
        raise bad_request(f"{where}the path {path} must begin with a slash.")
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]


def _child(target: object, step: str, where: str) -> object:
    if isinstance(target, dict) and step in target:
        member: object = target[step]
        return member
    if isinstance(target, list):
        element: object = target[_index(target, step, where)]
        return element
    raise bad_request(f"{where}: there is no {step}.")


def _index(target: list[Any], step: str, where: str, *, end: bool = False) -> int:
    """The position that `step` names; `end` allows the one behind the last."""
    if step.isascii() and step.isdigit() and len(step) <= len(str(len(target))) and int(step) < len(target) + end:
        return int(step)
    raise bad_request(f"{where}: there is no element {step}.")
