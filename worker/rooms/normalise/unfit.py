"""Why a request or a response cannot be normalised: the vocabulary of refusals, and how they are raised."""

from __future__ import annotations

from enum import StrEnum

from worker.model import Disposition

NAME_LIMIT = 80


class Code(StrEnum):
    """The fine reason of a refusal, as it stands in `Refusal.code`; stable: tools and alerts match on it."""

    # The text or its shape is not what the engine speaks.
    CONTENT_TYPE = "content-type"  # neither JSON nor what the engine takes
    NOT_UTF8 = "not-utf8"
    NOT_JSON = "not-json"
    CSV_NUMBER = "csv-number"  # an empty or non-numeric cell
    CSV_WIDTH = "csv-width"  # a line with more or fewer cells than there are columns
    SHAPE = "shape"  # a part is missing, or is not the array or object that it has to be
    COLUMNS = "columns"  # an object lacks a column of the first, or has one more
    NO_FEATURES = "no-features"  # values without names, and the subscription names no features
    BINARY_TENSOR = "binary-tensor"  # the binary tensor data extension, whose bytes stand behind the JSON
    SPSS = "spss"  # the native form of SPSS, which only its own engine can store

    # The table is readable, but breaks a rule of the normal form.
    NO_ROWS = "no-rows"
    NO_FIELDS = "no-fields"
    ROW_COUNTS = "row-counts"  # request, response and meta do not agree
    ROW_WIDTH = "row-width"  # a row with more or fewer cells than there are fields
    FIELD_NAME = "field-name"  # a name that is not a string
    REPEATED_FIELD = "repeated-field"
    CELL_TYPE = "cell-type"  # an object, or what JSON has no word for
    NOT_FINITE = "not-finite"  # NaN, an infinity, or a number that overflows a double
    INT_RANGE = "int-range"  # an integer that 64 bits cannot hold
    TOO_DEEP = "too-deep"  # arrays nested beyond every known payload

    @property
    def disposition(self) -> Disposition:
        """`VALIDATION` for a broken rule of the normal form, `NORMALISE` for what is not brought into it."""
        return Disposition.VALIDATION if self in _RULES else Disposition.NORMALISE


_RULES = frozenset(
    {
        Code.NO_ROWS,
        Code.NO_FIELDS,
        Code.ROW_COUNTS,
        Code.ROW_WIDTH,
        Code.FIELD_NAME,
        Code.REPEATED_FIELD,
        Code.CELL_TYPE,
        Code.NOT_FINITE,
        Code.INT_RANGE,
        Code.TOO_DEEP,
    }
)

# JSON's own words for what was found: a type may be told, a value never.
_KINDS = {
    dict: "an object",
    list: "an array",
    tuple: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class Unfit(Exception):  # noqa: N818 - it never leaves the room: a refusal, not an error
    """Raised where a flaw is found; `normalise` alone turns it into a `Refusal`.

    `detail` names the field or the place; the side, request or response, is put before it by `normalise`.
    """

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


def kind(value: object) -> str:
    """What `value` is, in JSON's words."""
    return _KINDS.get(type(value), "no JSON value")


def quoted(name: str) -> str:
    """A column's name for a message: quoted, free of control characters, and of bounded length."""
    return repr(name if len(name) <= NAME_LIMIT else name[:NAME_LIMIT] + "…")
