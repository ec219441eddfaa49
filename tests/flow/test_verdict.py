"""What an answer means: the table line by line, every status once, and times to wait in every spelling."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.flow.verdict import EXCERPT, Answer, Verdict, judge, no_answer, retry_after

NOW = datetime(2024, 2, 29, 12, 0, 0, tzinfo=UTC)
HTML = "<html><body>Request blocked</body></html>"


def mart_error(*codes: str) -> str:
    return json.dumps({"trace": "dA==", "errors": [{"code": code, "message": "…"} for code in codes]})


def verdict(status: int, body: str = "", **headers: str) -> Verdict:
    return judge(status, headers, body, NOW).verdict


def test_every_status_has_the_verdict_of_the_table() -> None:
    """Written the other way round: for each verdict the statuses that have it; all others are halts."""
    table = {
        Verdict.ACCEPTED: {202, 204},
        Verdict.REFRESH: {401},
        Verdict.TOO_LARGE: {413},
        Verdict.SPLIT: {400, 409, 422},
        Verdict.THROTTLE: {429},
        Verdict.RETRY: {408, 425, *range(500, 600)},
    }
    table[Verdict.HALT] = set(range(100, 600)).difference(*table.values())
    found: defaultdict[Verdict, set[int]] = defaultdict(set)
    for status in range(100, 600):
        found[verdict(status, mart_error("AISCS0005W"))].add(status)
    assert found == table


@pytest.mark.parametrize("status", range(100, 600))
def test_every_answer_has_a_reason_a_status_and_an_excerpt(status: int) -> None:
    answer = judge(status, {}, "x" * 5000, NOW)
    assert (answer.status, len(answer.body or "")) == (status, EXCERPT)
    assert answer.reason.replace("-", "").isalnum()
    assert answer.retry_after is None


@pytest.mark.parametrize("status", [200, 201, 203, 206, 301, 302, 307, 308, 405, 407, 415, 418, 451, 404])
def test_something_in_between_halts_and_blames_no_record(status: int) -> None:
    assert verdict(status, "<html>Please log in</html>") is Verdict.HALT


@pytest.mark.parametrize(
    ("status", "disposition"),
    [
        (400, "rejected"),
        (422, "rejected"),
        (409, "rejected"),
        (413, "too-large"),
    ],
)
def test_a_refused_record_says_what_it_was_refused_for(status: int, disposition: str) -> None:
    assert judge(status, {}, mart_error("X"), NOW).disposition == disposition


@pytest.mark.parametrize("status", range(500, 600))
def test_only_a_gateways_failure_leaves_the_end_unseen(status: int) -> None:
    assert judge(status, {}, "", NOW).unseen is (status in {502, 504})


def test_an_attempt_without_an_answer_is_tried_again() -> None:
    assert no_answer("timeout", sent=True) == Answer(Verdict.RETRY, "timeout", unseen=True)
    assert no_answer("connect-failed", sent=False) == Answer(Verdict.RETRY, "connect-failed")


# --- 403 and 404: who speaks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [mart_error("AIQCS0001E"), "{}", '{"error": "forbidden"}', '{"message":"Forbidden"}'])
def test_a_403_in_json_halts(body: str) -> None:
    """The data mart's own shape for certain; a gateway's too: waiting loses nothing, blaming might empty a topic."""
    answer = judge(403, {}, body, NOW)
    assert (answer.verdict, answer.reason) == (Verdict.HALT, "forbidden")


def test_a_403_in_html_blames_a_text_in_a_record() -> None:
    answer = judge(403, {"content-type": "text/html"}, HTML, NOW)
    assert (answer.verdict, answer.disposition) == (Verdict.SPLIT_EDGE, "rejected-edge")


@pytest.mark.parametrize(
    "body",
    ["", "Forbidden", "[]", '["forbidden"]', "null", mart_error("AIQCS0001E")[:-5]],
    ids=["empty", "plain text", "empty list", "list", "null", "cut"],
)
def test_a_403_that_is_no_page_of_a_firewall_halts(body: str) -> None:
    """An address that is not allowed, a gateway's refusal: no record's fault, and the same for each of them."""
    assert verdict(403, body, **{"content-type": "text/plain"}) is Verdict.HALT


@pytest.mark.parametrize(
    ("body", "expected", "reason"),
    [
        (mart_error("AISCS0005W"), Verdict.HALT, "no-data-mart"),
        (mart_error("AIQCS0005W"), Verdict.HALT, "no-data-mart"),
        (mart_error("AIQCS0099E", "AISCS0005W"), Verdict.HALT, "no-data-mart"),
        (mart_error("AIQCS0099E"), Verdict.SPLIT, "not-found"),
        (mart_error(), Verdict.HALT, "wrong-endpoint"),
        (HTML, Verdict.HALT, "wrong-endpoint"),
        ("", Verdict.HALT, "wrong-endpoint"),
        ("[]", Verdict.HALT, "wrong-endpoint"),
        ('{"errors": {}}', Verdict.HALT, "wrong-endpoint"),
        ('{"errors": ["x"]}', Verdict.HALT, "wrong-endpoint"),
        ('{"errors": [{"message": "x"}]}', Verdict.HALT, "wrong-endpoint"),
        ('{"errors": null}', Verdict.HALT, "wrong-endpoint"),
        ('{"code": "AIQCS0099E"}', Verdict.HALT, "wrong-endpoint"),
        ("[" * 100_000, Verdict.HALT, "wrong-endpoint"),
    ],
)
def test_a_404_blames_a_subscription_only_in_the_data_marts_words(body: str, expected: Verdict, reason: str) -> None:
    answer = judge(404, {}, body, NOW)
    assert (answer.verdict, answer.reason) == (expected, reason)
    assert (answer.disposition == "unknown-subscription") is (expected is Verdict.SPLIT)


@given(st.integers(100, 599), st.text() | st.sampled_from(["[" * 5000, '{"errors":[[]]}', '{"errors":[{"code":[]}]}']))
def test_no_body_is_too_odd_to_judge(status: int, body: str) -> None:
    assert judge(status, {}, body, NOW).verdict in Verdict


# --- Retry-After ------------------------------------------------------------------------------------------------------


@given(st.integers(0, 999_999_999))
def test_seconds_are_taken_as_they_are(seconds: int) -> None:
    assert retry_after(str(seconds), NOW) == seconds
    assert judge(503, {"retry-after": f" {seconds} "}, "", NOW).retry_after == seconds


@given(st.timedeltas(timedelta(-400_000), timedelta(400_000)))
def test_a_date_is_the_time_until_then_and_never_negative(distance: timedelta) -> None:
    when = NOW + timedelta(seconds=int(distance.total_seconds()))
    expected = max(0, int(distance.total_seconds()))
    assert retry_after(format_datetime(when, usegmt=True), NOW) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("86400", 86_400),
        ("0", 0),
        ("Fri, 01 Mar 2024 12:00:00 GMT", 86_400),
        ("Fri, 01 Mar 2024 13:00:00 +0100", 86_400),
        ("Fri, 01 Mar 2024 12:00:00", 86_400),
        ("Friday, 01-Mar-24 12:00:00 GMT", 86_400),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("-5", None),
        ("1.5", None),
        ("1e5", None),
        ("²", None),
        ("", None),
        (" ", None),
        ("soon", None),
        ("120, 120", None),
        ("Mon, 99 Feb 2024 00:00:00 GMT", None),
        (",", None),
        ("\x00", None),
        (None, None),
    ],
)
def test_a_time_to_wait_is_read_or_left(text: str | None, expected: float | None) -> None:
    assert retry_after(text, NOW) == expected


def test_a_count_of_many_digits_is_a_long_time_and_no_error() -> None:
    found = retry_after("9" * 5000, NOW)
    assert found is not None
    assert found > 86_400 * 365


def test_leading_zeros_count_for_nothing() -> None:
    assert retry_after("000000000120", NOW) == 120


HUGE = "9" * 20


@example(f"Mon, 01 Jan {HUGE} 00:00:00 GMT", 503)
@example(f"Mon, 01 Jan 2024 00:00:00 +{HUGE}", 202)
@given(st.text(), st.integers(100, 599))
def test_no_header_is_too_odd_to_judge(text: str, status: int) -> None:
    """It raises in the courier else: a batch that was stored counts as unanswered, and is posted for ever."""
    found = judge(status, {"retry-after": text}, "", NOW).retry_after
    assert found is None or found >= 0
