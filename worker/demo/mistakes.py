"""What the demo's services do wrong now and then, and why the worker must refuse it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.demo.accounting import Reason
from worker.demo.events import body, confluent
from worker.model import Body, Disposition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NOT_REGISTERED = 4242
_ERROR_PAGE = Body("application/json", b"<html><body>502 Bad Gateway</body></html>")


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that is all right, and a native request of one row more than the one it holds."""

    event: dict[str, Any]
    surplus: Body


@dataclass(frozen=True, slots=True)
class Mistake:
    """A way to spoil an event; `reason` is what its dead letter must say."""

    reason: Reason
    spoil: Callable[[Draft], bytes]


def _not_avro(draft: Draft) -> bytes:
    """The bare request in place of an event."""
    return bytes(draft.event["request"]["data"])


def _unknown_schema(draft: Draft) -> bytes:
    return confluent(draft.event, _NOT_REGISTERED)


def _unknown_asset(draft: Draft) -> bytes:
    return confluent(draft.event | {"asset": "a model that was retired"})


def _error_page(draft: Draft) -> bytes:
    return confluent(draft.event | {"response": body(_ERROR_PAGE)})


def _lost_row(draft: Draft) -> bytes:
    return confluent(draft.event | {"request": body(draft.surplus)})


MISTAKES: Sequence[Mistake] = (
    Mistake(Reason(Disposition.DECODE, "no-framing"), _not_avro),
    Mistake(Reason(Disposition.UNKNOWN_ASSET, "unknown-asset"), _unknown_asset),
    Mistake(Reason(Disposition.NORMALISE, "not-json"), _error_page),
    Mistake(Reason(Disposition.SCHEMA, "unknown-schema"), _unknown_schema),
    Mistake(Reason(Disposition.VALIDATION, "row-counts"), _lost_row),
)
