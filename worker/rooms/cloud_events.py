"""CloudEvents over Kafka (its protocol binding 1.0), as the loggers of KServe and of Seldon Core write them.

A request and its response are two records: `event` says of each which half it is and of what, and makes an event of
the `Pair` that they are joined to. Binary mode has the attributes in headers `ce_…` and the data as the value;
structured mode has one JSON object. Seldon's own way to Kafka has the same attributes in headers without a prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from worker.model import Body, Disposition, Event, Half, Pair, Refusal, Side
from worker.rooms.json_events import from_base64, not_json
from worker.rooms.sizes import size_refusal
from worker.rooms.times import micros_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.model import Envelope

SIDES: Mapping[str, Side] = {
    f"{engine}.serving.inference.{side.value}": side for engine in ("org.kubeflow", "io.seldon") for side in Side
}
"""The types of events that are half a scoring; others are refused."""

PREFIX = "ce_"
STRUCTURED = "application/cloudevents+json"
_STRUCTURED_ANY = "application/cloudevents"
_SELDON = "io.seldon."
_ID_BYTES = 1024
_WITHIN = ("namespace", "inferenceservicename", "component", "modelid")
"""Attributes that tell apart scorings with one id: a graph of several models may hand its id on to each."""
_STAGES = ("component", "modelid")
"""Those of them that tell apart the stages of one service."""
_MAIN = "predictor"
"""The stage of a service that has no other, and whose scorings go by the bare id."""


@dataclass(frozen=True, slots=True)
class Naming:
    """Which attribute names the asset, the binding and the deployment; None: none does."""

    asset: str = "inferenceservicename"
    binding: str | None = None
    deployment: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class _Cloud:
    """A CloudEvent: its attributes, and its data with the content type."""

    attributes: Mapping[str, str]
    body: Body

    @property
    def id(self) -> str:
        """Seldon's two events have ids of their own, and the request's in an attribute."""
        return self.attributes.get("requestid") or self.attributes.get("id") or ""


@dataclass(frozen=True, slots=True)
class CloudEvents:
    """Reads halves of scorings, and their pairs; `limit` is the most bytes that a record's value may have."""

    limit: int
    naming: Naming

    def event(self, envelope: Envelope) -> Event | Half | Refusal:
        """The half that a record is, the event of a pair, or why it is neither."""
        if isinstance(envelope, Pair):
            return self._joined(envelope)
        cloud = self._cloud(envelope)
        return self._half(cloud) if isinstance(cloud, _Cloud) else cloud

    def _joined(self, pair: Pair) -> Event | Refusal:
        request, response = self._cloud(pair.request), self._cloud(pair.response)
        if isinstance(request, Refusal):
            return request
        if isinstance(response, Refusal):
            return response
        named, naming = request.attributes.get, self.naming
        return Event(
            named(naming.binding) or None if naming.binding else None,
            named(naming.asset, ""),
            named(naming.deployment) or None if naming.deployment else None,
            _scoring_id(request),
            micros_of(response.attributes.get("time", "")),
            None,
            request.body,
            response.body,
            {},
        )

    def _half(self, cloud: _Cloud) -> Half | Refusal:
        attributes = cloud.attributes
        side = SIDES.get(attributes.get("type", ""))
        if side is None:
            return _other_type(attributes.get("type", ""))
        if not cloud.id:
            return _refused("attribute-missing", "the CloudEvent has neither an id nor a requestid")
        if len(cloud.id.encode()) > _ID_BYTES:
            return _refused("attribute-too-long", f"the id has more than {_ID_BYTES} bytes")
        if not attributes.get(self.naming.asset):
            return _refused("attribute-missing", f"the attribute {self.naming.asset}, the asset's name, is missing")
        if "time" in attributes and micros_of(attributes["time"]) is None:
            return _refused("attribute-time", "the attribute time is not a time as RFC 3339 writes it")
        return Half(side, "\x00".join((cloud.id, *(attributes.get(name, "") for name in _WITHIN))))

    def _cloud(self, envelope: Envelope) -> _Cloud | Refusal:
        value = envelope.value
        if not value or len(value) > self.limit:
            return size_refusal(value, self.limit)
        headers = _texts(envelope)
        if isinstance(headers, Refusal):
            return headers
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media == STRUCTURED:
            return _structured(value)
        if media.startswith(_STRUCTURED_ANY):
            return _refused("cloudevents-format", f"of structured CloudEvents only {STRUCTURED} is read, one a record")
        return _binary(headers, value)


