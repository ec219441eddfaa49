"""Storing payloads, and reading them as rows (contract §5)."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.sandbox.mart import ON_EVERY_STORE, Mart, Start, error_of, record
from worker.sandbox.seed import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = ON_EVERY_STORE


@pytest.fixture
def strict(start: Start) -> Iterator[Mart]:
    """A data mart that refuses repeated scoring ids."""
    with start(duplicates="error") as started:
        mart = Mart(started)
        yield mart
        mart.close()


def test_a_post_is_answered_202_with_json(mart: Mart) -> None:
    answer = mart.post(record(mart.custom, "a"), Prefer="return=minimal")
    assert answer.status_code == 202
    assert isinstance(answer.json(), dict)


def test_a_post_may_be_answered_204_instead(start: Start) -> None:
    with start(stored_status=204) as started:
        mart = Mart(started)
        answer = mart.post(record(mart.custom, "a"))
        assert (answer.status_code, answer.content) == (204, b"")
        assert mart.count() == 1
        mart.close()


def test_a_row_of_values_is_a_row_with_a_number_in_its_id(mart: Mart) -> None:
    request = {"fields": ["a"], "values": [[1], [2], [3]]}
    response = {"fields": ["prediction"], "values": [["x"], ["y"], ["z"]]}
    mart.post(record(mart.custom, "r", request=request, response=response))
    rows = mart.sandbox.rows(mart.custom.subscription_id)
    assert [(row["id"], row["values"]) for row in rows] == [("r-1", [1, "x"]), ("r-2", [2, "y"]), ("r-3", [3, "z"])]
    assert mart.count() == 3


def test_transactions_have_the_documented_columns(mart: Mart) -> None:
    mart.post(record(mart.custom, "r"))
    table = mart.transactions(include_total_count="true")
    base = ["scoring_id", "scoring_timestamp", "deployment_id", "asset_revision"]
    assert table["fields"] == [*base, "age", "sector", "prediction", "probability", "prediction_probability"]
    own = ["r-1", "2019-06-11T10:00:00.123Z", "action", None]
    assert table["values"] == [[*own, 31, "x", "Y", [0.1, 0.9], 0.9]]
    assert table["total_count"] == 1


def test_total_count_is_given_when_it_is_asked_for(mart: Mart) -> None:
    assert set(mart.transactions()) == {"fields", "values"}


def test_the_newest_rows_come_first_and_pages_join(mart: Mart) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    order = [3, 0, 4, 1, 2]
    for n in order:
        moment = (start + timedelta(seconds=n)).isoformat()
        mart.post(record(mart.custom, f"r{n}", scoring_timestamp=moment))
    pages = [mart.transactions(limit="2", offset=str(offset))["values"] for offset in (0, 2, 4, 6)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert [row[0] for page in pages for row in page] == ["r4-1", "r3-1", "r2-1", "r1-1", "r0-1"]


def test_a_page_has_at_most_a_thousand_rows(mart: Mart) -> None:
    values = [[n] for n in range(1001)]
    side = {"fields": ["a"], "values": values}
    mart.post(record(mart.custom, "r", request=side, response={"fields": ["prediction"], "values": values}))
    assert len(mart.transactions(limit="5000")["values"]) == 1000


def test_cells_keep_their_types(mart: Mart) -> None:
    cells: list[Any] = [1, 1.0, True, None, "1", "", 2**63, -0.5, [1, 2.0, ["x"]], {"k": None}, "\u0000\u20ac"]
    names = [f"c{n}" for n in range(len(cells))]
    sent = record(mart.custom, "r", request={"fields": names, "values": [cells]})
    mart.post(sent)
    (row,) = mart.sandbox.rows(mart.custom.subscription_id)
    assert repr(row["values"]) == repr([*cells, "Y", [0.1, 0.9]])
    assert repr(mart.sandbox.records(mart.custom.subscription_id)) == repr([sent])


def test_a_column_on_both_sides_is_stored_once(mart: Mart) -> None:
    request = {"fields": ["a", "b"], "values": [[1, 2]]}
    response = {"fields": ["b", "prediction"], "values": [["2", "x"]]}
    mart.post(record(mart.custom, "r", request=request, response=response))
    (row,) = mart.sandbox.rows(mart.custom.subscription_id)
    assert (row["fields"], row["values"]) == (["a", "b", "prediction"], [1, 2, "x"])


def test_columns_that_are_no_features_come_from_meta(mart: Mart) -> None:
    meta = {"fields": ["customer"], "values": [["c1"]]}
    request = {"fields": ["a"], "values": [[1]], "meta": meta}
    mart.post(record(mart.custom, "r", request=request))
    (row,) = mart.sandbox.rows(mart.custom.subscription_id)
    assert (row["fields"][:2], row["values"][:2]) == (["a", "customer"], [1, "c1"])


def test_unstructured_input_is_one_column(mart: Mart) -> None:
    image = [[[0, 255]]]
    mart.post(record(mart.custom, "r", request={"values": [image]}))
    (row,) = mart.sandbox.rows(mart.custom.subscription_id)
    assert (row["fields"][0], row["values"][0]) == ("scoring_input", image)


def test_one_flat_list_of_values_is_one_row(mart: Mart) -> None:
    sagemaker = mart.seeded["sagemaker"]
    request = {"fields": ["a", "b"], "values": [0.0, 1.0]}
    mart.post(record(sagemaker, "r", request=request, response={"fields": ["score"], "values": [[0.2]]}))
    (row,) = mart.sandbox.rows(sagemaker.subscription_id)
    assert (row["values"], row["prediction_probability"]) == ([0.0, 1.0, 0.2], 0.8)


def test_rows_of_several_layouts_share_one_table(mart: Mart) -> None:
    mart.post(record(mart.custom, "old", request={"fields": ["a"], "values": [[1]]}))
    later = "2020-01-01T00:00:00Z"
    mart.post(record(mart.custom, "new", scoring_timestamp=later, request={"fields": ["b"], "values": [[2]]}))
    table = mart.transactions()
    assert table["fields"][4:6] == ["a", "b"]
    assert [row[4:6] for row in table["values"]] == [[None, 2], [1, None]]


@pytest.mark.parametrize(
    ("problem", "cell", "expected"),
    [
        ("binary", [0.892, 0.108], 0.892),
        ("binary", 0.014, 0.986),
        ("binary", 0.75, 0.75),
        ("multiclass", 0.25, 0.25),
        ("multiclass", [0.2, 0.5, 0.3], 0.5),
        ("binary", "0.25", 0.75),
        ("binary", "high", None),
        ("binary", True, None),
        ("binary", None, None),
    ],
)
def test_prediction_probability_is_that_of_the_predicted_class(
    mart: Mart, problem: str, cell: object, expected: float | None
) -> None:
    patch = [{"op": "add", "path": "/asset_properties/problem_type", "value": problem}]
    mart.http.patch(mart.subscription_path(), json=patch)
    mart.post(record(mart.custom, "r", response={"fields": ["probability"], "values": [[cell]]}))
    assert mart.transactions()["values"][0][-1] == expected


def test_class_columns_are_one_probability(mart: Mart) -> None:
    names = ["p(a)", "p(b)"]
    patch = [{"op": "add", "path": "/asset_properties/probability_fields", "value": names}]
    mart.http.patch(mart.subscription_path(), json=patch)
    mart.post(record(mart.custom, "r", response={"fields": names, "values": [[0.3, 0.7]]}))
    assert mart.transactions()["values"][0][-1] == 0.7


def test_a_regression_has_no_prediction_probability(mart: Mart) -> None:
    patch = [{"op": "add", "path": "/asset_properties/problem_type", "value": "regression"}]
    mart.http.patch(mart.subscription_path(), json=patch)
    mart.post(record(mart.custom, "r"))
    assert "prediction_probability" not in mart.transactions()["fields"]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2019-06-11T10:00:00.123999Z", "2019-06-11T10:00:00.123Z"),
        ("2019-06-11 10:00:00.123456", "2019-06-11T10:00:00.123Z"),
        ("2019-06-11T12:00:00+02:00", "2019-06-11T10:00:00.000Z"),
    ],
)
def test_times_are_stored_in_utc_and_milliseconds(mart: Mart, given: str, stored: str) -> None:
    mart.post(record(mart.custom, "r", scoring_timestamp=given))
    assert mart.transactions()["values"][0][1] == stored


def test_what_a_record_leaves_out_the_server_fills_in(mart: Mart) -> None:
    sent = record(mart.custom)
    for name in ("scoring_timestamp", "response_time", "deployment_id"):
        del sent[name]
    before = datetime.now(UTC)
    mart.post(sent, sent)
    rows = mart.sandbox.rows(mart.custom.subscription_id)
    assert len({row["scoring_id"] for row in rows}) == 2
    assert {row["deployment_id"] for row in rows} == {"action"}
    assert abs(datetime.fromisoformat(rows[0]["scoring_timestamp"]) - before) < timedelta(seconds=10)


def test_a_response_time_may_be_a_text(mart: Mart) -> None:
    mart.post(record(mart.custom, "r", response_time="12"))
    assert mart.count() == 1


def test_a_repeated_scoring_id_is_stored_once_and_counted(mart: Mart) -> None:
    mart.post(record(mart.custom, "a"), record(mart.custom, "b"), record(mart.custom, "a"))
    assert mart.post(record(mart.custom, "a"), record(mart.custom, "c")).status_code == 202
    assert mart.count() == 3
    counts = mart.sandbox.stats()["subscriptions"][mart.custom.subscription_id]
    assert counts == {"received": 5, "distinct": 3, "duplicates": 2, "seen": 0, "stored_rows": 3, "errors": 0}
    assert mart.sandbox.received(mart.custom.subscription_id) == {"a": (3, 0), "b": (1, 0), "c": (1, 0)}


def test_subscriptions_do_not_share_scoring_ids(mart: Mart) -> None:
    mart.post(record(mart.custom, "a"), record(mart.seeded["sagemaker"], "a"))
    assert mart.sandbox.stats()["stored_rows"] == 2


def test_a_strict_data_mart_stores_nothing_of_a_batch_with_a_repeated_id(strict: Mart) -> None:
    assert strict.post(record(strict.custom, "a")).status_code == 202
    answer = strict.post(record(strict.custom, "b"), record(strict.custom, "a"))
    assert error_of(answer) == (409, "SANDBOX-SCORING-ID-REPEATED")
    assert '"a"' not in answer.text
    assert "id a is" in answer.text
    assert strict.count() == 1
    assert strict.post(record(strict.custom, "b"), record(strict.custom, "b")).status_code == 409
    assert strict.sandbox.received(strict.custom.subscription_id) == {"a": (1, 0)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"request": {"fields": ["a"], "values": [[1], [2]]}}, "request has 2 rows, response 1"),
        ({"request": {"fields": ["a"], "values": []}}, "request has no values"),
        ({"request": {"Inputs": {"input1": [{"a": 1}]}}}, "request has no values"),
        ({"request": None}, "request has no values"),
        ({"response": '{"output":[]}'}, "response has no values"),
        ({"response": {"values": [["Y"]]}}, "response.fields is not a list of names"),
        ({"request": {"fields": ["a", "a"], "values": [[1, 1]]}}, "request.fields has a name twice"),
        ({"request": {"fields": ["a"], "values": [[1, 2]]}}, "row 1 of request.values has not 1 cells"),
        ({"request": {"fields": ["a"], "values": [[1], 2]}}, "row 2 of request.values has not 1 cells"),
        ({"scoring_timestamp": "yesterday"}, "scoring_timestamp is not an ISO 8601 time"),
        ({"scoring_timestamp": "0001-01-01T00:00:00+14:00"}, "scoring_timestamp is not an ISO 8601 time"),
        ({"scoring_timestamp": 1560247200}, "scoring_timestamp is not a text"),
        ({"response_time": 1.5}, "response_time is not whole milliseconds"),
        ({"response_time": True}, "response_time is not whole milliseconds"),
        ({"scoring_id": 7}, "scoring_id is not a text"),
        ({"deployment_id": 7}, "deployment_id is not a text"),
    ],
)
def test_a_record_that_cannot_be_processed_is_an_error_of_its_own(
    mart: Mart, change: dict[str, Any], reason: str
) -> None:
    bad = record(mart.custom, "bad") | change
    assert mart.post(record(mart.custom, "a"), bad, record(mart.custom, "b")).status_code == 202
    stored = [row["id"] for row in mart.sandbox.rows(mart.custom.subscription_id)]
    assert stored == ["a-1", "b-1"]
    (error,) = mart.sandbox.errors(mart.custom.subscription_id)
    assert (error["reason"], error["record"]) == (reason, bad)
    assert mart.sandbox.stats()["errors"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"[1]",
        b"null",
        b"[{}]",
        b"[NaN]",
        b"[1e999]",
        b"\xff",
        b'["\\ud800"]',
        b"[" * 100_000,
        b"[" * 250 + b"]" * 250,
        b'[{"binding_id":["b"],"subscription_id":"s"}]',
    ],
)
def test_a_body_that_is_no_array_of_records_is_refused(mart: Mart, body: bytes) -> None:
    assert error_of(mart.post_text(body))[0] == 400


@pytest.mark.parametrize(
    ("change", "named"),
    [({"binding_id": "nobody"}, "nobody"), ({"subscription_id": "nothing"}, "nothing")],
)
def test_an_unknown_id_is_named_and_nothing_of_its_batch_is_stored(
    mart: Mart, change: dict[str, str], named: str
) -> None:
    answer = mart.post(record(mart.custom, "a"), record(mart.custom, "b", **change))
    assert error_of(answer)[0] == 404
    assert named in answer.json()["errors"][0]["message"]
    assert mart.count() == 0
    assert mart.sandbox.stats()["received"] == 0


def test_a_subscription_of_another_binding_is_unknown(mart: Mart) -> None:
    other = mart.seeded["sagemaker"].binding_id
    assert error_of(mart.post(record(mart.custom, binding_id=other))) == (404, "SANDBOX-SUBSCRIPTION-UNKNOWN")


def test_an_unknown_data_mart_takes_nothing(mart: Mart) -> None:
    answer = mart.http.post("/v1/data_marts/none/scoring_payloads", json=[record(mart.custom)])
    assert error_of(answer) == (404, "AISCS0005W")


def test_a_body_above_the_limit_is_413(start: Start) -> None:
    with start(max_body_bytes=2000) as started:
        mart = Mart(started)
        assert mart.post(record(mart.custom, "a")).status_code == 202
        assert error_of(mart.post(*[record(mart.custom)] * 10)) == (413, "SANDBOX-TOO-LARGE")
        assert mart.count() == 1
        mart.close()


def test_a_body_in_gzip_is_stored_and_faults_see_it_plain(mart: Mart) -> None:
    body = gzip.compress(orjson.dumps([record(mart.custom, "a")]))
    assert mart.post_text(body, **{"Content-Encoding": "gzip"}).status_code == 202
    assert mart.count() == 1
    mart.sandbox.fault({"match": {"contains": mart.custom.subscription_id}, "action": {"status": 418}})
    assert mart.post_text(body, **{"Content-Encoding": "GZIP"}).status_code == 418
    assert mart.count() == 1


def test_a_body_that_gzip_makes_small_is_413_without_being_made(start: Start) -> None:
    with start(max_body_bytes=1_000_000) as started:
        mart = Mart(started)
        for plain in (b" " * 1_000_001, bytes(200_000_000)):
            answer = mart.post_text(gzip.compress(plain, 1), **{"Content-Encoding": "gzip"})
            assert error_of(answer) == (413, "SANDBOX-TOO-LARGE")
        mart.close()


@pytest.mark.parametrize("cut", [slice(1, None), slice(None, -1), slice(0, 0)])
def test_a_body_that_is_no_whole_gzip_is_refused(mart: Mart, cut: slice) -> None:
    body = gzip.compress(orjson.dumps([record(mart.custom)]))[cut]
    assert error_of(mart.post_text(body, **{"Content-Encoding": "gzip"})) == (400, "SANDBOX-BAD-REQUEST")


def test_a_body_in_another_encoding_is_415(mart: Mart) -> None:
    answer = mart.post(record(mart.custom), **{"Content-Encoding": "br"})
    assert error_of(answer) == (415, "SANDBOX-CONTENT-ENCODING")


@pytest.mark.parametrize("query", [{"limit": "-1"}, {"offset": "x"}, {"limit": "9" * 5000}, {"subscription_id": ""}])
def test_a_page_that_is_none_is_refused(mart: Mart, query: dict[str, str]) -> None:
    params = {"subscription_id": mart.custom.subscription_id} | query
    assert error_of(mart.http.get(f"{mart.path}/scoring_transactions", params=params))[0] == 400


def test_the_schema_names_types_and_roles(mart: Mart) -> None:
    azure = mart.seeded["azure-studio"]
    request = {"fields": list(azure.features), "values": [[1, 2, 3, "x"]]}
    response = {"fields": ["Scored Labels", "Scored Probabilities"], "values": [["Y", 0.9]]}
    mart.post(record(azure, "a", request=request, response=response))
    answer = mart.http.get(f"{mart.subscription_path(azure)}/payload_table_schema")
    fields = answer.json()["table_schema"]["fields"]
    described = {field["name"]: (field["type"], field["metadata"].get("modeling_role")) for field in fields}
    assert described["scoring_id"] == ("string", "record-id")
    assert described["scoring_timestamp"] == ("timestamp", "record-timestamp")
    assert described["age"] == ("double", "feature")
    assert described["Scored Labels"] == ("string", "prediction")
    assert described["Scored Probabilities"] == ("double", "probability")
    assert described["prediction_probability"] == ("double", "prediction-probability")


def test_undeclared_types_are_read_from_the_cells(mart: Mart) -> None:
    request = {"fields": ["i", "d", "b", "n"], "values": [[1, 2, True, None], [1, 2.5, False, None]]}
    response = {"fields": ["probability"], "values": [[[1, 0]], [[0.5, 0.5]]]}
    mart.post(record(mart.custom, "a", request=request, response=response))
    answer = mart.http.get(f"{mart.subscription_path()}/payload_table_schema")
    types = {field["name"]: field["type"] for field in answer.json()["table_schema"]["fields"]}
    assert [types[name] for name in ("i", "d", "b", "n")] == ["integer", "double", "boolean", "string"]
    assert types["probability"] == {"type": "array", "elementType": "double", "containsNull": True}


def test_every_engine_is_seeded_and_takes_payloads(mart: Mart) -> None:
    assert tuple(mart.seeded) == ALL
    answer = mart.post(*[record(seeded, name) for name, seeded in mart.seeded.items()])
    assert answer.status_code == 202
    assert mart.sandbox.stats()["stored_rows"] == len(ALL)
