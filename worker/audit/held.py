"""What a data mart says it holds of a subscription: its rows' ids, page by page (contract §5.2; v2: §8)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from worker.mart.client import MartClient, MartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.rooms.directory import Subscription

PAGE = 1000
"""Rows that are given at once, at most (contract §5)."""

SLACK = 2.0
"""Seconds by which a stored timestamp may differ from the one that was posted."""

_ID, _TIME = "scoring_id", "scoring_timestamp"
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Page:
    """Rows' ids, the newest first, and the timestamp of the last one (None: not to be understood)."""

    ids: list[str]
    last: datetime | None
    total: int | None


class Table:
    """The payload of one subscription. Reads raise `MartError` or `TokenError`."""

    def __init__(
        self, client: MartClient, subscription: Subscription, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._sleep = sleep
        self._fixed: dict[str, str] = {}
        if client.api == "v2":
            self._path = client.at("data_sets", subscription.data_set_id or "", "records")
            self._fixed = {"format": "list", "includes": f"{_ID},{_TIME}"}
        else:
            self._path = client.at("scoring_transactions")
            self._fixed = {"subscription_id": subscription.id}

    def total(self) -> int:
        """Its rows, all in all."""
        found = self._page(0, 1, count=True).total
        if found is None:
            raise MartError(f"GET {self._path}: the data mart does not tell how many rows there are")
        return found

    def window(self, earliest: datetime | None, latest: datetime | None) -> Iterator[Page]:
        """The pages in which rows of these times are, the newest first, and perhaps others; None is no bound."""
        offset = 0 if latest is None else self._before(latest.timestamp() + SLACK)
        while (page := self._page(offset, PAGE)).ids:
            yield page
            offset += len(page.ids)
            if earliest is not None and page.last and page.last.timestamp() < earliest.timestamp() - SLACK:
                return

    def _before(self, latest: float) -> int:
        """The place of the first row that is no newer; rows that come meanwhile only put it further back."""
        low, high = 0, self.total()
        while low < high:
            middle = (low + high) // 2
            found = self._page(middle, 1)
            if found.ids and (found.last is None or found.last.timestamp() > latest):
                low = middle + 1
            else:
                high = middle
        return low

    def _page(self, offset: int, limit: int, *, count: bool = False) -> Page:
        query = {**self._fixed, "limit": str(limit), "offset": str(offset)}
        query |= {"include_total_count": "true"} if count else {}
        answer = self._answer(query)
        try:
            ids, last = _v2(answer) if self._client.api == "v2" else _v1(answer)
        except (KeyError, TypeError, ValueError, IndexError):
            raise MartError(f"GET {self._path}: the rows have not the documented shape") from None
        total = answer.get("total_count")
        return Page(ids, moment(last), total if isinstance(total, int) else None)

    def _answer(self, query: dict[str, str]) -> dict[str, Any]:
        """Tried again where that may help: thousands of pages must not be in vain for one of them."""
        for attempt in range(_TRIES):
            try:
                found = orjson.loads(self._client.send("GET", self._path, HTTPStatus.OK, query=query).content)
            except MartError as error:
                if attempt == _TRIES - 1 or not _passing(error.status):
                    raise
                self._sleep(0.25 * 2**attempt)
            except ValueError:
                break
            else:
                return found if isinstance(found, dict) else {}
        raise MartError(f"GET {self._path}: the answer is no JSON: is mart.url the data mart's?")


def _passing(status: int | None) -> bool:
    return status is None or status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _v1(answer: dict[str, Any]) -> tuple[list[str], object]:
    """Rows may be lists or objects."""
    values = answer["values"]
    if not values:
        return [], None
    if isinstance(values[0], dict):
        return [row[_ID] for row in values], values[-1].get(_TIME)
    return _columns(answer["fields"], values)


def _v2(answer: dict[str, Any]) -> tuple[list[str], object]:
    """Rows each by itself, or as one table."""
    records = answer["records"]
    if not records:
        return [], None
    first = records[0]
    if first["values"] and isinstance(first["values"][0], list):
        return _columns(first["fields"], [row for each in records for row in each["values"]])
    return [row["values"][row["fields"].index(_ID)] for row in records], _cell(records[-1])


def _cell(record: dict[str, Any]) -> object:
    return record["values"][record["fields"].index(_TIME)] if _TIME in record["fields"] else None


def _columns(fields: list[str], values: list[list[Any]]) -> tuple[list[str], object]:
    at = fields.index(_ID)
    return [row[at] for row in values], values[-1][fields.index(_TIME)] if _TIME in fields and values else None


def moment(found: object) -> datetime | None:
    """A timestamp as a data mart or a record has it; without a zone it is UTC."""
    if not isinstance(found, str):
        return None
    try:
        told = datetime.fromisoformat(found)
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)
