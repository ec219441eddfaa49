"""The filter of `--where`: what it says, what it refuses, and that the same filter is always the same text."""

from __future__ import annotations

import contextlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.dlq.letters import NAMES, field_of
from worker.dlq.where import NUMBERS, WhereError, where

FACTS: dict[str, str | None] = dict.fromkeys(NAMES) | {
    "disposition": "rejected",
    "code": "conflict",
    "status": "409",
    "asset": "credit risk",
    "offset": "17",
}
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda text: text != "-" and "*" not in text
)


@pytest.mark.parametrize(
    ("texts", "held"),
    [
        ([], True),
        (["disposition=rejected"], True),
        (["disposition=rejected code=conflict"], True),
        (["disposition=rejected", "code=rejected"], False),
        (["code!=rejected"], True),
        (["status=400..499"], True),
        (["status=410.."], False),
        (["offset=..17"], True),
        (["offset=17"], True),
        (["offset=18..20"], False),
        (["asset='credit risk'"], True),
        (["asset=credit*"], True),
        (["asset=*RISK"], False),
        (["service="], True),
        (["service=-"], True),
        (["code=-"], False),
        (["service=x"], False),
        (["service!=x"], True),
        (["partition=0.."], False),
    ],
)
def test_a_filter_holds_as_it_says(texts: list[str], held: bool) -> None:  # noqa: FBT001 - a table's column
    assert where(texts).holds(FACTS) is held


def test_a_wrong_name_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(WhereError, match="no name 'dispositon'; there are disposition, code, status"):
        where(["dispositon=decode"])


@pytest.mark.parametrize("text", ["code", "=x", "offset=ten", "offset=..", "status=4xx", "asset='open"])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(WhereError):
        where([text])


@given(st.lists(st.tuples(st.sampled_from([name for name in NAMES if name not in NUMBERS]), TEXT), max_size=4))
def test_a_filter_holds_to_the_facts_that_it_names_and_reads_back_as_itself(pairs: list[tuple[str, str]]) -> None:
    facts = dict.fromkeys(NAMES) | dict(pairs)
    meant = where([shlex.quote(f"{name}={value}") for name, value in dict(pairs).items()])
    assert meant.holds(facts)
    assert str(where([str(meant)])) == str(meant)
    for name, value in dict(pairs).items():
        assert not meant.holds(facts | {name: value + "x"})
        assert not meant.holds(facts | {name: None})


@given(st.text(max_size=20))
def test_no_text_makes_it_raise_anything_else(text: str) -> None:
    with contextlib.suppress(WhereError):
        where([text]).holds(FACTS)


@pytest.mark.parametrize(
    ("detail", "field"),
    [
        ("asset: no subscription, asset id or asset name of the data mart is so called", "asset"),
        ("scored_at is not between 1970 and 9999: it is in microseconds, in UTC", "scored_at"),
        ("request: values[3], column 'age' is not a finite number", "request.age"),
        ('request: values[3], column "o\'clock" is not a finite number', "request.o'clock"),
        ("response: the field 'p' occurs more than once", "response.p"),
        ("response: fields is empty", "response.fields"),
        ("response: meta.values[0] is null, not an array of cells", "response.meta.values"),
        ("request: the body is not JSON at byte 7", "request"),
        ("request has 3 rows, response has 2", "request"),
        ("the bytes are not a body written with schema 1 (EOFError)", None),
        ("the data mart answered 409", None),
        ("", None),
    ],
)
def test_the_field_is_the_one_that_the_detail_names(detail: str, field: str | None) -> None:
    assert field_of(detail) == field
