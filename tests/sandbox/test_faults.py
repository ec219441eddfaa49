"""The fault layer: what is told to go wrong goes wrong on the wire."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.sandbox.mart import error_of, record

if TYPE_CHECKING:
    from tests.sandbox.mart import Mart

PAYLOADS = {"path": "scoring_payloads$"}


def statuses(mart: Mart, posts: int) -> list[int]:
    """The answers to so many posts, one after another."""
    return [mart.post(record(mart.custom)).status_code for _ in range(posts)]


def test_the_next_requests_get_the_told_answer_and_then_no_more(mart: Mart) -> None:
    action = {"status": 429, "headers": {"Retry-After": "7"}, "body": {"slow": "down"}}
    mart.sandbox.fault({"match": PAYLOADS, "times": 2, "action": action})
    answer = mart.post(record(mart.custom))
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()) == (429, "7", {"slow": "down"})
    assert statuses(mart, 2) == [429, 202]
    assert mart.count() == 1
    assert mart.sandbox.stats()["faults"] == {"status_429": 2}
    assert mart.http.get("/sandbox/faults").json() == {"faults": []}


def test_a_rule_may_let_some_pass_first(mart: Mart) -> None:
    mart.sandbox.fault({"after": 2, "times": 1, "action": {"status": 500}})
    assert statuses(mart, 4) == [202, 202, 500, 202]


def test_an_answer_without_a_body_has_the_documented_one(mart: Mart) -> None:
    mart.sandbox.fault({"action": {"status": 503}})
    assert error_of(mart.post(record(mart.custom))) == (503, "SANDBOX-FAULT")


def test_a_text_body_is_sent_as_it_is(mart: Mart) -> None:
    mart.sandbox.fault(
        {"action": {"status": 403, "headers": {"Content-Type": "text/html"}, "body": "<html>blocked</html>"}}
    )
    answer = mart.post(record(mart.custom))
    assert (answer.headers["Content-Type"], answer.text) == ("text/html", "<html>blocked</html>")


def test_a_seeded_share_is_the_same_share_again(mart: Mart) -> None:
    rule = {"match": PAYLOADS, "share": 0.3, "seed": 7, "action": {"status": 500}}
    runs = []
    for _ in range(2):
        mart.sandbox.fault(rule)
        runs.append(statuses(mart, 60))
        mart.sandbox.heal()
    assert runs[0] == runs[1]
    assert 5 <= runs[0].count(500) <= 35
    assert set(runs[0]) == {202, 500}


@pytest.mark.parametrize(
    "match",
    [
        {"method": "get"},
        {"path": "^/v1/ml_instances"},
        {"contains": "poison"},
        {"authorization": "Bearer other"},
        {"path": "scoring_payloads$", "contains": "poison"},
    ],
)
def test_a_request_that_does_not_match_passes(mart: Mart, match: dict[str, str]) -> None:
    mart.sandbox.fault({"match": match, "action": {"status": 500}})
    assert statuses(mart, 1) == [202]


@pytest.mark.parametrize("text", ["poison", "gift ✓"])
def test_a_rule_finds_a_text_in_any_record(mart: Mart, text: str) -> None:
    mart.sandbox.fault({"match": {"contains": text}, "action": {"status": 400}})
    bad = record(mart.custom, request={"fields": ["a"], "values": [[text]]})
    assert mart.post(record(mart.custom), bad).status_code == 400
    assert statuses(mart, 1) == [202]


def test_the_first_rule_that_takes_a_request_has_it(mart: Mart) -> None:
    mart.sandbox.fault(
        {"match": {"path": "nothing"}, "action": {"status": 500}},
        {"times": 1, "action": {"status": 501}},
        {"action": {"status": 502}},
    )
    assert statuses(mart, 3) == [501, 502, 502]


def test_tokens_can_go_wrong_and_the_sandbox_itself_cannot(mart: Mart) -> None:
    mart.sandbox.fault({"action": {"status": 500}})
    assert mart.http.post("/identity/token").status_code == 500
    assert mart.http.get("/sandbox/stats").status_code == 200
    mart.sandbox.heal()
    assert statuses(mart, 1) == [202]


def test_a_reset_before_stores_nothing(mart: Mart) -> None:
    mart.sandbox.fault({"match": PAYLOADS, "times": 1, "action": {"reset": "before"}})
    with pytest.raises(httpx.ReadError, match="reset by peer"):
        mart.post(record(mart.custom, "a"))
    assert mart.count() == 0
    assert mart.sandbox.stats()["faults"] == {"reset_before": 1}


def test_a_reset_after_stores_and_the_id_counts_as_seen(mart: Mart) -> None:
    mart.sandbox.fault({"match": PAYLOADS, "times": 1, "action": {"reset": "after"}})
    with pytest.raises(httpx.ReadError, match="reset by peer"):
        mart.post(record(mart.custom, "a"))
    assert mart.count() == 1
    assert mart.post(record(mart.custom, "a")).status_code == 202
    assert mart.sandbox.received(mart.custom.subscription_id) == {"a": (1, 1)}
    counts = mart.sandbox.stats()["subscriptions"][mart.custom.subscription_id]
    assert (counts["received"], counts["duplicates"], counts["seen"], counts["stored_rows"]) == (1, 0, 1, 1)


def test_an_answer_may_be_replaced_after_the_request_was_processed(mart: Mart) -> None:
    mart.sandbox.fault({"match": PAYLOADS, "times": 1, "action": {"status": 502, "processed": True}})
    assert statuses(mart, 1) == [502]
    assert mart.count() == 1
    assert mart.sandbox.stats()["seen"] == 1


def test_a_delay_alone_lets_the_request_pass(mart: Mart) -> None:
    mart.sandbox.fault({"match": PAYLOADS, "times": 1, "action": {"delay_ms": 200}})
    started = time.monotonic()
    assert statuses(mart, 1) == [202]
    assert time.monotonic() - started >= 0.2
    assert mart.sandbox.received(mart.custom.subscription_id)


def test_a_hanging_request_ends_without_an_answer(mart: Mart) -> None:
    mart.sandbox.fault({"match": PAYLOADS, "times": 1, "action": {"hang_ms": 200}})
    started = time.monotonic()
    with pytest.raises(httpx.RemoteProtocolError):
        mart.post(record(mart.custom, "a"))
    assert time.monotonic() - started >= 0.2
    assert mart.count() == 0


def test_a_client_that_gives_up_on_a_hanging_request_harms_nobody(mart: Mart) -> None:
    mart.sandbox.fault({"match": PAYLOADS, "times": 1, "action": {"hang_ms": 60_000, "processed": True}})
    with pytest.raises(httpx.ReadTimeout):
        mart.http.post(f"{mart.path}/scoring_payloads", json=[record(mart.custom, "a")], timeout=0.2)
    assert statuses(mart, 1) == [202]
    assert mart.count() == 2


def test_a_trickling_answer_arrives_whole_and_late(mart: Mart) -> None:
    mart.post(record(mart.custom, "a"))
    whole = mart.http.get(mart.subscription_path()).text
    mart.sandbox.fault({"times": 1, "action": {"trickle": {"bytes_per_s": len(whole) * 2}}})
    started = time.monotonic()
    assert mart.http.get(mart.subscription_path()).text == whole
    assert time.monotonic() - started >= 0.4


def test_rules_in_force_are_shown_with_what_they_did(mart: Mart) -> None:
    rule = {"match": {"path": "payloads"}, "times": 5, "after": 1, "action": {"status": 500}}
    mart.sandbox.fault(rule)
    statuses(mart, 3)
    (shown,) = mart.http.get("/sandbox/faults").json()["faults"]
    assert shown == rule | {"id": 1, "matched": 3, "taken": 2}


@pytest.mark.parametrize(
    "rule",
    [
        {},
        [],
        {"action": {}},
        {"action": {"status": 99}},
        {"action": {"status": 500, "colour": "red"}},
        {"action": {"status": 500}, "match": {"path": "("}},
        {"action": {"reset": "sometimes"}},
        {"action": {"status": 500}, "share": 2},
        {"action": {"status": 500}, "times": 0},
        {"action": {"trickle": {"bytes_per_s": 0}}},
        7,
    ],
)
def test_a_rule_that_is_none_is_refused_and_no_other_is_taken(mart: Mart, rule: Any) -> None:
    told = [{"action": {"status": 500}}, rule] if rule != [] else {}
    assert error_of(mart.http.post("/sandbox/faults", json=told))[0] == 400
    assert statuses(mart, 1) == [202]
