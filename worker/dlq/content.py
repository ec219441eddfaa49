"""Repairs done: changes made to a decoded event, its tables and its JSON bodies. Pure; no value gets into a message."""

from __future__ import annotations

import copy
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from worker.dlq.patch import EACH, SIDES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from worker.dlq.patch import Change, Patch

    Document = dict[str, Any]

SHOWN: Final = 3
"""Pairs of values that are kept of a change, for an operator who asks to see them."""

_INTEGER = re.compile(r"\s*[+-]?\d{1,19}\s*")
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_WORDS: Final = {"true": True, "false": False, "1": True, "0": False}
_ABSENT: Final = object()


class PatchError(Exception):
    """A change that cannot be made to an event: `code` is a stable word, the message names the path, never a value."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Done:
    """What a change did to one event: how many values, and the first pairs of old and new."""

    change: Change
    count: int
    pairs: list[tuple[Any, Any]]


def repaired(record: Mapping[str, Any], patch: Patch) -> tuple[Document, list[Done]]:
    """The event after a repair, and what was changed, without the changes that found nothing to do.

    Args:
        record: an event in the reader schema's shape, as plain data; it is left as it is.
        patch: the repair.

    Raises:
        PatchError: a change cannot be made.
    """
    editor = _Editor(copy.deepcopy(dict(record)))
    done = [found for change in patch.changes if (found := editor.apply(change)).count]
    return editor.finished(), done


class _Editor:
    """An event that is being changed."""

    def __init__(self, record: Document) -> None:
        self._record = record
        self._bodies: dict[str, Any] = {}
        self._touched: set[str] = set()

    def apply(self, change: Change) -> Done:
        """Make one change."""
        done = Done(change, 0, [])
        head = change.path[0]
        if len(change.path) == 1:
            self._top(change, done)
        elif head == "attributes":
            _keys(self._record.setdefault("attributes", {}), change.path[1], change, done)
        elif change.path[1] == "content_type":
            if "content_type" in self._record[head]:
                _keys(self._record[head], "content_type", change, done)
        elif change.path[1] == "column":
            _column(self._table(change), change.path[2], change, done)
        else:
            self._walk(self._body(change), change.path[2:], change, done)
        if done.count and head in self._bodies:
            self._touched.add(head)
        return done

    def finished(self) -> Document:
        """The event, with the bodies that were changed written anew."""
        for side in self._touched:
            text = json.dumps(self._bodies[side], ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            try:
                self._record[side]["data"] = text.encode()
            except UnicodeEncodeError:
                raise PatchError("not-json", f"{side}.body has half of a surrogate pair") from None
        return self._record

    def _top(self, change: Change, done: Done) -> None:
        name, old = change.path[0], self._record[change.path[0]]
        if change.verb == "drop":
            if old is not None and (name != "scoring_id" or old == ""):  # one that is given is the record's identity
                _note(done, old, None)
                self._record[name] = None
        elif change.verb == "set" or old in (None, ""):
            _set(self._record, name, change.to, done)

    def _body(self, change: Change) -> Any:
        """The JSON of a side's body."""
        side = change.path[0]
        if side not in self._bodies:
            content = self._record[side]
            if "data" not in content:
                _refuse("no-body", change, "is in a body, and the event has a table there")
            try:
                text = content["data"].decode("utf-8-sig")
                self._bodies[side] = json.loads(
                    text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
                )
            except (ValueError, RecursionError):
                _refuse("not-json", change, "is in a body that is not JSON, or names a key twice")
        return self._bodies[side]

    def _table(self, change: Change) -> Document:
        """The table of a side: the event's own, or the custom engine's `fields` and `values` in a JSON body."""
        content: Document = self._record[change.path[0]]
        if "data" not in content:
            return content
        body = self._body(change)
        wrapped = [body.get(name) for name in ("input_data", "predictions")] if isinstance(body, dict) else []
        inner = [each[0] for each in wrapped if isinstance(each, list) and len(each) == 1]
        for found in (body, *inner):
            if isinstance(found, dict) and isinstance(found.get("fields"), list) and "values" in found:
                return found
        return _refuse("no-table", change, "is in a body without fields and values")

    def _walk(self, node: Any, path: tuple[str, ...], change: Change, done: Done) -> None:
        """Into a body; where it has no such way, nothing is changed."""
        step, rest = path[0], path[1:]
        if step == EACH:
            for at, item in enumerate(node if isinstance(node, list) else ()):
                if rest:
                    self._walk(item, rest, change, done)
                else:
                    _item(node, at, change, done)
        elif isinstance(node, dict):
            if rest and step in node:
                self._walk(node[step], rest, change, done)
            elif not rest:
                _keys(node, step, change, done)


