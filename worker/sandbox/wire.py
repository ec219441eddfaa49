"""How the sandbox writes: JSON answers and timestamps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping


def reply(status: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def now() -> datetime:
    """The server's clock."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """As the data mart writes time: UTC, milliseconds, `Z`. Text of this form sorts as time does."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def as_object(value: object) -> dict[str, Any]:
    """`value` where it is a JSON object, else an empty one: for optional parts that are only looked into."""
    return value if isinstance(value, dict) else {}
