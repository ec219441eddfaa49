"""What the v2 API answers: a post is a request that is taken first and stored later (contract §8).

A 202 names the request, and says no more: its records are settled by the request's end. What is seen of a request on
the way is pure too; who looks, and when, is the edge's.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from worker.flow.verdict import FOLLOWED, UNEXPECTED, Answer, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_ID = re.compile(r"[\w.:~-]{1,200}", re.ASCII)
_CODE = re.compile(r"[\w-]{1,40}", re.ASCII)
CODES = 20
"""Codes of a failure that are kept."""


class Sight(Enum):
    """What a look at a request shows where it shows no end."""

    PREPARING = "preparing"
    """It is being stored."""
    MISSING = "missing"
    """404: the data mart does not know it."""
    UNCLEAR = "unclear"
    """An answer that says nothing of it."""
    UNSEEN = "unseen"
    """No answer, or one that asks for patience: says nothing of the request, however long it lasts."""
    REFUSED = "refused"
    """401: the token was refused. Says as little."""


PATIENCE: Mapping[Sight, float] = {Sight.PREPARING: 1800.0, Sight.UNCLEAR: 300.0, Sight.MISSING: 2.0}
"""Seconds for which nothing but this is seen, until the request counts as lost and its batch is posted again.

A data mart that has just answered 202 may not know the request for a moment.
"""

_SIGHTS: Mapping[int, Sight] = {
    401: Sight.REFUSED,
    404: Sight.MISSING,
    **dict.fromkeys((408, 425, 429, *range(500, 600)), Sight.UNSEEN),
}


def judge_post(status: int, headers: Mapping[str, str], body: str, now: datetime) -> Answer:
    """Judge an HTTP answer to `POST …/records`; arguments as those of `judge`. An accepted one has `request`."""
    answer = judge(status, headers, body, now)
    if answer.verdict is not Verdict.ACCEPTED:
        return answer
    if status != HTTPStatus.ACCEPTED:
        return replace(answer, verdict=Verdict.HALT, reason=f"{UNEXPECTED}{status}", unseen=True)
    request = request_id(headers.get("location"))
    if request is None:
        return replace(answer, verdict=Verdict.HALT, reason="no-location", unseen=True)
    return replace(answer, verdict=Verdict.FOLLOW, reason=FOLLOWED, request=request)


def request_id(location: str | None) -> str | None:
    """The last part of the path that `Location` names; None where that is no id."""
    try:
        path = urlsplit(location or "").path
    except ValueError:
        return None
    found = unquote(path.rstrip("/").rpartition("/")[2])
    return found if _ID.fullmatch(found) and found.strip(".") else None


def look(request: str, status: int, body: str) -> Answer | Sight:
    """What an HTTP answer to `GET …/requests/{request}` shows: the request's end, else how it stands."""
    if status in _SIGHTS:
        return _SIGHTS[status]
    found = _object(body) if status == HTTPStatus.OK else {}
    match found.get("state"):
        case "active":
            return Answer(Verdict.ACCEPTED, "accepted", status, request=request)
        case "error":
            return _failed(request, status, found.get("failure"))
        case "preparing":
            return Sight.PREPARING
        case _:
            return Sight.UNCLEAR


def lost(request: str) -> Answer:
    """The end of a request that nobody knows of: its batch has to be posted again, though it may be stored."""
    return Answer(Verdict.RETRY, "request-lost", request=request, unseen=True)


def _failed(request: str, status: int, failure: Any) -> Answer:
    """With codes the records are to blame, one of them; without any it is a failure like a 500.

    Only codes are kept: a message may repeat what was posted.
    """
    codes = _codes(failure)
    if not codes:
        return Answer(Verdict.RETRY, "request-failed", status, request=request)
    return Answer(Verdict.SPLIT, "rejected", status, body=" ".join(codes), request=request)


def _codes(failure: Any) -> list[str]:
    errors = failure.get("errors") if isinstance(failure, dict) else None
    told = [each.get("code") for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    return [code for code in told if isinstance(code, str) and _CODE.fullmatch(code)][:CODES]


def _object(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
