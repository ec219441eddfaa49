"""Letters as text and as JSON. Values of payloads only where the operator asked for them; else names and shapes."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from worker.dlq.headers import CODE, DISPOSITION, PARKED, STATUS, TOPIC_ID
from worker.rooms.places import CONNECT, KIP, OWN, REDRIVES, SPRING, TIMESTAMP, binary
from worker.topics.times import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from worker.dlq.groups import Group, Groups
    from worker.dlq.letters import Letter
    from worker.dlq.where import Values

LIST: Final = ("disposition", "code", "status", "field", "schema", "redrives")
"""What a line of a list says of a letter, beside its place, its time and where it was."""

_OURS: Final = (KIP, f"{OWN}version", CODE, DISPOSITION, STATUS, REDRIVES, PARKED, TIMESTAMP, TOPIC_ID)
_PLACES: Final = (
    *(f"{CONNECT}{part}" for part in ("topic", "partition", "offset", "stage", "connector.name", "task.id")),
    *(f"{part}.class.name" for part in (CONNECT.rstrip("."), f"{CONNECT}exception")),
    *(f"{SPRING}original-{part}" for part in ("topic", "partition", "offset", "timestamp", "timestamp-type")),
    f"{SPRING}original-consumer-group",
    f"{SPRING}exception-fqcn",
    f"{SPRING}exception-cause-fqcn",
)
_DEPTH: Final = 6
_WIDTH: Final = 50
_NAME: Final = 80


def line(letter: Letter, facts: Values) -> dict[str, Any]:
    """A letter in short."""
    told = letter.told
    first = told.place if told is not None else None
    return {
        "letter": letter.place,
        "time": shown(letter.timestamp_ms),
        "first": f"{first[0]}:{first[1]}:{first[2]}" if first else None,
        **{name: facts[name] for name in LIST},
    }


def rows(groups: Groups) -> list[dict[str, Any]]:
    """Groups as they are printed; the others last, where there are any."""
    others = [groups.others] if groups.others.count else []
    return [_row(groups, each) for each in (*groups.largest(), *others)]


def _row(groups: Groups, group: Group) -> dict[str, Any]:
    named = dict(zip(groups.by, group.key or ("others",) * len(groups.by), strict=True))
    times = {"first": shown(group.first), "last": shown(group.last)}
    return {"count": group.count, **named, **times, "example": group.example}


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Lines as columns of text under their names."""
    if not lines:
        return ""
    names = list(lines[0])
    cells = [names, *([_cell(each[name]) for name in names] for each in lines)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(names))]
    texts = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(texts)


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else clean(str(value))


def clean(text: str) -> str:
    """Text without control characters, which a terminal would obey."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def document(lines: object) -> str:
    """JSON for programs."""
    return json.dumps(lines, ensure_ascii=False)


def whole(letter: Letter, facts: Values, record: Mapping[str, Any] | str, *, payload: bool) -> dict[str, Any]:
    """All that can be said of a letter; `record` is its event, or why there is none."""
    told = letter.told
    said = told.detail if told is not None and (told.own or payload) else None
    found = {
        **line(letter, facts),
        "detail": said,
        "group": facts["group"],
        "key": value_of(letter.key, payload=payload),
        "value": value_of(letter.value, payload=payload),
        "headers": [[name, _header(name, value, payload=payload)] for name, value in letter.headers],
    }
    event = record if isinstance(record, str) else _event(record, payload=payload)
    return {**found, "event": event}


def _header(name: str, value: bytes | None, *, payload: bool) -> Any:
    """Ours say what they say; of anybody else's only the size, unless values are wanted."""
    if value is None:
        return None
    own = name.startswith(_OURS) and name != f"{KIP}message"
    if name.startswith(SPRING) and name in _PLACES and (number := binary(value)) is not None:
        return number
    return value_of(value, payload=payload or own or name in _PLACES, text=True)


def value_of(value: bytes | None, *, payload: bool, text: bool = False) -> Any:
    """Bytes as their size; where they are wanted, as base64 or, of a `text`, as that."""
    if value is None:
        return None
    if not payload:
        return f"{len(value)} bytes"
    return value.decode("utf-8", "replace") if text else base64.b64encode(value).decode()


def _event(record: Mapping[str, Any], *, payload: bool) -> dict[str, Any]:
    """Identifiers as they are; of what was asked and answered the shape."""
    plain = ("binding", "asset", "deployment", "scoring_id", "scored_at", "response_time_ms")
    attributes = record["attributes"]
    return {
        **{name: record[name] for name in plain},
        "request": _content(record["request"], payload=payload),
        "response": _content(record["response"], payload=payload),
        "attributes": dict(attributes) if payload else {name[:_NAME]: "string" for name in attributes},
    }


def _content(content: Mapping[str, Any], *, payload: bool) -> Any:
    if "data" in content:
        data = content["data"]
        if payload:
            return {"content_type": content["content_type"], "data": data.decode("utf-8", "replace")}
        try:
            form = shape(json.loads(data))
        except (ValueError, RecursionError):
            form = "no JSON"
        return {"content_type": content["content_type"], "bytes": len(data), "shape": form}
    if payload:
        return dict(content)
    kinds = (sorted({_kind(row[at]) for row in content["values"] if at < len(row)}) for at in _columns(content))
    names = (name[:_NAME] for name in content["fields"])
    return {"rows": len(content["values"]), "columns": dict(zip(names, kinds, strict=False))}


def _columns(content: Mapping[str, Any]) -> Iterable[int]:
    return range(len(content["fields"]))


def shape(value: Any, depth: int = _DEPTH) -> Any:
    """A JSON value with types in place of its values; long arrays and objects are cut, and keys kept."""
    if isinstance(value, dict):
        if not depth:
            return "object"
        cut = {str(key)[:_NAME]: shape(each, depth - 1) for key, each in list(value.items())[:_WIDTH]}
        return cut | ({"…": f"{len(value) - _WIDTH} more"} if len(value) > _WIDTH else {})
    if isinstance(value, list):
        items = [] if not depth else [shape(each, depth - 1) for each in value[:_WIDTH]]
        same = items[:1] if all(each == items[0] for each in items) else items
        return [*same, f"{len(value)} items"]
    return _kind(value)


def _kind(value: object) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null", list: "array"}
    return kinds.get(type(value), "object")
