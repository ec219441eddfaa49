"""The engines from their caller's side: how each is asked, and what the data mart must come to hold of it.

What must be held is written down here from the applicants and the model, by hand and for each engine, and not
computed by the worker's own rooms: the two are compared in the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from worker.demo.loans import classes, label, probability
from worker.sandbox.seed import FEATURES, NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.demo.loans import Applicant

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One engine's: `write` makes a native request, `asked` and `answered` are the normal forms (contract §6)."""

    path: str
    content_type: str
    write: Callable[[Sequence[Applicant]], bytes]
    asked: Callable[[Sequence[Applicant]], Table]
    answered: Callable[[Sequence[Applicant]], Table]

    def content(self, applicants: Sequence[Applicant]) -> bytes:
        """What a stored record must hold of these applicants' scoring."""
        return content(self.asked(applicants), self.answered(applicants))


def content(request: Table, response: Table) -> bytes:
    """A record's payload in one spelling: equal only where every value is, and its type (1 is not 1.0)."""
    return orjson.dumps({"request": request, "response": response}, option=orjson.OPT_SORT_KEYS)


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _named(applicants: Sequence[Applicant]) -> Table:
    return {"fields": list(FEATURES), "values": [each.cells(FEATURES) for each in applicants]}


def _objects(applicants: Sequence[Applicant]) -> list[dict[str, Any]]:
    return [each.features(FEATURES) for each in applicants]


def _approved(applicants: Sequence[Applicant], columns: Sequence[str]) -> list[float]:
    return [probability(each.features(columns)) for each in applicants]


def _custom_answer(applicants: Sequence[Applicant]) -> Table:
    values = [[label(each), classes(each)] for each in _approved(applicants, FEATURES)]
    return {"fields": ["prediction", "probability"], "values": values}


def _studio_request(applicants: Sequence[Applicant]) -> bytes:
    return _json({"Inputs": {"input1": _objects(applicants)}, "GlobalParameters": {}})


def _studio_answer(applicants: Sequence[Applicant]) -> Table:
    """The columns that were asked come back too, and all of them are strings."""
    rows = zip(applicants, _approved(applicants, FEATURES), strict=True)
    values = [[*map(str, each.cells(FEATURES)), label(found), str(found)] for each, found in rows]
    return {"fields": [*FEATURES, "Scored Labels", "Scored Probabilities"], "values": values}


def _service_request(applicants: Sequence[Applicant]) -> bytes:
    return _json({"input": _objects(applicants)})


def _service_answer(applicants: Sequence[Applicant]) -> Table:
    values = [[label(each), classes(each)] for each in _approved(applicants, FEATURES)]
    return {"fields": ["Scored Labels", "Scored Probabilities"], "values": values}


def _csv(applicants: Sequence[Applicant]) -> bytes:
    return "\n".join(",".join(map(str, each.cells(NUMBERS))) for each in applicants).encode()


def _floats(applicants: Sequence[Applicant]) -> Table:
    """CSV knows no types: all are floats."""
    return {"fields": list(NUMBERS), "values": [[*map(float, each.cells(NUMBERS))] for each in applicants]}


def _predictions(applicants: Sequence[Applicant]) -> Table:
    values = [[float(label(each) == "yes"), each] for each in _approved(applicants, NUMBERS)]
    return {"fields": ["predicted_label", "score"], "values": values}


PROTOCOLS: Mapping[str, Protocol] = {
    "custom": Protocol(
        "/v1/deployments/action/online",
        "application/json",
        lambda applicants: _json(_named(applicants)),
        _named,
        _custom_answer,
    ),
    "azure-studio": Protocol(
        "/workspaces/demo/services/loans/execute", "application/json", _studio_request, _named, _studio_answer
    ),
    "azure-service": Protocol("/score", "application/json", _service_request, _named, _service_answer),
    "sagemaker": Protocol("/endpoints/loans/invocations", "text/csv", _csv, _floats, _predictions),
}
