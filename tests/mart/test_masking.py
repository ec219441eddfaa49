"""Secrets are not shown: in no answer that is printed, and in no message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.control.engines import ENGINES
from worker.control.masking import MASK, masked, printable, scrubbed, secrets_of

SECRET = "s3cret-0f-somebody"  # noqa: S105 - made up


@pytest.mark.parametrize(
    "body",
    [
        {"entity": {"credentials": {"client_secret": SECRET, "tenant": "t"}}},
        {"credentials": {"something_new": SECRET}},
        {"credentials": {"nested": {"deep": [SECRET]}}},
        {"credentials": SECRET},
        {"request_headers": {"X-Whatever": SECRET}},
        {"scoring_endpoint": {"credentials": {"token": SECRET}}},
        {"training_data_reference": {"connection": {"apikey": SECRET}}},
        [{"database_configuration": {"credentials": {"uri": f"postgres://u:{SECRET}@h/d"}}}],
        {"url": f"https://u:{SECRET}@host/path"},
        {"credentials": {"url": f"https://{SECRET}@host/"}},
        {"url": f"https://host/score?sig={SECRET}&api-version=2"},
        {"url": f"https://host/score?a=b&subscription-key={SECRET}"},
        {"password": [SECRET]},
    ],
)
def test_a_secret_is_not_shown_and_known_to_be_one(body: Any) -> None:
    assert SECRET not in json.dumps(masked(body))
    assert MASK in json.dumps(masked(body))
    assert SECRET not in scrubbed(f"the value {SECRET} is refused", secrets_of(body))


def test_what_is_harmless_is_shown() -> None:
    body = {
        "name": "n",
        "credentials": {"url": "http://e:1", "username": "u", "region": "r", "client_id": "c", "port": 5432},
        "request_headers": {"Content-Type": "application/json"},
        "feature_fields": ["a"],
        "count": 3,
        "url": "https://h/execute?api-version=2.0&format=swagger",
    }
    assert masked(body) == body
    assert secrets_of(body) == set()


@given(st.text(min_size=4), st.sampled_from(list(ENGINES.values())))
def test_no_engines_secret_is_shown_whatever_it_is(secret: str, engine: Any) -> None:
    hidden = [each.key for each in engine.credentials if not each.open]
    body = {"credentials": dict.fromkeys(hidden, secret)}
    assert masked(body) == {"credentials": dict.fromkeys(hidden, MASK)}
    assert secrets_of(body) == {secret}


def test_the_parts_of_a_databases_uri_are_secrets_too() -> None:
    body = {"credentials": {"uri": "postgres://somebody:p%40ssw0rd@h:5432/d"}}
    told = scrubbed("login of somebody with p@ssw0rd (p%40ssw0rd) failed", secrets_of(body))
    assert told == f"login of {MASK} with {MASK} ({MASK}) failed"


def test_words_of_others_lose_the_passwords_of_urls() -> None:
    assert scrubbed("cannot reach postgres://u:pw@h:5432/d", ()) == f"cannot reach postgres://{MASK}@h:5432/d"


def test_words_of_others_lose_tokens() -> None:
    assert scrubbed("the token eyJhbGciOiJub25l.eyJzdWIiOiIxIn0.x has expired", ()) == f"the token {MASK} has expired"
    assert scrubbed("got 'Bearer abc def'", ()) == f"got 'Bearer {MASK} def'"


def test_what_is_told_cannot_move_a_cursor() -> None:
    assert printable("a\x1b[2Jb\r\nc\u202ed") == "a [2Jb  c d"
