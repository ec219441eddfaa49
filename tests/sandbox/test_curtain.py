"""Rows show up a moment after their post was answered, in the order in which they were taken (contract §5.1)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.mart import ON_EVERY_STORE, Mart, Start, record
from worker.sandbox.curtain import ALL, Curtain

if TYPE_CHECKING:
    from collections.abc import Iterator

# longer than any test here takes, and shorter than anybody waits
NEVER_MS = 600_000
DEADLINE = 60.0


@pytest.fixture
def hiding(start: Start) -> Iterator[Mart]:
    """A data mart that shows nothing of what it took."""
    with start(store_delay_ms=NEVER_MS) as started:
        mart = Mart(started)
        yield mart
        mart.close()


def test_a_curtain_opens_batch_by_batch() -> None:
    now = [100.0]
    curtain = Curtain(2, lambda: now[0])
    seen = []
    for behind in (0, 3, 4):
        curtain.hide(behind)
        now[0] += 1
        seen.append(curtain.upto())
    now[0] += 1
    assert [*seen, curtain.upto()] == [0, 3, 4, ALL]


def test_without_a_delay_everything_is_seen_at_once() -> None:
    curtain = Curtain()
    curtain.hide(7)
    assert curtain.upto() == ALL


@ON_EVERY_STORE
def test_what_was_taken_is_not_shown_before_its_time(hiding: Mart) -> None:
    assert hiding.post(record(hiding.custom, "a"), record(hiding.custom, "bad", request=None)).status_code == 202
    table = hiding.transactions(include_total_count="true")
    assert (table["values"], table["total_count"]) == ([], 0)
    subscription = hiding.custom.subscription_id
    assert (hiding.sandbox.rows(subscription), hiding.sandbox.records(subscription)) == ([], [])
    assert hiding.sandbox.errors(subscription) == []
    stats = hiding.sandbox.stats()
    assert (stats["received"], stats["stored_rows"]) == (2, 0)


@ON_EVERY_STORE
def test_what_is_not_shown_yet_is_stored_and_shown_after_a_restart(
    start: Start, store: str | None, tmp_path: Any
) -> None:
    kept = store or tmp_path / "mart.sqlite"
    with start(store=kept, store_delay_ms=NEVER_MS) as started:
        mart = Mart(started)
        mart.post(record(mart.custom, "a"))
        mart.close()
    with start(store=kept) as started:
        again = Mart(started)
        assert again.count() == 1
        again.close()


@ON_EVERY_STORE
def test_a_strict_data_mart_knows_a_repeated_id_before_it_is_shown(start: Start) -> None:
    with start(store_delay_ms=NEVER_MS, duplicates="error") as started:
        mart = Mart(started)
        assert mart.post(record(mart.custom, "a")).status_code == 202
        assert mart.post(record(mart.custom, "a")).status_code == 409
        mart.close()


@ON_EVERY_STORE
def test_rows_come_to_light_a_moment_later_in_their_order(start: Start) -> None:
    with start(store_delay_ms=300) as started:
        mart = Mart(started)
        for n in range(5):
            mart.post(record(mart.custom, f"r{n}"))
        seen: list[list[str]] = []
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and (not seen or len(seen[-1]) < 5):
            seen.append([row["scoring_id"] for row in started.rows(mart.custom.subscription_id)])
        assert seen[-1] == [f"r{n}" for n in range(5)]
        assert all(ids == seen[-1][: len(ids)] for ids in seen)
        mart.close()