def _keys(node: Document, key: str, change: Change, done: Done) -> None:
    """A change of one key of an object."""
    old = node.get(key, _ABSENT)
    if change.verb == "set":
        _set(node, key, change.to, done)
    elif change.verb == "default":
        if old in (_ABSENT, None, ""):
            _set(node, key, change.to, done)
    elif old is _ABSENT:
        return
    elif change.verb == "drop":
        _note(done, node.pop(key), None)
    elif change.verb == "rename":
        if change.to in node:
            _refuse("name-taken", change, "has its new name beside it already")
        _note(done, key, change.to)
        items = [(change.to if name == key else name, value) for name, value in node.items()]
        node.clear()
        node.update(items)
    else:
        _item(node, key, change, done)


def _item(node: Any, key: Any, change: Change, done: Done) -> None:
    """A cast, or a new value, of what stands in an object or an array."""
    _set(node, key, change.to if change.verb == "set" else _cast(node[key], change), done)


def _column(table: Document, name: str, change: Change, done: Done) -> None:
    """A change of one column of a table."""
    fields: list[Any] = list(table.get("fields") or ())
    rows = list(_rows(table, change))
    if name not in fields:
        if change.verb in ("set", "default") and fields:
            table["fields"] = [*fields, name]
            _each(rows, lambda row: _append(row, change.to, done))
        return
    at = fields.index(name)
    if any(len(row) != len(fields) for row in rows):
        _refuse("row-width", change, "is in a table with rows of another width")
    if change.verb == "rename":
        if change.to in fields:
            _refuse("name-taken", change, "has its new name beside it already")
        _note(done, name, change.to)
        table["fields"] = [*fields[:at], change.to, *fields[at + 1 :]]
    elif change.verb == "drop":
        table["fields"] = [*fields[:at], *fields[at + 1 :]]
        _each(rows, lambda row: _note(done, row.pop(at), None))
        done.count = max(done.count, 1)
    elif change.verb == "default":
        _each(rows, lambda row: _set(row, at, change.to, done) if row[at] is None else None)
    else:
        _each(rows, lambda row: _item(row, at, change, done))


def _rows(table: Document, change: Change) -> Iterator[list[Any]]:
    """The rows; a flat array of cells is one."""
    values = table["values"]
    if not isinstance(values, list):
        _refuse("no-table", change, "is in a body whose values are no array")
    if values and not any(isinstance(row, list) for row in values):
        yield values
        return
    for row in values:
        if not isinstance(row, list):
            _refuse("no-table", change, "is in a table with a row that is no array")
        yield row


def _each(rows: list[list[Any]], act: Callable[[list[Any]], object]) -> None:
    for row in rows:
        act(row)


def _append(row: list[Any], value: Any, done: Done) -> None:
    row.append(value)
    _note(done, None, value)


def _set(node: Any, key: Any, new: Any, done: Done) -> None:
    """Put a value in its place; the same again is no change."""
    old = node.get(key) if isinstance(node, dict) else node[key]
    if type(old) is type(new) and old == new:
        return
    node[key] = new
    _note(done, old, new)


def _note(done: Done, old: Any, new: Any) -> None:
    done.count += 1
    if len(done.pairs) < SHOWN:
        done.pairs.append((old, new))


def _cast(value: Any, change: Change) -> Any:
    """The value as the kind that is wanted; null stays null, and arrays are cast item by item."""
    if value is None:
        return None
    if isinstance(value, list):
        return [_cast(each, change) for each in value]
    found = _CASTS[change.to](value)
    if found is None:
        _refuse("cannot-cast", change, f"has a value that is no {change.to}")
    return found


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        if _INTEGER.fullmatch(value):
            return int(value)
        value = float(value) if _NUMBER.fullmatch(value) else None
    return value if type(value) in (int, float) and math.isfinite(value) else None


def _integer(value: Any) -> int | None:
    found = _number(value)
    return int(found) if found is not None and found == int(found) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, (bool, int, float)) else None


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return _WORDS.get(str(value).strip().lower()) if isinstance(value, (str, int)) else None


_CASTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "number": _number,
    "integer": _integer,
    "text": _text,
    "boolean": _boolean,
}


def _object(pairs: list[tuple[str, Any]]) -> Document:
    """A key that occurs twice is refused: one of its values would be lost."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError
    return found


def _no_constant(_: str) -> NoReturn:
    raise ValueError


def _refuse(code: str, change: Change, what: str) -> NoReturn:
    raise PatchError(code, f"{'.'.join(change.path)} {what}")


__all__ = ["SIDES", "Done", "PatchError", "repaired"]