def _scoring_id(request: _Cloud) -> str:
    """The id, and the stage of the service: two stages' scorings of one id are two, and a store keeps one of an id."""
    stages = (request.attributes.get(name, "") for name in _STAGES)
    return "-".join((request.id, *(stage for stage in stages if stage not in {"", _MAIN})))


def _binary(headers: Mapping[str, str], value: bytes) -> _Cloud | Refusal:
    body = Body(headers.get("content-type", ""), value)
    if f"{PREFIX}type" in headers:
        attributes = {name.removeprefix(PREFIX): text for name, text in headers.items() if name.startswith(PREFIX)}
        return _unknown_version(attributes) or _Cloud(attributes, body)
    if headers.get("type", "").startswith(_SELDON):
        return _Cloud(headers, body)
    detail = f"the record is no CloudEvent: it has no header {PREFIX}type, and its content-type is not {STRUCTURED}"
    return _refused("no-cloudevent", detail)


def _structured(value: bytes) -> _Cloud | Refusal:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return not_json("the CloudEvent", error)
    if type(found) is not dict:
        return _refused("no-cloudevent", "the structured CloudEvent is not an object")
    attributes = {name: text for name, text in found.items() if type(text) is str and not name.startswith("data_")}
    attributes.pop("data", None)
    refused = _unknown_version(attributes)
    if refused is not None:
        return refused
    body = _data(found, attributes.get("datacontenttype", "application/json"))
    return body if isinstance(body, Refusal) else _Cloud(attributes, body)


def _data(found: Mapping[str, object], content_type: str) -> Body | Refusal:
    """The data as the event has it: bytes in base64, a text of its type, or a JSON value."""
    if ("data" in found) == ("data_base64" in found):
        return _refused("cloudevents-data", "the CloudEvent has not exactly one of data and data_base64")
    if "data_base64" in found:
        unpacked = from_base64(found["data_base64"])
        if unpacked is None:
            return _refused("cloudevents-data", "data_base64 is not a string in base64")
        return Body(content_type, unpacked)
    data, media = found["data"], content_type.partition(";")[0].strip().lower()
    if type(data) is str and not (media.endswith(("/json", "+json"))):
        return Body(content_type, data.encode())
    try:
        return Body(content_type, orjson.dumps(data))
    except orjson.JSONEncodeError:
        return _refused("cloudevents-data", "data is nested too deeply")


def _texts(envelope: Envelope) -> dict[str, str] | Refusal:
    """The headers as texts, the last of each name; the content type by its name in small letters."""
    headers: dict[str, str] = {}
    for name, value in envelope.headers:
        lower = name.lower()
        name = lower if lower == "content-type" else name  # noqa: PLW2901 - the same header
        try:
            headers[name] = (value or b"").decode()
        except UnicodeDecodeError:
            if name.startswith(PREFIX) or name == "content-type":
                return _refused("attribute-text", "the value of a header of the CloudEvent is not UTF-8")
    return headers


def _unknown_version(attributes: Mapping[str, str]) -> Refusal | None:
    if attributes.get("specversion") == "1.0":
        return None
    return _refused("cloudevents-version", "the attribute specversion is not 1.0")


def _other_type(name: str) -> Refusal:
    if "feedback" in name:
        return _refused("feedback-event", "the attribute type says feedback, which is no scoring")
    if "error" in name:
        return _refused("error-event", "the attribute type says an error, which is no scoring")
    return _refused("event-type", "the attribute type is none of KServe's or Seldon's inference requests and responses")


def _refused(code: str, detail: str) -> Refusal:
    return Refusal(Disposition.DECODE, code, detail)
