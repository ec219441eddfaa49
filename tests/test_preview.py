"""What `payload-worker preview` prints, for each engine as people name it."""

from __future__ import annotations

import json

import pytest

from worker.model import Engine, Refusal
from worker.preview import ENGINES, guess, preview

CASES = {
    "custom": (b'{"fields":["a"],"values":[[1]]}', b'{"fields":["p"],"values":[["Y"]]}', 1, "Y"),
    "azure-studio": (b'{"Inputs":{"input1":[{"a":"1"}]}}', b'{"Results":{"output1":[{"p":"Y"}]}}', "1", "Y"),
    "azure-service": (b'{"input":[{"a":1.5}]}', b'"{\\"output\\":[{\\"p\\":\\"Y\\"}]}"', 1.5, "Y"),
    "sagemaker": (b"1\n", b'{"predictions":[{"p":0.5}]}', 1.0, 0.5),
}


@pytest.mark.parametrize("engine", CASES)
def test_the_normal_form_is_printed_without_ids(engine: str) -> None:
    request, response, cell, answer = CASES[engine]
    text = preview(engine, request, response, ["a"], None)
    assert isinstance(text, bytes)
    assert repr(json.loads(text)) == repr(
        {"request": {"fields": ["a"], "values": [[cell]]}, "response": {"fields": ["p"], "values": [[answer]]}}
    )
    assert text.startswith(b'{\n  "request": {\n    "fields": [')


def test_every_engine_with_a_normaliser_can_be_previewed() -> None:
    assert set(ENGINES) == set(CASES)
    assert set(ENGINES.values()) == set(Engine)
    with pytest.raises(KeyError):
        preview("spss", b"{}", b"{}", [], None)


def test_a_content_type_that_is_given_is_not_guessed() -> None:
    _, response, _, _ = CASES["sagemaker"]
    refusal = preview("sagemaker", b"1", response, ["a"], "application/json")
    assert isinstance(refusal, Refusal)
    assert refusal.detail == "request: rows is a number, not an array of instances"
    assert isinstance(preview("sagemaker", b"1", response, ["a"], "text/csv"), bytes)


def test_a_refusal_comes_back_as_it_is() -> None:
    refusal = preview("custom", b'{"fields":["a"]}', b"{}", [], None)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "shape"


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b' \n{"a":1}', "application/json"),
        (b'{\n  "a": {\n  }\n}\n', "application/json"),
        (b"[1]", "application/json"),
        (b'"x"', "application/json"),
        (b'\xef\xbb\xbf{"a":1}', "application/json"),
        (b'{"score":1}\n{"score":2}\n', "application/jsonlines"),
        (b"1,2,3\n", "text/csv"),
        (b"", "text/csv"),
    ],
)
def test_a_content_type_is_guessed_by_the_first_characters(data: bytes, content_type: str) -> None:
    assert guess(data) == content_type


def test_json_lines_are_recognised_in_an_answer() -> None:
    text = preview("sagemaker", b"1\n2\n", b'{"score":1}\n{"score":2}\n', ["a"], None)
    assert isinstance(text, bytes)
    assert json.loads(text)["response"]["values"] == [[1], [2]]
