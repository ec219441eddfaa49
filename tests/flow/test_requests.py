"""What v2 answers: which 202 can be followed, and what a look at a request shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.flow.requests import PATIENCE, Sight, judge_post, look, lost, request_id
from worker.flow.verdict import Answer, Verdict, judge
from worker.model import Disposition

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = "/openscale/i/v2/data_sets/d/requests"


def failure(*codes: object) -> dict[str, Any]:
    return {"trace": "dA==", "errors": [{"code": code, "message": "s3cret cell"} for code in codes]}


@pytest.mark.parametrize(
    "location",
    [
        f"{PLACE}/r-1",
        f"{PLACE}/r-1/",
        f"https://other.host{PLACE}/r-1?x=y#z",
        "r-1",
    ],
)
def test_a_202_is_followed_by_the_last_part_of_its_location(location: str) -> None:
    found = judge_post(202, {"location": location}, '{"state":"preparing"}', NOW)
    assert (found.verdict, found.request, found.reason) == (Verdict.FOLLOW, "r-1", "followed")


@pytest.mark.parametrize("location", [None, "", "/", "https://host", "/a/..", "/a/b%2Fc", "/a/b c", "http://[", "/a/ä"])
def test_a_202_that_names_no_request_is_a_halt_and_may_be_stored(location: str | None) -> None:
    headers = {} if location is None else {"location": location}
    found = judge_post(202, headers, "", NOW)
    assert (found.verdict, found.reason, found.unseen, found.request) == (Verdict.HALT, "no-location", True, None)


def test_a_204_is_not_what_v2_answers() -> None:
    found = judge_post(204, {"location": f"{PLACE}/r-1"}, "", NOW)
    assert (found.verdict, found.reason, found.unseen) == (Verdict.HALT, "unexpected-204", True)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503])
def test_every_other_answer_to_a_post_means_what_it_means_under_v1(status: int) -> None:
    headers = {"location": f"{PLACE}/r-1", "retry-after": "7"}
    assert judge_post(status, headers, "{}", NOW) == judge(status, headers, "{}", NOW)


def test_an_active_request_is_stored() -> None:
    found = look("r", 200, '{"state":"active"}')
    assert isinstance(found, Answer)
    assert (found.verdict, found.request) == (Verdict.ACCEPTED, "r")


def test_a_failure_with_codes_blames_a_record_and_keeps_only_the_codes() -> None:
    found = look("r", 200, json.dumps({"state": "error", "failure": failure("AIQ1E", "b c", 3, "AIQ2E")}))
    assert isinstance(found, Answer)
    assert (found.verdict, found.reason, found.disposition) == (Verdict.SPLIT, "rejected", Disposition.REJECTED)
    assert found.body == "AIQ1E AIQ2E"


@pytest.mark.parametrize(
    "told", [None, {}, [], "x", {"errors": None}, {"errors": ["x", None]}, {"errors": [{}]}, failure("s3cret cell")]
)
def test_a_failure_without_codes_blames_no_record(told: object) -> None:
    found = look("r", 200, json.dumps({"state": "error", "failure": told}))
    assert isinstance(found, Answer)
    assert (found.verdict, found.reason, found.body) == (Verdict.RETRY, "request-failed", None)


@pytest.mark.parametrize(
    ("status", "body", "sight"),
    [
        (200, '{"state":"preparing"}', Sight.PREPARING),
        (200, '{"state":"unheard-of"}', Sight.UNCLEAR),
        (200, "<html>log in</html>", Sight.UNCLEAR),
        (200, "[" * 100_000, Sight.UNCLEAR),
        (200, "[]", Sight.UNCLEAR),
        (202, '{"state":"active"}', Sight.UNCLEAR),
        (302, "", Sight.UNCLEAR),
        (403, "", Sight.UNCLEAR),
        (404, "", Sight.MISSING),
        (401, "", Sight.REFUSED),
        (408, "", Sight.UNSEEN),
        (429, "", Sight.UNSEEN),
        (500, '{"state":"error"}', Sight.UNSEEN),
        (503, '{"state":"active"}', Sight.UNSEEN),
    ],
)
def test_what_shows_no_end_is_looked_at_again(status: int, body: str, sight: Sight) -> None:
    assert look("r", status, body) is sight


@given(st.integers(100, 999), st.text() | st.from_regex(r'\{"state":"\w+"\}'))
def test_a_look_always_shows_something(status: int, body: str) -> None:
    found = look("r", status, body)
    if isinstance(found, Answer):
        assert (status, found.request) == (200, "r")


@given(st.text())
def test_a_request_id_can_stand_in_a_path(location: str) -> None:
    found = request_id(location)
    assert found is None or (found.isascii() and not set(found) & set("/?#% \r\n"))


def test_what_is_lost_is_posted_again_and_may_be_stored() -> None:
    assert (lost("r").verdict, lost("r").unseen) == (Verdict.RETRY, True)


def test_nobody_is_waited_for_for_ever_but_a_data_mart_that_is_down() -> None:
    assert set(Sight) - set(PATIENCE) == {Sight.UNSEEN, Sight.REFUSED}
