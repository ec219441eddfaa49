"""What the rooms make of a message, held against what a plain decoder says of it."""

from __future__ import annotations

import json
import marshal
import time
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.fuzz.corpus import BOOK, DIRECTORY, LIMIT, MARKS, SUBJECTS, SUITE, Subject
from tests.fuzz.plain import NotAvroError
from worker.model import Body, Claim, Envelope, Event, Half, Refusal, Row
from worker.rooms.framing import VALUE_SCHEMA

if TYPE_CHECKING:
    from tests.fuzz.messages import Message
    from worker.rooms.decode import Asked
    from worker.rooms.suite import Passed

CLAIMS: Final = {name: Claim(name, 0) for name in ["events", *(each.topic for each in SUBJECTS)]}
BY_ID: Final = {each.number: each for each in SUBJECTS}
BY_GUID: Final = {each.guid.bytes: each for each in SUBJECTS}
BY_TOPIC: Final = {each.topic: each for each in SUBJECTS}
LONGEST: Final = 25
"""Characters that an integer of 64 bits never has."""
UNREAD: Final = frozenset({"decode", "schema"})
"""Dispositions of what was not read as an event."""


class Found(NamedTuple):
    """What became of a message in a word, what of that is wrong, the CPU time of the rooms, its bytes inflated."""

    outcome: str
    wrong: str | None
    seconds: float
    size: int = 0


def judge(message: Message) -> Found:
    """Send a message through all rooms, and a plain decoder over it."""
    envelope = Envelope(CLAIMS[message.topic], 7, 1000, None, message.value, message.headers)
    began = time.thread_time()
    passed = SUITE.walk([envelope], DIRECTORY)
    seconds = time.thread_time() - began
    framed = _framed(message) if 0 < len(message.value) <= LIMIT else None
    wanted = None if framed is None else _event(*framed)
    event = SUITE.decoder.event(envelope)
    outcome = _outcome(passed)
    if isinstance(event, Event):
        wrong = _wrong(event, passed, wanted)
    elif wanted is not None and not (framed and framed[0].plain.lied):
        wrong = f"{outcome}, where there is an event"
    else:
        wrong = _wrongly_refused(event)
    return Found(outcome, wrong, seconds, len(message.value) if framed is None else len(framed[1]))


def _outcome(passed: Passed) -> str:
    if passed.rows or passed.unread:
        return "row" if passed.rows else "waits for its schema"
    (refused,) = passed.rejected + passed.unknown
    return f"{refused.refusal.disposition} {refused.refusal.code}"


def _wrongly_refused(found: Half | Refusal | Asked) -> str | None:
    if isinstance(found, Half):
        return "half of a scoring, where there are none"
    if isinstance(found, Refusal):
        return found.detail if "MemoryError" in found.detail or found.code == "internal-error" else None
    return "waits for a schema that is known" if found in BOOK.readers else None


def _wrong(event: Event, passed: Passed, wanted: dict[str, Any] | None) -> str | None:
    if wanted is None:
        return "an event, where there is none"
    if _exactly(_plain(event)) != _exactly(wanted):
        return "another event"
    if passed.rows:
        return _wrong_row(passed.rows[0], wanted)
    (refused,) = passed.rejected + passed.unknown
    odd = refused.refusal.disposition in UNREAD or refused.refusal.code == "internal-error"
    return refused.refusal.detail if odd else None


# --- the event, and its row -------------------------------------------------------------------------------------------


def _exactly(value: Any) -> bytes:
    """Equal where types, signs and bits of numbers are."""
    return marshal.dumps(value, 2)


def _plain(event: Event) -> dict[str, Any]:
    found = {name: getattr(event, name) for name in ("binding", "deployment", "scoring_id")}
    found |= {name: getattr(event, name) for name in ("scored_at", "response_time_ms")}
    found["attributes"] = dict(event.attributes)
    found["asset"] = event.asset
    for part in ("request", "response"):
        content = getattr(event, part)
        if isinstance(content, Body):
            found[part] = content.content_type, content.data
        else:
            found[part] = list(content.fields or []), content.values, content.meta
    return found


def _wrong_row(row: Row, wanted: dict[str, Any]) -> str | None:
    """Names and cells of the record that is posted are those of the event, in which everything is as it was written."""
    posted = json.loads(row.payload)
    if wanted["scoring_id"] and posted["scoring_id"] != wanted["scoring_id"]:
        return "another scoring id"
    if posted.get("response_time") != wanted["response_time_ms"]:
        return "another response time"
    tables = posted["request"], posted["response"]
    if len(tables[0]["values"]) != len(tables[1]["values"]):
        return "not as many answers as questions"
    for part, found in zip(("request", "response"), tables, strict=True):
        known = _table(wanted[part]) if row.subscription_id == "s-custom_machine_learning" else None
        if known is not None and _exactly((found.get("fields") or [], found["values"])) != _exactly(known):
            return f"another {part}"
    return None


def _table(content: tuple[Any, ...]) -> tuple[Any, Any] | None:
    """Names and cells of a table, or of a body in the same form; None for the forms of others."""
    if len(content) == 3:
        return content[0], content[1]
    try:
        document = json.loads(content[1], parse_int=_number)
    except (ValueError, RecursionError):
        return None
    return (document.get("fields") or [], document["values"]) if "values" in document else None


def _number(text: str) -> float:
    """Integers beyond 64 bits become the nearest double, as the normal form's rules have it."""
    number = int(text) if len(text) < LONGEST else None
    return float(text) if number is None or not -(1 << 63) <= number < 1 << 64 else number


# --- framing, plainly -------------------------------------------------------------------------------------------------


def expected(message: Message) -> dict[str, Any] | None:
    """The event's fields as a plain decoder reads them; None where there is no event."""
    found = _framed(message) if 0 < len(message.value) <= LIMIT else None
    return None if found is None else _event(*found)


def _event(subject: Subject, body: bytes) -> dict[str, Any] | None:
    try:
        return subject.plain.event(body)
    except NotAvroError:
        return None


def _framed(message: Message) -> tuple[Subject, bytes] | None:
    """The writer schema and the body; None where the message names none that is known."""
    topic, headers, value = message
    named = [given or b"" for name, given in headers if name == VALUE_SCHEMA]
    bare = BY_TOPIC.get(topic)
    if named:
        subject, body = _of_header(named[-1]), value
    elif value[:1] == b"\3" and value[1:2] in {b"\0", b"\5"} and value[2:18] in BY_GUID:
        return _of_glue(value)
    elif value[:2] == b"\xc3\1":
        subject, body = MARKS.get(value[2:10]), value[10:]
    elif bare is not None:
        subject, body = bare, value
    else:
        known = value[:1] == b"\0" and len(value) > 4
        subject, body = BY_ID.get(int.from_bytes(value[1:5], "big")) if known else None, value[5:]
    return None if subject is None else (subject, body)


def _of_header(named: bytes) -> Subject | None:
    if named[:1] == b"\0" and len(named) == 5:
        return BY_ID.get(int.from_bytes(named[1:], "big"))
    return BY_GUID.get(named[1:]) if named[:1] == b"\1" else None


def _of_glue(value: bytes) -> tuple[Subject, bytes] | None:
    subject, body = BY_GUID[value[2:18]], value[18:]
    if value[1] == 0:
        return subject, body
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(body, LIMIT + 1)
    except zlib.error:
        return None
    return (subject, body) if stream.eof and not stream.unused_data and len(body) <= LIMIT else None
