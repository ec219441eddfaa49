"""Records that are posted to a data set: what is stored, what is not, and what their requests tell (contract §8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.instance import BASE, Instance, scored
from tests.sandbox.mart import ON_EVERY_STORE, Start, error_of, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.sandbox.serve import RunningSandbox

pytestmark = ON_EVERY_STORE
# longer than any test here takes, and shorter than anybody waits
NEVER_MS = 600_000
BAD = {"request": None}
RECORDS = {"path": "/data_sets/[^/]+/records$", "method": "POST"}


@pytest.fixture
def instance(sandbox: RunningSandbox) -> Iterator[Instance]:
    """A client of an instance whose data mart is seeded."""
    client = Instance(sandbox)
    yield client
    client.close()


def errors_of(state: dict[str, Any]) -> list[tuple[str, ...]]:
    """What the failure of a request names, one by one: code, place, scoring id."""
    assert state["state"] == "error"
    assert set(state["failure"]) == {"trace", "errors"}
    return [(error["code"], *error["parameters"]) for error in state["failure"]["errors"]]


def test_records_that_v2_stores_are_read_by_both_apis(instance: Instance) -> None:
    two = {"fields": ["age", "sector"], "values": [[31, "x"], [32, "y"]]}
    got = {"fields": ["prediction", "probability"], "values": [["Y", [0.1, 0.9]], ["N", [0.7, 0.3]]]}
    assert instance.ended(instance.post(scored("a", request=two, response=got), scored("b"))) == {"state": "active"}
    assert (instance.count(), instance.v1.count()) == (3, 3)
    (newest,) = instance.records(limit="1")
    table = instance.v1.transactions(limit="1")
    assert newest == dict(zip(table["fields"], table["values"][0], strict=True))
    assert (newest["scoring_id"], newest["age"], newest["prediction_probability"]) == ("b-1", 31, 0.9)


def test_records_that_v1_stores_are_read_through_the_data_set(instance: Instance) -> None:
    assert instance.v1.post(record(instance.v1.custom, "a")).status_code == 202
    assert [row["scoring_id"] for row in instance.records()] == ["a-1"]


def test_a_scoring_id_is_one_whichever_api_it_came_through(instance: Instance) -> None:
    instance.v1.post(record(instance.v1.custom, "a"))
    assert instance.ended(instance.post(scored("a"), scored("b"))) == {"state": "active"}
    assert instance.count() == 2
    counts = instance.sandbox.stats()["subscriptions"][instance.v1.custom.subscription_id]
    assert (counts["received"], counts["distinct"], counts["duplicates"], counts["stored_rows"]) == (3, 2, 1, 2)
    assert instance.sandbox.received(instance.v1.custom.subscription_id) == {"a": (2, 0), "b": (1, 0)}
    assert instance.sandbox.stats()["answers"] == {"202": 2}


def test_one_record_that_cannot_be_processed_keeps_all_of_its_request_out(instance: Instance) -> None:
    bad = scored("worse") | BAD
    state = instance.ended(instance.post(scored("a"), scored("bad") | BAD, scored("b"), bad))
    assert errors_of(state) == [
        ("SANDBOX-RECORD-UNPROCESSABLE", "1", "bad"),
        ("SANDBOX-RECORD-UNPROCESSABLE", "3", "worse"),
    ]
    assert state["failure"]["errors"][0]["message"] == "Record 1 (bad) cannot be processed: request has no values."
    assert (instance.count(), instance.sandbox.errors(instance.v1.custom.subscription_id)) == (0, [])
    stats = instance.sandbox.stats()
    assert (stats["received"], stats["errors"], stats["stored_rows"], stats["posts"]) == (0, 2, 0, 1)
    assert instance.ended(instance.post(scored("a"), scored("b"))) == {"state": "active"}
    assert instance.sandbox.stats()["duplicates"] == 0


def test_on_error_continue_stores_the_others_and_keeps_the_bad_one_as_v1_does(instance: Instance) -> None:
    assert instance.ended(instance.post(scored("a"), scored("bad") | BAD, on_error="continue")) == {"state": "active"}
    assert instance.count() == 1
    (kept,) = instance.sandbox.errors(instance.v1.custom.subscription_id)
    assert (kept["scoring_id"], kept["reason"]) == ("bad", "request has no values")


def test_of_very_many_errors_the_first_hundred_are_told(instance: Instance) -> None:
    state = instance.ended(instance.post(*(scored(f"r{n}") | BAD for n in range(130))))
    assert [named[2] for named in errors_of(state)] == [f"r{n}" for n in range(100)]


def test_a_repeated_id_is_an_error_of_its_request_where_the_data_mart_is_strict(start: Start) -> None:
    with start(duplicates="error") as started:
        instance = Instance(started)
        assert instance.ended(instance.post(scored("a"))) == {"state": "active"}
        assert errors_of(instance.ended(instance.post(scored("b"), scored("a")))) == [("SANDBOX-SCORING-ID-REPEATED",)]
        assert instance.count() == 1
        instance.close()


def test_a_request_is_preparing_as_long_as_its_rows_are_not_shown(start: Start) -> None:
    with start(store_delay_ms=NEVER_MS) as started:
        instance = Instance(started)
        for posted in (instance.post(scored("a")), instance.post(scored("b") | BAD)):
            assert instance.state(posted) == {"state": "preparing"}
        assert instance.count() == 0
        instance.close()


def test_the_rows_of_a_request_that_is_active_are_shown(start: Start) -> None:
    with start(store_delay_ms=200) as started:
        instance = Instance(started)
        assert instance.ended(instance.post(scored("a"))) == {"state": "active"}
        assert instance.count() == 1
        instance.close()


def test_a_request_is_known_in_its_own_data_set_only(instance: Instance) -> None:
    posted = instance.post(scored("a"))
    own = posted.headers["Location"].rsplit("/", 1)[1]
    other = instance.data_set_of(instance.v1.seeded["sagemaker"])
    for data_set, request in ((other, own), (instance.data_set, "none")):
        answer = instance.http.get(f"{BASE}/data_sets/{data_set}/requests/{request}")
        assert error_of(answer) == (404, "SANDBOX-REQUEST-UNKNOWN")


@pytest.mark.parametrize(
    "body", [{}, [], [7], "x", [{"fields": ["a"], "values": [[1, 2]]}], [{"fields": 1, "values": 2}]]
)
def test_what_is_no_list_of_records_is_refused_at_once(instance: Instance, body: object) -> None:
    answer = instance.http.post(f"{BASE}/data_sets/{instance.data_set}/records", json=body)
    assert error_of(answer) == (400, "SANDBOX-BAD-REQUEST")
    assert instance.sandbox.stats()["answers"] == {"400": 1}


def test_records_of_a_data_set_that_is_off_or_not_there_are_refused(instance: Instance) -> None:
    assert instance.http.post(f"{BASE}/data_sets/none/records", json=[scored("a")]).status_code == 404
    instance.http.put(f"{instance.v1.subscription_path()}/configurations/payload_logging", json={"enabled": False})
    assert error_of(instance.post(scored("a"))) == (400, "SANDBOX-PAYLOAD-LOGGING-DISABLED")


def test_a_body_that_is_too_large_or_encoded_is_refused_as_v1_refuses_it(start: Start) -> None:
    with start(max_body_bytes=100) as started:
        instance = Instance(started)
        assert error_of(instance.post(scored("a", user_id="u" * 100)))[0] == 413
        path = f"{BASE}/data_sets/{instance.data_set}/records"
        assert error_of(instance.http.post(path, content=b"x", headers={"Content-Encoding": "br"}))[0] == 415
        instance.close()


def test_a_record_may_tell_its_own_revision_and_is_kept_as_it_came(instance: Instance) -> None:
    posted = scored("a", asset_revision="7", user_id="someone")
    instance.post(posted)
    assert instance.records()[0]["asset_revision"] == "7"
    assert instance.sandbox.records(instance.v1.custom.subscription_id) == [posted]


def test_rows_in_json_are_taken_apart_by_what_the_subscription_says(instance: Instance) -> None:
    row = {"age": 40, "sector": "z", "prediction": "N", "probability": [0.6, 0.4], "scoring_id": "row"}
    table = {"fields": ["age", "prediction"], "values": [[41, "Y"], [42, "N"]]}
    assert instance.ended(instance.post(row, table)) == {"state": "active"}
    ages = {each["age"]: each["prediction"] for each in instance.records()}
    assert ages == {40: "N", 41: "Y", 42: "N"}
    assert [each["scoring_id"] for each in instance.records(filter="age:eq:40")] == ["row-1"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ('age,sector,prediction,probability\n40,z,N,"[0.6, 0.4]"\n41,,Y,\n', {"header": "true"}),
        ('age,sector,prediction,probability\n40,z,N,"[0.6, 0.4]"\n41,,Y,\n', {}),
        ("age;sector;prediction;probability\r\n40;z;N;[0.6, 0.4]\r\n41;;Y;\r\n", {"delimiter": ";"}),
        ('39,a,Y,\n40,z,N,"[0.6, 0.4]"\n41,,Y,\n42,b,Y,\n', {"header": "false", "skip": "1", "limit": "2"}),
    ],
)
def test_csv_is_rows_under_its_header_or_the_subscriptions_columns(
    instance: Instance, text: str, query: dict[str, str]
) -> None:
    instance.data_set = instance.data_set_of(instance.subscribe()["metadata"]["id"])
    assert instance.ended(instance.post_csv(text, **query)) == {"state": "active"}
    rows = [
        [row[name] for name in ("age", "sector", "prediction", "probability")] for row in instance.records(order="age")
    ]
    assert rows == [[40, "z", "N", [0.6, 0.4]], [41, None, "Y", None]]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", {}),
        ("age,sector\n1\n", {"header": "true"}),
        ('age\n"x', {"header": "true"}),
        ("age\n1\n", {"delimiter": "||"}),
        ("age\n1\n", {"on_error": "pray"}),
        ("age\n1234567890\n", {"csv_max_line_length": "8"}),
    ],
)
def test_csv_that_is_none_is_refused_at_once(instance: Instance, text: str, query: dict[str, str]) -> None:
    assert error_of(instance.post_csv(text, **query)) == (400, "SANDBOX-BAD-REQUEST")
    assert instance.count() == 0


def test_a_post_can_be_taken_and_its_request_end_in_error(instance: Instance) -> None:
    failure = {"trace": "t", "errors": [{"code": "X", "message": "no", "parameters": ["0", "a"]}]}
    instance.sandbox.fault(
        {"match": RECORDS, "times": 1, "action": {"request": "error"}},
        {"match": RECORDS, "times": 1, "action": {"request": "error", "body": failure}},
    )
    assert errors_of(instance.ended(instance.post(scored("a")))) == [("SANDBOX-FAULT",)]
    assert instance.ended(instance.post(scored("a"))) == {"state": "error", "failure": failure}
    assert (instance.count(), instance.sandbox.stats()["received"]) == (0, 0)
    assert instance.ended(instance.post(scored("a"))) == {"state": "active"}
    stats = instance.sandbox.stats()
    assert (stats["faults"], stats["duplicates"], stats["stored_rows"]) == ({"request_error": 2}, 0, 1)


@pytest.mark.parametrize(("processed", "stored"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("state", ["preparing", "error"])
def test_a_request_that_does_not_end_well_may_have_stored_all_the_same(
    instance: Instance, state: str, *, processed: bool, stored: int
) -> None:
    instance.sandbox.fault({"match": RECORDS, "times": 1, "action": {"request": state, "processed": processed}})
    posted = instance.post(scored("a"))
    assert [instance.state(posted)["state"] for _ in range(3)] == [state] * 3
    assert instance.count() == stored
    stats = instance.sandbox.stats()
    assert (stats["received"], stats["seen"], stats["stored_rows"]) == (0, stored, stored)


def test_a_request_may_say_active_while_its_records_are_lost(instance: Instance) -> None:
    instance.sandbox.fault({"match": RECORDS, "times": 1, "action": {"request": "active"}})
    assert instance.ended(instance.post(scored("a"))) == {"state": "active"}
    assert (instance.count(), instance.sandbox.stats()["received"]) == (0, 0)


def test_a_lost_answer_leaves_the_ids_seen_as_in_v1(instance: Instance) -> None:
    instance.sandbox.fault({"match": RECORDS, "times": 1, "action": {"status": 502, "processed": True}})
    assert instance.post(scored("a")).status_code == 502
    assert instance.ended(instance.post(scored("a"))) == {"state": "active"}
    assert instance.sandbox.received(instance.v1.custom.subscription_id) == {"a": (1, 1)}
    assert instance.count() == 1
