"""What a sandbox remembers for good: values, and a protocol for SQLite (`sqlite.py`) and PostgreSQL (`postgres.py`).

Two kinds of memory. *Documents* are the control plane, one JSON text each, read once at the start and written
through. *Records* and their *rows* are the payload: a record as it was received, and one row for each row of
its `values`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class TableKey(NamedTuple):
    """The payload table of a subscription; ids of subscriptions are unique within a data mart only."""

    data_mart_id: str
    subscription_id: str


# the kind of the documents that say where a data mart's payload is
DATA_MART = "data_mart"


class DocumentKey(NamedTuple):
    """The name of a document: its kind, its data mart, and its id there."""

    kind: str
    data_mart_id: str
    id: str


class Kind(StrEnum):
    """What the cells of a column are where the subscription declares it; cells of other columns are any JSON."""

    TEXT = "text"
    INTEGER = "integer"
    DOUBLE = "double"
    BOOLEAN = "boolean"


class Layout(NamedTuple):
    """The columns of a row's cells: what was sent in requests, then what only the response has."""

    features: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, in the order of the cells."""
        return self.features + self.outputs


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row to store: its cells as JSON, in the order of its record's layout."""

    cells: bytes
    prediction_probability: float | None


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to store: as it was received (`body`, JSON), and as rows; `kinds` has the declared columns."""

    table: TableKey
    scoring_id: str
    scoring_timestamp: str
    deployment_id: str
    asset_revision: str | None
    body: bytes
    layout: Layout
    rows: Sequence[NewRow]
    kinds: Mapping[str, Kind]


@dataclass(frozen=True, slots=True)
class NewError:
    """A record that cannot be processed, for the table `PayloadError_{subscription}` (contract §5.1)."""

    table: TableKey
    scoring_id: str
    reason: str
    body: bytes


class Row(NamedTuple):
    """A stored row; `sequence` is its record's place in the order of arrival, `number` its own therein."""

    sequence: int
    scoring_id: str
    number: int
    scoring_timestamp: str
    deployment_id: str
    asset_revision: str | None
    prediction_probability: float | None
    layout: Layout
    cells: bytes

    @property
    def row_id(self) -> str:
        """The row's own scoring id: `<scoring_id>-<n>` (contract §5.2)."""
        return f"{self.scoring_id}-{self.number}"


class Batch(NamedTuple):
    """What one post leaves: stored together, or not at all."""

    records: Sequence[NewRecord]
    errors: Sequence[NewError]

    def tables(self) -> set[TableKey]:
        """Every table that it touches."""
        return {record.table for record in self.records} | {error.table for error in self.errors}


class RepeatedError(Exception):
    """A batch holds a scoring id that is stored already, and repetition was not to be ignored."""

    def __init__(self, scoring_id: str) -> None:
        super().__init__(scoring_id)
        self.scoring_id = scoring_id


class UnavailableError(Exception):
    """The database does not answer, or not as it should: nothing of the call is known to be done."""


def fresh(records: Iterable[NewRecord], stored: set[tuple[TableKey, str]], *, ignore_repeated: bool) -> list[NewRecord]:
    """The records whose scoring id is neither `stored` nor earlier among them; `RepeatedError` as `Store.add`."""
    known = set(stored)
    new = []
    for record in records:
        key = (record.table, record.scoring_id)
        if key not in known:
            known.add(key)
            new.append(record)
        elif not ignore_repeated:
            raise RepeatedError(record.scoring_id)
    return new


class Store(Protocol):
    """A database of a sandbox. Every method is one transaction, and is called from one thread at a time.

    What is read is what the store's `Curtain` lets be seen. Every method may raise `UnavailableError`.
    """

    def documents(self) -> Iterable[tuple[DocumentKey, bytes]]:
        """Every document, in the order in which they were first put."""

    def put(self, key: DocumentKey, body: bytes) -> None:
        """Write a document, in place of the one of that key."""

    def remove(self, keys: Iterable[DocumentKey]) -> None:
        """Remove documents; ones that are not there are no error."""

    def add(self, batch: Batch, *, ignore_repeated: bool) -> int:
        """Store a batch of one data mart; returns how many records were new. A scoring id is stored once a table.

        Raises `RepeatedError`, with nothing stored, where one is repeated and `ignore_repeated` is false.
        """

    def newest(self, table: TableKey, limit: int, offset: int) -> list[Row]:
        """Rows of a table, the newest first."""

    def arrived(self, table: TableKey, after: int, limit: int, scoring_id: str | None) -> list[Row]:
        """Rows of whole records in the order of arrival, beginning behind the record of sequence `after`.

        At most `limit` records; only those of `scoring_id` where it is given.
        """

    def bodies(self, table: TableKey, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Records as they were received, each with its sequence, in the order of arrival behind `after`."""

    def errors(self, table: TableKey, limit: int) -> list[NewError]:
        """The newest records of a table that could not be processed."""

    def counts(self) -> dict[TableKey, int]:
        """The number of rows of every table."""

    def count(self, table: TableKey) -> int:
        """The number of rows of a table."""

    def layouts(self, table: TableKey) -> list[Layout]:
        """Every layout that a table's rows have, in the order of arrival."""

    def drop(self, data_mart_id: str) -> None:
        """Remove the records, rows and errors of a data mart."""

    def close(self) -> None:
        """Let go of the database."""
