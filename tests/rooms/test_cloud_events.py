"""CloudEvents as the loggers of KServe and Seldon write them: halves by their id, pairs as events, all else refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.way.clouds import Scoring
from worker.model import Body, Claim, Disposition, Envelope, Event, Half, Pair, Refusal, Side
from worker.rooms.cloud_events import CloudEvents, Naming

LIMIT = 4096
DECODER = CloudEvents(LIMIT, Naming())
CLAIM = Claim("t", 0)
PRIVATE = "4929123456789"
ATTRIBUTES = {
    "id": "one",
    "source": "http://localhost:9081/",
    "type": "org.kubeflow.serving.inference.request",
    "specversion": "1.0",
    "time": "2019-06-11T10:00:00.123456789Z",
    "inferenceservicename": "action",
    "namespace": "default",
    "component": "predictor",
    "endpoint": "canary",
}
DATA = b'{"instances":[[1,2]]}'
RESPONSE = "org.kubeflow.serving.inference.response"


def record(value: bytes | None, headers: dict[str, Any], offset: int = 0) -> Envelope:
    told = [(name, text.encode() if isinstance(text, str) else text) for name, text in headers.items()]
    return Envelope(CLAIM, offset, 1_560_247_200_000, b"one", value, told)


def binary(value: bytes | None = DATA, offset: int = 0, **attributes: Any) -> Envelope:
    """A record in binary mode; an attribute of None is left out."""
    given = {**ATTRIBUTES, **attributes}
    headers = {f"ce_{name}": text for name, text in given.items() if text is not None}
    return record(value, {**headers, "content-type": "application/json"}, offset)


def structured(offset: int = 0, media: str = "application/cloudevents+json", **members: Any) -> Envelope:
    """A record in structured mode; a member of None is left out."""
    given = {name: each for name, each in {**ATTRIBUTES, **members}.items() if each is not None}
    return record(json.dumps(given).encode(), {"Content-Type": media}, offset)


def half(envelope: Envelope) -> Half:
    found = DECODER.event(envelope)
    assert isinstance(found, Half), found
    return found


def code(envelope: Envelope) -> str:
    found = DECODER.event(envelope)
    assert isinstance(found, Refusal), found
    assert PRIVATE not in found.detail
    return found.code


def test_request_and_response_are_halves_of_one_key_in_either_mode() -> None:
    asked, answered = half(binary()), half(structured(type=RESPONSE, data={"predictions": [1]}))
    assert (asked.side, answered.side) == (Side.REQUEST, Side.RESPONSE)
    assert asked.key == answered.key
    assert half(binary(id="two")).key != asked.key
    assert half(binary(component="transformer")).key != asked.key, "a transformer hands the id on to its predictor"
    assert half(binary(inferenceservicename="other")).key != asked.key


@pytest.mark.parametrize("form", ["tensors", "structured", "rows", "seldon"])
def test_a_pair_is_the_event_of_what_was_scored(form: str) -> None:
    scoring = Scoring("ce-x-7", [[1, 0.5, None, "a"]], [["yes", 0.25]], form)
    request, response = (
        Envelope(CLAIM, at, -1, None, each.value, each.headers) for at, each in enumerate(scoring.events())
    )
    assert half(request).key == half(response).key
    event = DECODER.event(Pair.of(request, response))
    assert isinstance(event, Event)
    assert (event.asset, event.scoring_id, event.binding, event.deployment) == ("action", scoring.stored, None, None)
    assert event.scored_at == (None if form == "seldon" else 1_560_247_207_250_000)
    assert isinstance(event.request, Body)
    assert isinstance(event.response, Body)
    assert json.loads(event.request.data).keys() <= {"inputs", "instances"}
    assert json.loads(event.response.data).keys() <= {"outputs", "predictions", "model_name"}


def test_stages_that_hand_an_id_on_have_scorings_of_different_ids() -> None:
    """With one id the data mart would keep the first of them only, and answer for both that it is stored."""
    ids = []
    for stage in (
        {},
        {"component": None},
        {"component": "transformer"},
        {"component": "transformer", "modelid": "m"},
        {"modelid": "n"},
    ):
        event = DECODER.event(Pair.of(binary(**stage), binary(type=RESPONSE, offset=1, **stage)))
        assert isinstance(event, Event)
        ids.append(event.scoring_id)
    assert ids == ["one", "one", "one-transformer", "one-transformer-m", "one-n"]


def test_attributes_may_name_binding_and_deployment_too() -> None:
    decoder = CloudEvents(LIMIT, Naming("namespace", "component", "endpoint"))
    event = decoder.event(Pair.of(binary(), binary(type=RESPONSE, offset=1)))
    assert isinstance(event, Event)
    assert (event.asset, event.binding, event.deployment) == ("default", "predictor", "canary")


def test_data_is_taken_as_it_is_given() -> None:
    packed = base64.b64encode(b"\x00,1").decode()
    for members, body in (
        ({"data": {"a": [2**53 + 1]}}, Body("application/json", b'{"a":[9007199254740993]}')),
        ({"data": "1,2", "datacontenttype": "text/csv"}, Body("text/csv", b"1,2")),
        ({"data": "1", "datacontenttype": "application/json"}, Body("application/json", b'"1"')),
        ({"data_base64": packed, "datacontenttype": "text/csv"}, Body("text/csv", b"\x00,1")),
    ):
        event = DECODER.event(Pair.of(structured(**members), binary(type=RESPONSE)))
        assert isinstance(event, Event)
        assert event.request == body


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        (binary(type="io.seldon.serving.feedback"), "feedback-event"),
        (binary(type="org.kubeflow.serving.inference.error"), "error-event"),
        (binary(type="io.seldon.serving.inference.outlier"), "event-type"),
        (binary(type=PRIVATE), "event-type"),
        (binary(type=None), "no-cloudevent"),
        (binary(id=None), "attribute-missing"),
        (binary(id=""), "attribute-missing"),
        (binary(id="x" * 2000), "attribute-too-long"),
        (binary(id=b"\xff"), "attribute-text"),
        (binary(inferenceservicename=None), "attribute-missing"),
        (binary(time=PRIVATE), "attribute-time"),
        (binary(specversion="0.2"), "cloudevents-version"),
        (binary(specversion=None), "cloudevents-version"),
        (binary(None), "tombstone"),
        (binary(b""), "empty-value"),
        (binary(b"x" * (LIMIT + 1)), "event-too-large"),
        (record(DATA, {}), "no-cloudevent"),
        (structured(media="application/cloudevents-batch+json"), "cloudevents-format"),
        (structured(media="application/cloudevents+avro"), "cloudevents-format"),
        (structured(), "cloudevents-data"),
        (structured(data=1, data_base64=""), "cloudevents-data"),
        (structured(data_base64=f"{PRIVATE}!"), "cloudevents-data"),
        (structured(data_base64=4929123456789), "cloudevents-data"),
        (structured(data=1, specversion=1.0), "cloudevents-version"),
        (structured(data=1, id=4929123456789), "attribute-missing"),
        (record(b"[1]", {"content-type": "application/cloudevents+json"}), "no-cloudevent"),
        (record(b"{", {"content-type": "application/cloudevents+json"}), "not-json-event"),
        (
            record(
                b'{"specversion":"1.0","data":' + b"[" * 300 + b"]" * 300 + b"}",
                {"content-type": "application/cloudevents+json"},
            ),
            "cloudevents-data",
        ),
    ],
)
def test_what_is_no_half_of_a_scoring_is_refused_with_its_reason(envelope: Envelope, expected: str) -> None:
    assert code(envelope) == expected


def test_refusals_are_of_decoding() -> None:
    found = DECODER.event(binary(type="x"))
    assert isinstance(found, Refusal)
    assert found.disposition is Disposition.DECODE


def test_a_header_that_is_not_of_the_event_may_hold_anything() -> None:
    envelope = binary()
    envelope = Envelope(CLAIM, 0, 0, None, DATA, [*envelope.headers, ("trace", b"\xff"), ("empty", None)])
    assert half(envelope).side is Side.REQUEST
