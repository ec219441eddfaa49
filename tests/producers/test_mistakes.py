"""The common mistakes that docs/producers.md tells of: each is made here, and the worker's words are those printed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.producers.languages import ROOT
from tests.test_docs import rows, section
from tests.way.events import avro, body, confluent, event
from worker.edges.schemas import load_schemas
from worker.model import Claim, Envelope
from worker.rooms.decode import Decoder
from worker.rooms.directory import Binding, Directory, Subscription
from worker.rooms.identity import Identity
from worker.rooms.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT: Final = (ROOT / "docs" / "producers.md").read_text("utf-8")
CUSTOM: Final = "custom_machine_learning"
SAGEMAKER: Final = "amazon_sagemaker"
SUITE: Final = Suite(Decoder(load_schemas(None, {}), 1 << 20), Identity("c", {}), 4 << 20)
DIRECTORY: Final = Directory(
    [Binding("east", "east", CUSTOM), Binding("west", "west", CUSTOM), Binding("aws", "aws", SAGEMAKER)],
    [
        Subscription("s-1", "east", "loans", "", (), ("age",), logging_enabled=True),
        Subscription("s-2", "east", "both", "", (), ("age",), logging_enabled=True),
        Subscription("s-3", "west", "both", "", (), ("age",), logging_enabled=True),
        Subscription("s-4", "aws", "plain", "", (), (), logging_enabled=True),
        Subscription("s-5", "west", "silent", "", (), ("age",), logging_enabled=False),
    ],
    0,
)
ASKED: Final = {"fields": ["age"], "values": [[41]]}
ANSWERED: Final = {"fields": ["prediction"], "values": [["yes"]]}


def _sent(asset: str = "loans", request: Any = None, response: Any = None, **more: Any) -> bytes:
    return confluent(event(asset, request or body(ASKED), response or body(ANSWERED), **more))


def _table(fields: list[str], *values: list[Any]) -> dict[str, Any]:
    return {"-type": "openscale.payload.Table", "fields": fields, "values": list(values), "meta": None}


# by the words of the document's first column
MISTAKES: Final[dict[str, Callable[[], bytes | None]]] = {
    "JSON, or any text, as the record's value": lambda: b'{"asset": "loans"}',
    "Avro without the five bytes in front": lambda: avro(event("loans", body(ASKED), body(ANSWERED))),
    "the id that a registry of the producer's own gave": lambda: b"\x00\x00\x00\x00\x63" + _sent()[5:],
    "an Avro container file, with its header": lambda: b"Obj\x01" + _sent()[5:],
    "another schema under id 1": lambda: b"\x00\x00\x00\x00\x01" + b"\x06abc",
    "a tombstone": lambda: None,
    "an asset that has no subscription": lambda: _sent("loan"),
    "an asset that two bindings have, and no `binding`": lambda: _sent("both"),
    "a subscription whose payload logging is off": lambda: _sent("silent"),
    "`scored_at` in nanoseconds": lambda: _sent(scored_at=1_560_247_200_123_456_789),
    "an empty `scoring_id`": lambda: _sent(scoring_id=""),
    "`NaN` for a missing number": lambda: _sent(request=_table(["age"], [math.nan])),
    "fewer answers than questions": lambda: _sent(request=_table(["age"], [41], [23])),
    "a row with a cell too few": lambda: _sent(request=body({"fields": ["age", "hours"], "values": [[41]]})),
    "the same column twice": lambda: _sent(request=body({"fields": ["age", "age"], "values": [[41, 42]]})),
    "a body of objects, as Azure's, to a custom engine": lambda: _sent(request=body({"input": [{"age": 41}]})),
    "CSV to an engine that speaks JSON": lambda: _sent(request=body("41,37.5", "text/csv")),
    "CSV for a subscription that names no features": lambda: _sent(
        "plain", body("41,37.5", "text/csv"), body({"predictions": [{"score": 0.5}]})
    ),
    "text that is not UTF-8": lambda: _sent(request=body('{"fields":["größe"],"values":[[1]]}'.encode("latin-1"))),
    "an answer cut short": lambda: _sent(response=body('{"fields":["prediction"],"values":[["y')),
    "the engine's error in place of an answer": lambda: _sent(response=body({"error": "timeout"})),
}


def told() -> dict[str, list[str]]:
    """The document's table: code and message by mistake."""
    return {mistake: [code.strip("`"), said.strip("`")] for mistake, code, said, *_ in rows(section(TEXT, TITLE))}


TITLE: Final = "Common mistakes"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_worker_says_of_a_mistake_what_the_document_prints(mistake: str) -> None:
    envelope = Envelope(Claim("payload-events", 3), 42, 1_560_247_200_123, None, MISTAKES[mistake](), ())
    passed = SUITE.walk([envelope], DIRECTORY)
    (rejection,) = passed.rejected + passed.unknown
    assert told()[mistake] == [rejection.refusal.code, rejection.refusal.detail]


def test_every_mistake_of_the_document_is_made() -> None:
    assert list(told()) == list(MISTAKES)
