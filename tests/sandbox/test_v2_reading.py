"""Rows of a data set as they are asked for: pages, filters, order and formats (contract §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.instance import BASE, Instance, scored
from tests.sandbox.mart import error_of
from worker.sandbox.serve import running
from worker.sandbox.v2 import page

if TYPE_CHECKING:
    from collections.abc import Iterator

AGES = [31, 35, 35, 60, None]
SECTORS = ["a_b", "axb", None, "ab", "100%"]


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    """A data set of five rows, a minute apart; no test changes it."""
    with running() as started:
        client = Instance(started)
        for n, (age, sector) in enumerate(zip(AGES, SECTORS, strict=True)):
            sent = {"fields": ["age", "sector"], "values": [[age, sector]]}
            at = f"2019-06-11T10:0{n}:00Z"
            assert client.ended(client.post(scored(f"r{n}", request=sent, scoring_timestamp=at))) == {"state": "active"}
        yield client
        client.close()


def ids(rows: list[dict[str, Any]]) -> str:
    """The records that rows are of, by their numbers."""
    return "".join(row["scoring_id"][1] for row in rows)


def test_the_newest_row_is_first_and_pages_follow_one_another(instance: Instance) -> None:
    pages = [ids(instance.records(limit="2", offset=str(offset))) for offset in (0, 2, 4, 6)]
    assert pages == ["43", "21", "0", ""]


def test_a_total_counts_what_the_filter_lets_through(instance: Instance) -> None:
    path = f"data_sets/{instance.data_set}/records"
    assert instance.get(path, limit="0", include_total_count="true") == {"records": [], "total_count": 5}
    assert instance.get(path, limit="0", include_total_count="true", filter="age:eq:35")["total_count"] == 2
    assert "total_count" not in instance.get(path)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("age:eq:35", "21"),
        ("age:gt:35", "3"),
        ("age:gte:35", "321"),
        ("age:lt:35.5", "210"),
        ("age:lte:31", "0"),
        ("age:gt:many", ""),
        ("age:null", "4"),
        ("age:nonnull", "3210"),
        ("sector:in:ab;axb", "31"),
        ("sector:like:a_b", "10"),
        ("sector:like:a%", "310"),
        ("sector:like:a%b", "10"),
        ("sector:like:%%%", "410"),
        ("sector:eq:100%", "4"),
        ("age:eq:35,sector:nonnull", "1"),
        ("scoring_id:eq:r3-1", "3"),
        ("nothing:eq:1", ""),
        ("nothing:null", "43210"),
        ("probability:nonnull", "43210"),
    ],
)
def test_a_filter_lets_through_what_is_as_it_says(instance: Instance, query: str, found: str) -> None:
    assert ids(instance.records(filter=query)) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("scoring_timestamp:asc", "01234"),
        ("scoring_timestamp", "01234"),
        ("age:desc,scoring_timestamp:asc", "31204"),
        ("age,scoring_timestamp:desc", "40213"),
        ("sector:asc", "24031"),
    ],
)
def test_rows_are_sorted_by_columns_and_what_is_null_is_least(instance: Instance, order: str, found: str) -> None:
    assert ids(instance.records(order=order)) == found


def test_a_random_order_is_the_same_again_with_its_seed(instance: Instance) -> None:
    one, again = (ids(instance.records(order="random", seed="0.5")) for _ in range(2))
    assert one == again
    assert sorted(one) == list("01234")


def test_start_and_end_are_of_the_rows_time(instance: Instance) -> None:
    found = instance.records(start="2019-06-11T10:01:00.000Z", end="2019-06-11T10:03:00.000Z")
    assert ids(found) == "21"


def test_a_list_has_the_same_cells_as_a_dict_and_includes_names_the_columns(instance: Instance) -> None:
    path = f"data_sets/{instance.data_set}/records"
    listed = instance.get(path, format="list", includes="age,scoring_id")["records"]
    told = [dict(zip(each["fields"], each["values"], strict=True)) for each in listed]
    assert told == instance.records(includes="age,scoring_id")
    assert [set(each) for each in told] == [{"age", "scoring_id"}] * 5


def test_every_row_is_read_where_there_are_more_than_a_page(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MAX_PAGE", 2)
    assert ids(instance.records(order="scoring_timestamp", offset="3")) == "34"


@pytest.mark.parametrize(
    "query", [{"filter": "age"}, {"filter": "age:is:1"}, {"format": "csv"}, {"limit": "-1"}, {"offset": "x"}]
)
def test_a_query_that_says_nothing_is_refused(instance: Instance, query: dict[str, str]) -> None:
    answer = instance.http.get(f"{BASE}/data_sets/{instance.data_set}/records", params=query)
    assert error_of(answer) == (400, "SANDBOX-BAD-REQUEST")
