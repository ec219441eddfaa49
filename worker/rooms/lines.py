"""The lines of Python that readers are generated from (`compiled`), and the names that they use.

In all of them `d` are the bytes, `p` is the position and `size` the end. `n`, `e` and `t` are a number, an end and a
branch that do not outlive the value they are read for; `found` is the array or map that is read.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from worker.rooms import binary

_SIZED = [
    "n = STEPS[d[p]]",
    "if n:",
    " e = p + n",
    " {v} = d[p + 1:e]{decoded}",
    " p = e",
    "else:",
    " {v}, p = {otherwise}(d, p)",
]
_NUMBER = [
    "n = d[p]",
    "p += 1",
    "if n < 128:",
    " {v} = DIGITS[n]",
    "else:",
    " e = d[p]",
    " if e < 128:",
    "  n = n & 127 | e << 7",
    "  {v} = (n >> 1) ^ -(n & 1)",
    "  p += 1",
    " else:",
    "  {v}, p = long_(d, p - 1)",
]
PRIMITIVES: dict[str, list[str]] = {
    "null": ["{v} = None"],
    "boolean": ["{v} = BOOLEANS[d[p]]", "p += 1"],
    "int": _NUMBER,
    "long": _NUMBER,
    "float": ["{v}, = float_(d, p)", "p += 4"],
    "double": ["{v}, = double(d, p)", "p += 8"],
    "bytes": [line.replace("{decoded}", "").replace("{otherwise}", "octets") for line in _SIZED],
    "string": [line.replace("{decoded}", ".decode()").replace("{otherwise}", "string") for line in _SIZED],
}
"""How a primitive is read into `{v}`: one byte of length or two of number take no call."""

GLOBALS: dict[str, Any] = {
    "long_": binary.long,
    "octets": binary.octets,
    "string": binary.string,
    "STEPS": binary.STEPS,
    "TIMES": binary.TIMES,
    "count": binary.count,
    "left_over": binary.left_over,
    "NotFiniteError": binary.NotFiniteError,
    "unread_strings": binary.unread_strings,
    "BOOLEANS": (False, True),
    "DIGITS": tuple((byte >> 1) ^ -(byte & 1) for byte in range(128)),
    "double": Struct("<d").unpack_from,
    "float_": Struct("<f").unpack_from,
}


def call(function: str, into: str) -> list[str]:
    """A value by a function."""
    return [f"{into}, p = {function}(d, p)"]


def fixed(size: int, into: str) -> list[str]:
    """A value of so many bytes."""
    return [f"e = p + {size}", "if e > size:", " raise EOFError", f"{into} = d[p:e]", "p = e"]


def blocks(item: list[str]) -> list[str]:
    """The blocks of an array or map, up to the empty one; `item` are the lines that take one."""
    begin = ["n = d[p]", "p += 1", "if n & 129:", " n, p = count(d, p - 1)", "else:", " n >>= 1"]
    return [
        *begin,
        "while n:",
        " if n > size - p:",
        "  raise EOFError",
        " for _ in range(n):",
        *indented(indented(item)),
        *indented(begin),
        "return found, p",
    ]


def indented(lines: list[str]) -> list[str]:
    """Lines one step further in."""
    return [f" {line}" for line in lines]


def short(item: list[str], general: str) -> list[str]:
    """An array as nearly all are: one block, of few enough items for one byte; the function `general` reads others."""
    return [
        "n = d[p]",
        "p += 1",
        "if n & 129:",
        f" return {general}(d, p - 1)",
        "found = []",
        "for _ in TIMES[n]:",
        *indented([*item, "found.append(v)"]),
        "if found:",
        " if d[p]:",
        f"  more, p = {general}(d, p)",
        "  return found + more, p",
        " p += 1",
        "return found, p",
    ]


def finite(name: str) -> list[str]:
    """Refuse a number that is none; the difference is true of NaN and the infinities alone."""
    return [f"if {name} - {name}:", " raise NotFiniteError"]
