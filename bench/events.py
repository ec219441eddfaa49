"""The work: scorings with 14 feature columns and 3 of the answer, about 600 bytes as Avro.

Every event is another one, and the same number always makes the same event. `typed` and `body` hold the same scoring of
a custom engine: as tables of cells, and as the JSON that the scoring service had in its hand. `azure` is Azure ML
Studio's own JSON, an object a row with its numbers as texts in the answer; `sagemaker` is CSV in and JSON out.
"""

from __future__ import annotations

import io
import json
import random
from typing import TYPE_CHECKING, Any, Final, Literal

import fastavro
import orjson

from worker.edges.schemas import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Kind = Literal["typed", "body", "azure", "sagemaker"]
KINDS: Final[tuple[Kind, ...]] = ("typed", "body", "azure", "sagemaker")
SHARED: Final[tuple[Kind, ...]] = ("typed", "body")
"""What every contender reads; the engines' own forms only the worker knows."""

_ASSETS: Final = {"typed": "asset", "body": "asset", "azure": "studio", "sagemaker": "sagemaker"}
"""What the sink's catalogue calls the assets of each."""

SCHEMA: Final = fastavro.parse_schema(json.loads((shipped() / "payload_event.avsc").read_text(encoding="utf-8")))
FRAMING: Final = b"\x00" + (1).to_bytes(4, "big")
"""Confluent's wire format, schema id 1."""

FEATURES: Final = (
    "checking_status",
    "loan_duration_months",
    "credit_history",
    "loan_purpose",
    "loan_amount",
    "existing_savings",
    "employment_duration",
    "installment_percent",
    "age",
    "owns_property",
    "existing_credits_count",
    "monthly_income",
    "debt_to_income",
    "foreign_worker",
)
ANSWERS: Final = ("predicted_label", "probability", "decision_threshold")

_STATUS: Final = ("no_checking", "less_0", "0_to_200", "greater_200")
_HISTORY: Final = ("credits_paid_to_date", "prior_payments_delayed", "outstanding_credit", "all_credits_paid_back")
_PURPOSE: Final = ("car_new", "car_used", "furniture", "appliances", "vacation", "education", "business", "repairs")
_SAVINGS: Final = ("less_100", "100_to_500", "500_to_1000", "greater_1000", "unknown")
_TENURE: Final = ("unemployed", "less_1", "1_to_4", "4_to_7", "greater_7")
THRESHOLD: Final = 0.5


def asset_id(kind: Kind, number: int) -> str:
    """The asset of the sink's subscription of this number."""
    return f"{_ASSETS[kind]}-{number:06d}"


def values(kind: Kind, count: int, subscriptions: int = 1) -> Iterator[bytes]:
    """`count` events as they stand on Kafka, evenly over the subscriptions."""
    for number in range(count):
        yield value(kind, number, number % subscriptions)


def value(kind: Kind, number: int, subscription: int = 0, *, stamped: bool = True) -> bytes:
    """One event as it stands on Kafka; not `stamped`: without a time of its own, so that Kafka's counts."""
    request, response = _FORMS[kind](*scoring(number))
    event = _event(number, asset_id(kind, subscription), request, response)
    if not stamped:
        event["scored_at"] = None
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, SCHEMA, event)
    return FRAMING + stream.getvalue()


def scoring(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the model was asked and what it answered: one row, in the normal form."""
    chance = random.Random(number)  # noqa: S311 - the same events every time, no secret
    risk = round(chance.random(), 6)
    answer = ["Risk" if risk > THRESHOLD else "No Risk", [risk, 1 - risk], THRESHOLD]
    return (
        {"fields": list(FEATURES), "values": [_features(chance)]},
        {"fields": list(ANSWERS), "values": [answer]},
    )


def _features(chance: random.Random) -> list[Any]:
    """Strings, integers, floats, booleans, and now and then nothing, as tables of features have them."""
    return [
        chance.choice(_STATUS),
        chance.randrange(4, 64),
        chance.choice(_HISTORY),
        chance.choice(_PURPOSE),
        chance.randrange(250, 12_000),
        chance.choice(_SAVINGS),
        chance.choice(_TENURE),
        chance.randrange(1, 7),
        chance.randrange(19, 75),
        chance.random() < THRESHOLD,
        chance.randrange(1, 4),
        round(chance.uniform(900, 9000), 2),
        chance.random() if chance.randrange(20) else None,
        chance.choice(("yes", "no")),
    ]


Side = dict[str, Any]


def _typed(request: Side, response: Side) -> tuple[Side, Side]:
    return request, response


def _body(request: Side, response: Side) -> tuple[Side, Side]:
    return _json(request), _json(response)


def _azure(request: Side, response: Side) -> tuple[Side, Side]:
    """As ML Studio's web services hold them, which name no column of another's."""
    label, (risk, _), _ = response["values"][0]
    asked = dict(zip(request["fields"], request["values"][0], strict=True))
    answered = {name: None if cell is None else str(cell) for name, cell in asked.items()}
    answered |= {"Scored Labels": label, "Scored Probabilities": str(risk)}
    return (
        _json({"Inputs": {"input1": [asked]}, "GlobalParameters": {}}),
        _json({"Results": {"output1": [answered]}}),
    )


def _sagemaker(request: Side, response: Side) -> tuple[Side, Side]:
    """Encoded features as one line of numbers, and the answer of a built-in algorithm."""
    line = ",".join(_number(cell) for cell in request["values"][0])
    _, (risk, _), threshold = response["values"][0]
    answer = {"score": risk, "predicted_label": float(risk > threshold)}
    return {"content_type": "text/csv", "data": line.encode()}, _json({"predictions": [answer]})


def _number(cell: object) -> str:
    """A cell as a model of numbers is given it: words by a number that stands for them, nothing as 0."""
    return str(len(cell) if isinstance(cell, str) else float(cell) if isinstance(cell, (int, float)) else 0)


def _json(table: Side) -> Side:
    return {"content_type": "application/json", "data": orjson.dumps(table)}


_FORMS: Final[Mapping[Kind, Callable[[Side, Side], tuple[Side, Side]]]] = {
    "typed": _typed,
    "body": _body,
    "azure": _azure,
    "sagemaker": _sagemaker,
}


def _event(number: int, asset: str, request: Side, response: Side) -> Side:
    return {
        "binding": None,
        "asset": asset,
        "deployment": None,
        "scoring_id": None,
        "scored_at": 1_560_247_200_000_000 + number * 1000,
        "response_time_ms": number % 40 + 3,
        "request": request,
        "response": response,
        "attributes": {
            "trace_id": f"{number * 2654435761 % 2**128:032x}",
            "model_version": "2019.06.11-3",
            "service": "credit-scoring-eu-de",
            "instance": "credit-scoring-7d9c6b5f48-x2lqp",
        },
    }
