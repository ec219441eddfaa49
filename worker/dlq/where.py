"""The filter of `--where`: `name=value`, several of them joined by and. Pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from worker.dlq.letters import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NUMBERS: Final = ("status", "partition", "offset", "redrives")
"""Names whose values are numbers: they may be given as a range, `400..499`, both ends included."""

NONE: Final = ("", "-")
"""How a value is written that is not there."""

_CONDITION = re.compile(r"([a-z_]+)(!?=)(.*)", re.DOTALL)
_NUMBER = re.compile(r"\d{1,19}")
_RANGE = re.compile(r"(\d{1,19})?\.\.(\d{1,19})?")


class WhereError(ValueError):
    """A filter that cannot be read; the message says what is wrong, and what there is."""


class Values(Protocol):
    """Facts by name."""

    def __getitem__(self, name: str, /) -> str | None:
        """None where it is not known."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One `name=value`, or `name!=value` where it is not `wanted`."""

    name: str
    value: str
    wanted: bool = True

    def __str__(self) -> str:
        return f"{self.name}{'=' if self.wanted else '!='}{self.value}"

    def holds(self, facts: Values) -> bool:
        """Whether the facts are as it says."""
        return self._matches(facts[self.name]) is self.wanted

    def _matches(self, fact: str | None) -> bool:
        if fact is None or self.value in NONE:
            return fact is None and self.value in NONE
        if self.name in NUMBERS:
            low, high = _bounds(self.value)
            return _NUMBER.fullmatch(fact) is not None and low <= int(fact) <= high
        return fact == self.value or ("*" in self.value and _pattern(self.value).fullmatch(fact) is not None)


@dataclass(frozen=True, slots=True)
class Where:
    """All of its conditions hold; with none, every letter is meant."""

    conditions: Sequence[Condition] = ()

    def __str__(self) -> str:
        """The same text for the same filter, in whatever order it was given."""
        return " ".join(shlex.quote(text) for text in sorted({str(each) for each in self.conditions}))

    def holds(self, facts: Values) -> bool:
        """Whether a letter with these facts is meant."""
        return all(each.holds(facts) for each in self.conditions)

    def without(self, names: Sequence[str]) -> Where:
        """Without the conditions that ask for these facts."""
        return Where(tuple(each for each in self.conditions if each.name not in names))

    def names(self, name: str) -> bool:
        """Whether it asks for a fact."""
        return any(each.name == name for each in self.conditions)


def where(texts: Iterable[str]) -> Where:
    """Read filters as they are typed: each text has conditions with blanks between, quoted as in a shell.

    Raises:
        WhereError: with the names that there are, where one is wrong.
    """
    found = []
    for text in texts:
        try:
            found += [_condition(each) for each in shlex.split(text)]
        except ValueError as error:
            raise error if isinstance(error, WhereError) else WhereError(f"--where: {error}") from None
    return Where(tuple(found))


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise WhereError(f"--where: {text!r} is not name=value, with one of the names {', '.join(NAMES)}")
    name, sign, value = match.groups()
    if name not in NAMES:
        raise WhereError(f"--where: there is no name {name!r}; there are {', '.join(NAMES)}")
    if name in NUMBERS and value not in NONE:
        _bounds(value)
    return Condition(name, value, sign == "=")


def _bounds(value: str) -> tuple[int, int]:
    if _NUMBER.fullmatch(value):
        return int(value), int(value)
    match = _RANGE.fullmatch(value)
    if match is None or value == "..":
        raise WhereError(f"--where: {value!r} is neither a number nor a range of them, as 400..499")
    return int(match[1] or 0), int(match[2] or 10**19)


def _pattern(value: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, value.split("*"))), re.DOTALL)
