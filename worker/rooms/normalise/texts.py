"""From bytes to JSON values and CSV numbers, by content type; no error tells more of a text than a position.

orjson reads what is JSON. Only when it refuses does the standard library read again, for that takes `NaN`,
`Infinity` and numbers that overflow, so that the check of cells can name the place. Integers beyond 64 bits
become the nearest double, as in most JSON readers.
"""

from __future__ import annotations

import json
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

import orjson

from worker.rooms.normalise.unfit import Code, Unfit, kind, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.model import Body

_BOM = b"\xef\xbb\xbf"
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_INT_DIGITS = 20
_HEADER = 200  # a longer content type is none, and the cache shall not hold it

Media = Literal["json", "lines", "csv", "unknown"]
"""What a content type says of the text; plain words, for an enum's members are slow to reach in Python 3.11."""

_MEDIA: dict[str, Media] = {
    "application/json": "json",
    "text/json": "json",
    "application/jsonlines": "lines",
    "application/jsonl": "lines",
    "application/x-ndjson": "lines",
    "text/csv": "csv",
    "application/csv": "csv",
}


def media(body: Body) -> Media:
    """What the content type of `body` says of its text."""
    return _media(body.content_type[:_HEADER])


@lru_cache(maxsize=256)
def _media(content_type: str) -> Media:
    """What `content_type` stands for; a charset that is not UTF-8 is refused, others are ignored."""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "charset" and value.strip().strip('"') not in _CHARSETS:
            raise Unfit(Code.CONTENT_TYPE, "the charset of the content type is not UTF-8")
    return "json" if name.endswith("+json") else _MEDIA.get(name, "unknown")


def json_of(body: Body) -> Any:
    """The JSON value of a body; of a string that holds JSON, as answers may be (§5.1, §6), the inner one.

    A body whose content type is unknown or empty may be JSON too.
    """
    found = media(body)
    if found == "json":
        value = parse(body.data)
    elif found == "unknown":
        value = _parse_untold(body.data)
    else:
        raise Unfit(Code.CONTENT_TYPE, "the content type is not JSON, which this engine speaks")
    if type(value) is str:
        return parse(value.encode(), ", counted in the text of the outer string")
    return value


def object_of(body: Body) -> dict[str, Any]:
    """As `json_of`, where only a JSON object will do."""
    value = json_of(body)
    if type(value) is not dict:
        raise Unfit(Code.SHAPE, f"the body is {kind(value)}, not an object")
    return value


def lines_of(body: Body) -> list[Any]:
    """The values of JSON Lines, blank lines left out."""
    lines = body.data.removeprefix(_BOM).splitlines()
    return [parse(line, f" of line {at}") for at, line in enumerate(lines, 1) if line.strip()]


def parse(data: bytes, where: str = "") -> Any:
    """One JSON value; `where` follows the position in a message."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if not data.startswith(_BOM):
            return _parse_again(_utf8(data, where), error, where)
    text = data[len(_BOM) :]
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = f", counted without its byte order mark{where}"
        return _parse_again(_utf8(text, where), error, where)


def numbers(data: bytes, fields: Sequence[str]) -> list[list[float]]:
    """The numbers of a CSV text without a header, one line a row, one cell for each of `fields`.

    Blanks around a cell, `3.`, exponents, CRLF and newlines at the end are taken (§6).
    """
    text = _utf8(data.removeprefix(_BOM)).rstrip("\r\n")
    lines = text.split("\n") if text else []
    rows = _floats(text, lines)
    # A sum is finite only if all its parts are; that of large ones may overflow, so a closer look decides.
    suspect = any(len(row) != len(fields) or not isfinite(sum(row)) for row in rows)
    if (suspect or len(rows) != len(lines)) and (flaw := _bad_line(lines, fields)) is not None:
        raise flaw
    return rows


def width(data: bytes) -> int:
    """The number of cells in the first line of a CSV text."""
    return data.partition(b"\n")[0].count(b",") + 1


def _parse_untold(data: bytes) -> Any:
    try:
        return parse(data)
    except Unfit as unfit:
        if unfit.code is not Code.NOT_JSON:
            raise
        raise Unfit(Code.CONTENT_TYPE, "the content type is unknown, and the body is not JSON") from None


def _parse_again(text: str, flaw: orjson.JSONDecodeError, where: str) -> Any:
    """Take what only breaks the range of numbers, for the check of cells to name it; refuse all else."""
    if "depth" in flaw.msg:
        raise Unfit(Code.TOO_DEEP, f"the JSON is nested too deeply at {_at(text, flaw, where)}")
    try:
        value = json.loads(text, parse_int=_parse_int)
        orjson.dumps(value)  # a lone surrogate, which no UTF-8 can hold, is not JSON to be posted
    except (ValueError, TypeError, RecursionError):
        raise Unfit(Code.NOT_JSON, f"the body is not JSON at {_at(text, flaw, where)}") from None
    return value


def _parse_int(digits: str) -> int | float:
    """As orjson reads integers; a string of thousands of digits must not become one."""
    value = int(digits) if len(digits) <= _INT_DIGITS else float(digits)
    return value if -(2**63) <= value < 2**64 else float(value)


def _at(text: str, flaw: orjson.JSONDecodeError, where: str) -> str:
    return f"byte {len(text[: flaw.pos].encode())}{where}"


def _utf8(data: bytes, where: str = "") -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Unfit(Code.NOT_UTF8, f"the body is not UTF-8 at byte {error.start}{where}") from None


def _floats(text: str, lines: list[str]) -> list[list[float]]:
    """One number a cell, or nothing where a cell is none; float() would also take `1_0` and foreign digits."""
    if "_" in text or not text.isascii():
        return []
    try:
        return [[float(cell) for cell in line.split(",")] for line in lines]
    except ValueError:
        return []


def _bad_line(lines: list[str], fields: Sequence[str]) -> Unfit | None:
    """The first flaw of a CSV text, named by line and column."""
    for at, line in enumerate(lines, 1):
        cells = line.split(",")
        if len(cells) != len(fields):
            return Unfit(Code.CSV_WIDTH, f"line {at} has {len(cells)} cells for {len(fields)} columns")
        for name, cell in zip(fields, cells, strict=True):
            if (flaw := _bad_cell(cell)) is not None:
                return Unfit(flaw[0], f"line {at}, column {quoted(name)} {flaw[1]}")
    return None


def _bad_cell(cell: str) -> tuple[Code, str] | None:
    if not cell.strip():
        return Code.CSV_NUMBER, "is empty"
    if not (number := _floats(cell, [cell])):
        return Code.CSV_NUMBER, "is not a number"
    return None if isfinite(number[0][0]) else (Code.NOT_FINITE, "is not a finite number")
