"""What a call of the sandbox takes and answers: the form in which the tables of calls tell it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from worker.sandbox.openapi_schemas import ANYTHING, FLAG, JSON, Schema, ref

if TYPE_CHECKING:
    from collections.abc import Mapping

Query = tuple[str, Schema, bool]


@dataclass(frozen=True, slots=True)
class Call:
    """A call: its body, its answers by status (None: without a body), and what may go wrong beside 400, 401 and 404.

    `error` is the body of errors where it is not the data mart's; `creates` says that nothing of the path needs to be
    there; `security` is how it is let in where that is not by a token.
    """

    answers: Mapping[int, Schema | None] = field(default_factory=lambda: {200: ANYTHING})
    body: Schema | None = None
    body_type: str = JSON
    query: tuple[Query, ...] = ()
    errors: tuple[int, ...] = ()
    error: Schema | None = None
    security: str | None = None
    creates: bool = False


def ok(name: str) -> dict[int, Schema | None]:
    """One of the schemas, as 200."""
    return {200: ref(name)}


FORCE: Final[Query] = ("force", FLAG, False)
DELETED: Final[dict[int, Schema | None]] = {202: None}
DATABASE: Final = (503,)
