"""What a sandbox tells of itself, and what it still knows after a restart."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.mart import ON_EVERY_STORE, Mart, Start, error_of, record
from worker.sandbox.options import Options, OptionsError
from worker.sandbox.serve import running

if TYPE_CHECKING:
    from pathlib import Path


@ON_EVERY_STORE
def test_a_sandbox_that_got_nothing_counts_nothing(mart: Mart) -> None:
    stats = mart.sandbox.stats()
    assert (stats["posts"], stats["received"], stats["stored_rows"]) == (0, 0, 0)
    assert (stats["answers"], stats["faults"], stats["subscriptions"]) == ({}, {}, {})


def test_answers_are_counted_by_status(mart: Mart) -> None:
    mart.post(record(mart.custom))
    mart.post_text(b"x")
    mart.post(record(mart.custom, subscription_id="none"))
    assert mart.sandbox.stats()["answers"] == {"202": 1, "400": 1, "404": 1}


def test_received_ids_come_in_pages_that_join(mart: Mart) -> None:
    ids = [f"id{n}" for n in range(25)]
    mart.post(*[record(mart.custom, scoring_id) for scoring_id in ids])
    query = {"subscription_id": mart.custom.subscription_id, "limit": "10"}
    first = mart.http.get("/sandbox/received", params=query).json()
    last = mart.http.get("/sandbox/received", params=query | {"after": "20"}).json()
    assert first["ids"] == [[scoring_id, 1, 0] for scoring_id in ids[:10]]
    assert (first["next"], last["next"]) == (10, None)
    assert [scoring_id for scoring_id, _, _ in last["ids"]] == ids[20:]


@ON_EVERY_STORE
def test_rows_come_in_pages_of_whole_records(mart: Mart) -> None:
    sides = {
        "request": {"fields": ["a"], "values": [[1], [2]]},
        "response": {"fields": ["prediction"], "values": [["x"], ["y"]]},
    }
    mart.post(*[record(mart.custom, f"r{n}", **sides) for n in range(5)])
    found, after, pages = [], 0, 0
    while after is not None:
        query = {"subscription_id": mart.custom.subscription_id, "limit": "2", "after": str(after)}
        page = mart.http.get("/sandbox/rows", params=query).json()
        found += [row["id"] for row in page["rows"]]
        after, pages = page["next"], pages + 1
    assert found == [f"r{n}-{m}" for n in range(5) for m in (1, 2)]
    assert pages == 3


@ON_EVERY_STORE
def test_rows_of_one_scoring_id_can_be_asked_for(mart: Mart) -> None:
    mart.post(*[record(mart.custom, f"r{n}") for n in range(5)])
    query = {"subscription_id": mart.custom.subscription_id, "scoring_id": "r3"}
    rows = mart.http.get("/sandbox/rows", params=query).json()["rows"]
    assert [row["id"] for row in rows] == ["r3-1"]


@ON_EVERY_STORE
@pytest.mark.parametrize("path", ["/sandbox/received", "/sandbox/rows", "/sandbox/records", "/sandbox/errors"])
def test_a_table_must_be_named(mart: Mart, path: str) -> None:
    assert error_of(mart.http.get(path))[0] == 400
    assert mart.http.get(path, params={"subscription_id": "none"}).status_code == 200


@ON_EVERY_STORE
def test_a_store_keeps_data_marts_and_rows(store: str | None, start: Start, tmp_path: Path) -> None:
    kept = store or tmp_path / "mart.sqlite"
    with start(store=kept) as started:
        mart = Mart(started)
        mart.post(record(mart.custom, "a"), record(mart.custom, "bad", request=None))
        mart.http.delete(mart.subscription_path(mart.seeded["azure-studio"]))
        listed = mart.http.get(f"{mart.path}/service_bindings").json()
        described = mart.http.get(mart.subscription_path()).json()
        mart.close()
    with start(store=kept) as started:
        again = Mart(started)
        assert again.http.get(f"{again.path}/service_bindings").json() == listed
        before = described["metadata"].pop("modified_at")
        after = again.http.get(again.subscription_path()).json()
        assert after["metadata"].pop("modified_at") >= before
        assert after == described
        again.post(record(again.custom, "a"), record(again.custom, "b"))
        assert again.count() == 2
        assert [row["id"] for row in started.rows(again.custom.subscription_id)] == ["a-1", "b-1"]
        again.post(record(again.custom, "worse", request=None))
        assert [error["scoring_id"] for error in started.errors(again.custom.subscription_id)] == ["worse", "bad"]
        assert started.stats()["received"] == 3
        again.close()


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mart.sqlite"
    file.write_text("no database " * 1000)
    with pytest.raises(OptionsError, match=r"mart\.sqlite"), running(Options(store=file)):
        pass


def test_a_batch_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    """Another program holds the file: the records cannot be written, and the post is an error, not half a batch."""
    file = tmp_path / "mart.sqlite"
    with running(Options(store=file)) as started:
        mart = Mart(started)
        mart.post(record(mart.custom, "a"))
        other = sqlite3.connect(file, isolation_level=None)
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON rows WHEN new.cells LIKE '%poison%' BEGIN SELECT RAISE(FAIL, 'no'); END"
        )
        bad = record(mart.custom, "c", request={"fields": ["a"], "values": [["poison"]]})
        assert mart.post(record(mart.custom, "b"), bad).status_code == 500
        assert mart.count() == 1
        assert started.received(mart.custom.subscription_id) == {"a": (1, 0)}
        other.execute("DROP TRIGGER no")
        other.close()
        assert mart.post(record(mart.custom, "b"), bad).status_code == 202
        assert mart.count() == 3
        mart.close()
