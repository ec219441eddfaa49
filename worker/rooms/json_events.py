"""JSON events of the shape of `payload_event.avsc`: one plain object a record, read strictly.

A fault is a `Refusal` that names the field, never its value. Integers of up to 64 bits are exact, larger ones become
doubles as in a Body; NaN and infinities are no JSON. Cells are checked with the other tables, in `normalise`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from worker.model import Body, Disposition, Event, Refusal, Table
from worker.rooms.events import PARTS
from worker.rooms.sizes import size_refusal
from worker.rooms.times import micros_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.model import Envelope

_FIELDS = frozenset(PARTS)
_TABLE = frozenset(("fields", "values", "meta"))
_META = frozenset(("fields", "values"))
_BODY = frozenset(("content_type", "data", "data_base64"))
_NAME = 80


class Misfit(Exception):  # noqa: N818 - it never leaves this room: a refusal, not an error
    """Raised where a field is not as it has to be; the message names it."""


@dataclass(frozen=True, slots=True)
class JsonEvents:
    """Reads events in JSON; `limit` is the most bytes that a record's value may have."""

    limit: int

    def event(self, envelope: Envelope) -> Event | Refusal:
        """The event of one record, or why it has none."""
        value = envelope.value
        if not value or len(value) > self.limit:
            return size_refusal(value, self.limit)
        try:
            found = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            return not_json("the value", error)
        try:
            return _event(_object(found, "the value", _FIELDS))
        except Misfit as misfit:
            return Refusal(Disposition.DECODE, "not-an-event", str(misfit))


def not_json(what: str, error: orjson.JSONDecodeError) -> Refusal:
    """A text that is no JSON, by the place where it ceases to be."""
    return Refusal(Disposition.DECODE, "not-json-event", f"{what} is not JSON in UTF-8, from character {error.pos} on")


def _event(found: dict[str, Any]) -> Event:
    asset = _text(found, "asset")
    if asset is None:
        raise Misfit("asset is missing, or null")
    return Event(
        _text(found, "binding"),
        asset,
        _text(found, "deployment"),
        _text(found, "scoring_id"),
        _scored_at(found.get("scored_at")),
        _integer(found.get("response_time_ms"), "response_time_ms"),
        _content(found, "request"),
        _content(found, "response"),
        _attributes(found.get("attributes")),
    )


def _object(value: object, name: str, known: frozenset[str]) -> dict[str, Any]:
    if type(value) is not dict:
        raise Misfit(f"{name} is {_kind(value)}, not an object")
    if not value.keys() <= known:
        odd = next(key for key in value if key not in known)
        shown = repr(odd if len(odd) <= _NAME else odd[:_NAME] + "…")
        raise Misfit(f"{name} has a member {shown} that the schema does not have")
    return value


def _text(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    if value is not None and type(value) is not str:
        raise Misfit(f"{name} is {_kind(value)}, not a string")
    return value


def _integer(value: object, name: str) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise Misfit(f"{name} is not an integer of 64 bits")
    return value


def _scored_at(value: object) -> int | None:
    if type(value) is not str:
        return _integer(value, "scored_at")
    found = micros_of(value)
    if found is None:
        raise Misfit("scored_at is neither an integer (microseconds since 1970) nor a time as RFC 3339 writes it")
    return found


def _content(found: Mapping[str, Any], name: str) -> Body | Table:
    value = found.get(name)
    if type(value) is dict and "values" in value:
        return _table(_object(value, name, _TABLE), name)
    return _body(_object(value, name, _BODY), name)


def _table(value: dict[str, Any], name: str) -> Table:
    meta = value.get("meta")
    if meta is not None:
        _columns(_object(meta, f"{name}.meta", _META), f"{name}.meta")
    _columns(value, name)
    return Table(value.get("fields") or None, value["values"], meta)


def _columns(value: dict[str, Any], name: str) -> None:
    fields = value.get("fields")
    if fields is not None and (type(fields) is not list or not all(type(each) is str for each in fields)):
        raise Misfit(f"{name}.fields is not an array of strings")
    if type(value.get("values")) is not list:
        raise Misfit(f"{name}.values is {_kind(value.get('values'))}, not an array of rows")


def _body(value: dict[str, Any], name: str) -> Body:
    content_type = _text(value, "content_type")
    if content_type is None:
        raise Misfit(f"{name} is neither a Table (fields, values) nor a Body (content_type, data)")
    if ("data" in value) == ("data_base64" in value):
        raise Misfit(f"{name} has not exactly one of data and data_base64")
    if "data" in value:
        data = _text(value, "data")
        if data is None:
            raise Misfit(f"{name}.data is null, not a string")
        return Body(content_type, data.encode())
    return Body(content_type, _unpacked(value["data_base64"], f"{name}.data_base64"))


def _unpacked(value: object, name: str) -> bytes:
    found = from_base64(value)
    if found is None:
        raise Misfit(f"{name} is not a string in base64")
    return found


def from_base64(value: object) -> bytes | None:
    """The bytes of a text in base64 (RFC 4648 §4); None where it is none."""
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        return None


def _attributes(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if type(value) is not dict or not all(type(each) is str for each in value.values()):
        raise Misfit("attributes is not an object of strings")
    return value


_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "missing, or null"}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")
