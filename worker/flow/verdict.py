"""What the data mart's answer to a post means: one table, pure, exhaustive.

Statuses and error codes are those of contract §0 and §5.1; the rule behind them: a record is blamed only where the
answer speaks of the record, everything else is waited out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import TYPE_CHECKING

from worker.model import Disposition

if TYPE_CHECKING:
    from collections.abc import Mapping

EXCERPT = 1024
"""Characters of an answer's body that are kept, to explain a dead-lettered record."""

UNEXPECTED = "unexpected-"
"""How the reason of a status begins that no table has."""

FOLLOWED = "followed"
"""The reason of a post that was taken, and whose request is followed."""

NO_DATA_MART = frozenset({"AISCS0005W", "AIQCS0005W"})
"""Error codes that say the data mart itself does not exist (contract §0)."""


class Verdict(Enum):
    """What to do with the batch that was answered."""

    ACCEPTED = auto()
    FOLLOW = auto()
    """Taken, and not stored yet: the batch is held until its request has ended (v2 only)."""
    RETRY = auto()
    """Nobody's fault that we know of: again, later. Counts as a failure of the batch and of the endpoint."""
    THROTTLE = auto()
    """The endpoint is well and asks for less: again, later. Counts against nobody."""
    REFRESH = auto()
    """The token was refused: get another, and post the same batch again."""
    SPLIT = auto()
    """One of these records is refused: find it by halves. A batch of one is dead-lettered."""
    SPLIT_EDGE = auto()
    """As SPLIT, but it was something before the data mart that refused: an edge firewall."""
    TOO_LARGE = auto()
    """As SPLIT, and the endpoint's size limit is remembered."""
    HALT = auto()
    """Wrong endpoint or credentials: no record's fault, and no use to go on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A judged answer. `reason` is a stable word for metrics and logs, `retry_after` is in seconds."""

    verdict: Verdict
    reason: str
    status: int | None = None
    disposition: Disposition = Disposition.REJECTED
    retry_after: float | None = None
    body: str | None = None
    unseen: bool = False
    """The end of the attempt was not seen: the data mart may have stored the batch."""
    request: str | None = None
    """The id of the request that the post became, or whose end this is (v2 only)."""


def judge(status: int, headers: Mapping[str, str], body: str, now: datetime) -> Answer:
    """Judge an HTTP answer to `POST scoring_payloads`.

    Args:
        status: the HTTP status.
        headers: the answer's headers, by lower-case name.
        body: the answer's body as text; may be cut.
        now: aware time, for a `Retry-After` given as a date.
    """
    answer = _VERDICTS.get(status) or _by_class(status)
    if status == 403 and _is_page(headers, body):
        answer = Answer(Verdict.SPLIT_EDGE, "edge-403", disposition=Disposition.REJECTED_EDGE)
    if status == 404:
        answer = _not_found(body)
    return Answer(
        answer.verdict,
        answer.reason,
        status,
        answer.disposition,
        retry_after(headers.get("retry-after"), now),
        body[:EXCERPT],
        answer.unseen,
    )


_ACCEPTED = Answer(Verdict.ACCEPTED, "accepted")
_REFUSED = Answer(Verdict.SPLIT, "rejected")
_BUSY = Answer(Verdict.THROTTLE, "throttled")
_UNSEEN = Answer(Verdict.RETRY, "gateway", unseen=True)

_VERDICTS: dict[int, Answer] = {
    202: _ACCEPTED,
    204: _ACCEPTED,
    400: _REFUSED,
    401: Answer(Verdict.REFRESH, "unauthorised"),
    403: Answer(Verdict.HALT, "forbidden"),
    408: Answer(Verdict.RETRY, "timeout"),
    409: Answer(Verdict.SPLIT, "conflict"),
    413: Answer(Verdict.TOO_LARGE, "too-large", disposition=Disposition.TOO_LARGE),
    422: _REFUSED,
    425: Answer(Verdict.RETRY, "too-early"),
    429: _BUSY,
    502: _UNSEEN,
    504: _UNSEEN,
}


def _by_class(status: int) -> Answer:
    if 500 <= status <= 599:
        return Answer(Verdict.RETRY, "server-error")
    return Answer(Verdict.HALT, f"{UNEXPECTED}{status}")


def _not_found(body: str) -> Answer:
    """A 404 blames a subscription only in the data mart's own words, and not where they say the mart is gone."""
    codes = _error_codes(body)
    if codes and not codes & NO_DATA_MART:
        return Answer(Verdict.SPLIT, "not-found", disposition=Disposition.UNKNOWN_SUBSCRIPTION)
    return Answer(Verdict.HALT, "no-data-mart" if codes else "wrong-endpoint")


def _is_page(headers: Mapping[str, str], body: str) -> bool:
    """A page for people: what edge firewalls answer to a text they dislike, and no data mart does."""
    return "html" in headers.get("content-type", "").lower() or body.lstrip().startswith("<")


def _error_codes(body: str) -> frozenset[str]:
    """The codes of a data mart's error body, `{"trace":…,"errors":[{"code":…,"message":…}]}` (contract §0)."""
    try:
        found = json.loads(body)
        return frozenset(str(error["code"]) for error in found["errors"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return frozenset()


def retry_after(text: str | None, now: datetime) -> float | None:
    """`Retry-After` in seconds from now (RFC 9110 §10.2.3: a count of seconds or a date); None where unreadable."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(min(int(text.strip()[:100]), 10**9))
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def no_answer(reason: str, *, sent: bool) -> Answer:
    """Judge an attempt that ended without an answer; `sent`: the request may have reached the data mart."""
    return Answer(Verdict.RETRY, reason, unseen=sent)
