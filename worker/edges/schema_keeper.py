"""Keeps the book of writer schemas: what it lacks is asked of the registry, beside the loop, and kept for good."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from heapq import nsmallest
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

import structlog

from worker.edges.registry import NotAvroError, RegistryError
from worker.edges.schemas import reader_schema
from worker.model import Disposition, Refusal
from worker.rooms.decode import unknown
from worker.rooms.framing import Fingerprint
from worker.rooms.writer_schema import Reader, UnsafeSchemaError, compile_reader
from worker.telemetry import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from worker.edges.registry import RegistryClient
    from worker.rooms.decode import Asked, SchemaBook
    from worker.rooms.framing import SchemaRef

log = structlog.get_logger()

AT_ONCE: Final = 50
"""Schemas that one thread asks for, one after the other, before the loop decides anew."""

PLACE: Final = "the schema directory, nor in the registry"

_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of asking for a schema: a reader of it, why there is none, or that the registry has none."""

    schema: Asked
    found: Reader | Refusal | None


@dataclass(frozen=True, slots=True)
class _Failed:
    schema: Asked
    error: str


class SchemaKeeper:
    """Fills a book with the schemas of a registry; without a `client` it has nothing to do.

    One thread at a time asks, for each schema once. An answer is kept for good, but for the word that the registry has
    no such schema, which is believed for `unknown_seconds`. No answer, or none that makes sense, refuses no record: it
    is asked again after `wait(n)` seconds, n being the failures in a row.
    """

    def __init__(
        self,
        book: SchemaBook,
        client: RegistryClient | None,
        unknown_seconds: float,
        wait: Callable[[int], float],
        clock: Callable[[], float],
    ) -> None:
        self.book = book
        self._client = client
        self._unknown_seconds = unknown_seconds
        self._wait = wait
        self._clock = clock
        self._target = reader_schema()
        self._own = frozenset(book.readers)
        self._marks: dict[SchemaRef, Reader] = {}
        self._answers: SimpleQueue[_Answer | _Failed | None] = SimpleQueue()
        self._asking = False
        self._failures = 0
        self._failed: Counter[SchemaRef] = Counter()
        self._due = float("-inf")
        self._believed: deque[tuple[float, Asked]] = deque()
        self._sampler = Sampler(10)
        self.error: str | None = None
        """Why the registry last gave no answer; None once it does."""
        self.outcomes: Counter[str] = Counter()
        """What came of asking, in a word: found, unknown, unusable or failed."""

    def poll(self, wanted: Collection[Asked]) -> list[Asked]:
        """Begin to ask for what is wanted, if it is time; the schemas of which the book knows all now.

        `wanted` must still hold what was wanted before and is not answered.
        """
        now = self._clock()
        while self._believed and self._believed[0][0] <= now:
            self.book.refused.pop(self._believed.popleft()[1], None)
        answered = self._take_in(now)
        left = [each for each in wanted if each not in answered] if answered else wanted
        if left and not self._asking and now >= self._due and self._client is not None:
            self._begin(nsmallest(AT_ONCE, left, key=self._failed.__getitem__), self._client)
        return answered

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    # --- what has come ------------------------------------------------------------------------------------------

    def _take_in(self, now: float) -> list[Asked]:
        answered: list[Asked] = []
        while self._asking:
            try:
                came = self._answers.get_nowait()
            except Empty:
                break
            if came is None:
                self._asking = False
            elif isinstance(came, _Failed):
                self._fail(came, now)
            else:
                self._know(came, now)
                answered.append(came.schema)
        return answered

    def _fail(self, came: _Failed, now: float) -> None:
        self.outcomes["failed"] += 1
        self._failures += 1
        self._failed[came.schema] += 1
        self._due = now + self._wait(self._failures)
        self.error = came.error
        if self._sampler.admit("failing", now) is not None:
            log.warning("registry.failing", error=came.error)

    def _know(self, came: _Answer, now: float) -> None:
        if self.error is not None:
            self.error = None
            log.warning("registry.recovered")
        self._failures = 0
        del self._failed[came.schema]
        if isinstance(came.found, Reader):
            self.outcomes["found"] += 1
            self._add(came.schema, came.found)
            log.info("schema.fetched", schema=str(came.schema))
        elif came.found is not None:
            self.outcomes["unusable"] += 1
            self.book.refused[came.schema] = came.found
        else:
            self.outcomes["unknown"] += 1
            self.book.refused[came.schema] = unknown(came.schema, PLACE)
            self._believed.append((now + self._unknown_seconds, came.schema))

    def _add(self, schema: Asked, reader: Reader) -> None:
        """Know a schema by its name, and by its fingerprint unless that is the directory's, or another's as well."""
        self.book.add(schema, reader)
        mark = Fingerprint(reader.fingerprint)
        if mark in self._own:
            return
        if not self._marks.setdefault(mark, reader).reads_as(reader):
            self.book.readers.pop(mark, None)
            detail = f"{mark} is that of {self._marks[mark].name} and of {reader.name}, which are not read alike"
            self.book.refused[mark] = Refusal(Disposition.SCHEMA, "unusable-schema", detail)
        elif mark not in self.book.refused:
            self.book.add(mark, reader)

    # --- asking -------------------------------------------------------------------------------------------------

    def _begin(self, schemas: Collection[Asked], client: RegistryClient) -> None:
        self._asking = True
        threading.Thread(target=self._ask, args=(schemas, client), name="schemas", daemon=True).start()

    def _ask(self, schemas: Collection[Asked], client: RegistryClient) -> None:
        """Until the first failure: the others would only fail with it."""
        try:
            for each in schemas:
                try:
                    self._answers.put(_Answer(each, self._fetch(each, client)))
                except RegistryError as error:
                    self._answers.put(_Failed(each, str(error)))
                    break
                except Exception as error:  # noqa: BLE001 - whatever it was, records wait for an answer
                    self._answers.put(_Failed(each, f"schemas.registry: {each}: {type(error).__name__}"))
                    break
        finally:
            self._answers.put(None)

    def _fetch(self, schema: Asked, client: RegistryClient) -> Reader | Refusal | None:
        try:
            found = client.schema(schema)
            return None if found is None else compile_reader(str(schema), found, self._target)
        except (NotAvroError, UnsafeSchemaError, RecursionError) as error:
            detail = f"the registry's {schema} cannot be used: {error}"[:_LONGEST]
            return Refusal(Disposition.SCHEMA, "unusable-schema", detail)
