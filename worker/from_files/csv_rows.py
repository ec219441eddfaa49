"""Events from CSV with a header: one scoring a row, its columns the model's features and answers, as two Tables.

A column's kind is that of all its cells, found by a first reading, so that 41 in a column of doubles is a double.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from worker.from_files.drafts import Draft, SourceError, moment
from worker.from_files.files import File
from worker.model import Table
from worker.producer.errors import InvalidEventError
from worker.rooms.normalise.unfit import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_DOUBLE: Final = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]+)?")
_NO_NUMBER: Final = frozenset({"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})
_BOOLEAN: Final = {"true": True, "false": False}
_BOM: Final = "\ufeff"

INTEGER, DOUBLE, BOOLEAN, ARRAY, TEXT = "integer", "double", "boolean", "array", "text"
_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    INTEGER: int,
    DOUBLE: float,
    BOOLEAN: lambda cell: _BOOLEAN[cell.lower()],
    ARRAY: json.loads,
    TEXT: str,
}


def kind_of(cell: str) -> str:
    """What a cell may be; `nan` and `inf` count as doubles, for they stand where a number is missing."""
    if _INTEGER.fullmatch(cell):
        return INTEGER if -(2**63) <= int(cell) < 2**63 else TEXT
    if _DOUBLE.fullmatch(cell) or cell.lower() in _NO_NUMBER:
        return DOUBLE
    if cell.lower() in _BOOLEAN:
        return BOOLEAN
    return ARRAY if cell.startswith("[") and _is_array(cell) else TEXT


def kind_of_all(kinds: set[str]) -> str:
    """What a column is whose cells are of these kinds."""
    if kinds <= {INTEGER, DOUBLE} and kinds:
        return DOUBLE if DOUBLE in kinds else INTEGER
    return kinds.pop() if len(kinds) == 1 else TEXT


def _is_array(cell: str) -> bool:
    try:
        return isinstance(json.loads(cell), list)
    except (ValueError, RecursionError):
        return False


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns are what, as the command line says; all others are features.

    `prefix`: how names of the response's begin, in addition to `response`. `text` are never taken for numbers.
    """

    response: Sequence[str] = ()
    prefix: str | None = None
    scoring_id: str | None = None
    scored_at: str | None = None
    text: Sequence[str] = ()

    def answers(self, name: str) -> bool:
        """Whether a column is the response's."""
        return name in self.response or (self.prefix is not None and name.startswith(self.prefix))


class CsvRows(File):
    """A file of them; `kinds` is the kind of each column."""

    unit = "line"
    events = "rows"

    def __init__(self, stream: IO[bytes], name: str, longest: int, columns: Columns) -> None:
        """Reads the whole once; raises `SourceError` where the header cannot be used."""
        super().__init__(stream, name, longest)
        csv.field_size_limit(longest)
        self._columns = columns
        self._header = self._checked()
        named = [columns.scoring_id, columns.scored_at]
        self._answers = [at for at, each in enumerate(self._header) if columns.answers(each)]
        others = [at for at, each in enumerate(self._header) if at not in self._answers and each not in named]
        self._asks = others
        if not self._answers:
            raise SourceError(f"{name}:1: no column is the response's: say --response-columns or --response-prefix")
        if not self._asks:
            raise SourceError(f"{name}:1: no column is left to be the request's")
        self.kinds = self._kinds()

    def drafts(self) -> Iterator[Draft]:
        """A draft for each row below the header that is not empty."""
        rows = self._rows()
        next(rows, None)
        for number, row in rows:
            yield Draft(number, f"{self.name}:{number}", self.read, self._of(row))

    def _of(self, row: list[str] | str) -> Mapping[str, Any] | InvalidEventError:
        try:
            return self._given(row)
        except InvalidEventError as error:
            return error

    def _given(self, row: list[str] | str) -> Mapping[str, Any]:
        if isinstance(row, str):
            raise InvalidEventError("shape", row)
        if len(row) != len(self._header):
            raise InvalidEventError("row-width", f"{len(row)} cells for {len(self._header)} columns")
        cells = [None if not cell else _READ[kind](cell) for kind, cell in zip(self.kinds, row, strict=True)]
        made = {
            side: Table([self._header[at] for at in chosen], [[cells[at] for at in chosen]])
            for side, chosen in (("request", self._asks), ("response", self._answers))
        }
        said = dict(zip(self._header, row, strict=True))
        identity = said.get(self._columns.scoring_id or "") or None
        return {**made, "scoring_id": identity, "scored_at": self._time(said)}

    def _time(self, said: Mapping[str, str]) -> object:
        name = self._columns.scored_at
        text = said[name] if name is not None else ""
        if not text:
            return None
        return int(text) if _INTEGER.fullmatch(text) else moment(f"column {quoted(str(name))}", text)

    def _checked(self) -> list[str]:
        """The names of the header."""
        _, header = next(self._rows(), (1, "there is no header"))
        if isinstance(header, str):
            raise SourceError(f"{self.name}:1: {header}")
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is not None:
            raise SourceError(f"{self.name}:1: the column {quoted(twice)} occurs more than once")
        columns = self._columns
        for name in [*columns.response, *columns.text, columns.scoring_id, columns.scored_at]:
            if name is not None and name not in header:
                raise SourceError(f"{self.name}:1: there is no column {quoted(name)}")
        return header

    def _kinds(self) -> list[str]:
        seen: list[set[str]] = [set() for _ in self._header]
        rows = self._rows()
        next(rows, None)
        for _, row in rows:
            if len(row) == len(seen) and isinstance(row, list):
                for kinds, cell in zip(seen, row, strict=True):
                    if cell and TEXT not in kinds:
                        kinds.add(kind_of(cell))
        columns = self._columns
        plain = {columns.scoring_id, columns.scored_at, *columns.text}
        return [TEXT if name in plain else kind_of_all(kinds) for name, kinds in zip(self._header, seen, strict=True)]

    def _rows(self) -> Iterator[tuple[int, list[str] | str]]:
        """The rows with the number of their first line, or what is wrong with them, the header among them."""
        flaws: list[str] = []
        reader = csv.reader(self._texts(flaws), strict=True)
        while True:
            number = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, f"it is no CSV: {error}"
                flaws.clear()
                continue
            if flaws:
                yield number, flaws[0]
                flaws.clear()
            elif row:
                yield number, row

    def _texts(self, flaws: list[str]) -> Iterator[str]:
        for number, line in enumerate(self.lines(), 1):
            if line is None:
                flaws.append(f"the line has more than {self.longest} bytes")
                yield "\n"
                continue
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                flaws.append(f"the line is not UTF-8 at byte {error.start}")
                text = line.decode(errors="replace")
            yield text.removeprefix(_BOM) if number == 1 else text
