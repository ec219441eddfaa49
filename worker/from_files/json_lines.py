"""Events from JSON Lines: one object a line, in the event's shape (schemas/README.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from worker.from_files.drafts import Draft, moment
from worker.from_files.files import File
from worker.model import Body, Table
from worker.producer.errors import InvalidEventError
from worker.producer.events import JSON
from worker.rooms.normalise import texts
from worker.rooms.normalise.unfit import Unfit, kind, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIELDS: Final = (
    "asset",
    "binding",
    "deployment",
    "scoring_id",
    "scored_at",
    "response_time_ms",
    "request",
    "response",
    "attributes",
)
_BODY: Final = frozenset({"content_type", "data"})
_TABLE: Final = frozenset({"fields", "values", "meta"})
_BOM: Final = b"\xef\xbb\xbf"


class JsonLines(File):
    """A file of them."""

    unit = "line"
    events = "lines"

    def drafts(self) -> Iterator[Draft]:
        """A draft for each line that is not blank."""
        for number, line in enumerate(self.lines(), 1):
            text = line.removeprefix(_BOM) if number == 1 and line is not None else line
            if text is None or text.strip():
                yield Draft(number, f"{self.name}:{number}", self.read, self._of(text))

    def _of(self, line: bytes | None) -> Mapping[str, Any] | InvalidEventError:
        if line is None:
            return InvalidEventError("event-too-large", f"the line has more than {self.longest} bytes")
        try:
            return of_line(line)
        except InvalidEventError as error:
            return error


def of_line(line: bytes) -> Mapping[str, Any]:
    """The arguments that a line stands for; raises `InvalidEventError`."""
    try:
        found = texts.parse(line.rstrip(b"\r\n"))
    except Unfit as unfit:
        raise InvalidEventError(unfit.code.value, unfit.detail.replace("the body", "the line")) from None
    if not isinstance(found, dict):
        raise InvalidEventError("shape", f"the line is {kind(found)}, not an object")
    for name in found:
        if name not in FIELDS:
            raise InvalidEventError("shape", f"an event has no field {quoted(name)}; it has {', '.join(FIELDS)}")
    attributes = found.get("attributes")
    if attributes is not None and not isinstance(attributes, dict):
        raise InvalidEventError("shape", f"attributes: it is {kind(attributes)}, not an object of texts")
    sides = {side: _content(side, found[side]) for side in ("request", "response") if found.get(side) is not None}
    return {**found, **sides, "scored_at": moment("scored_at", found.get("scored_at"))}


def _content(side: str, given: object) -> object:
    """A Body and a Table by their keys; whatever else is JSON is a body as the engine speaks it."""
    if isinstance(given, dict):
        if given.keys() <= _BODY and "data" in given:
            return _body(side, given)
        if given.keys() <= _TABLE and "values" in given:
            return Table(given.get("fields"), given["values"], given.get("meta"))
    if not isinstance(given, dict | list):
        raise InvalidEventError("shape", f"{side}: it is {kind(given)}, neither a Body, a Table nor JSON of an engine")
    return given


def _body(side: str, given: Mapping[str, Any]) -> Body:
    data, content_type = given["data"], given.get("content_type", JSON)
    if not isinstance(data, str) or not isinstance(content_type, str):
        raise InvalidEventError("shape", f"{side}: content_type and data of a Body are texts")
    try:
        return Body(content_type, data.encode())
    except UnicodeEncodeError:
        raise InvalidEventError("not-utf8", f"{side}: data holds half of a surrogate pair") from None
